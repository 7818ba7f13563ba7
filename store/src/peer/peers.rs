//! All other nodes of the cluster, each behind its link.

use std::collections::BTreeMap;
use std::time::Instant;

use super::frame::Hello;
use super::message::{Answer, Ask};
use super::{CallError, Link, Timing, Waiter};
use crate::config::Config;
use crate::ring::{NameError, NodeId};

/// All other nodes of the cluster.
pub struct Peers {
    links: BTreeMap<NodeId, Link>,
}

impl Peers {
    /// Begins to dial every other member of `config`.
    pub fn dial(config: &Config, timing: Timing) -> Result<Peers, NameError> {
        let others = config.members.iter().filter(|member| member.node != config.node);
        let links = others.map(|member| {
            let hello = Hello::new(&config.cluster, &config.node, &member.node);
            Ok((NodeId::new(&member.node)?, Link::dial(hello, member.peer, timing)))
        });
        Ok(Peers { links: links.collect::<Result<_, NameError>>()? })
    }

    /// The others, ascending.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.links.keys()
    }

    /// Whether a connection to `node` stands, as far as one can know.
    pub fn is_connected(&self, node: &NodeId) -> bool {
        self.links.get(node).is_some_and(Link::is_connected)
    }

    /// Asks `node`; see [`Link::ask`].
    pub fn ask(
        &self,
        node: &NodeId,
        ask: Ask,
        deadline: Instant,
        waiter: Waiter,
    ) -> Result<(), CallError> {
        let link = self.links.get(node).ok_or(CallError::NotConnected)?;
        link.ask(ask, deadline, waiter)
    }

    /// Asks `node`, and waits for its answer until `deadline`.
    pub async fn call(
        &self,
        node: &NodeId,
        ask: Ask,
        deadline: Instant,
    ) -> Result<Answer, CallError> {
        match self.links.get(node) {
            Some(link) => link.call(ask, deadline).await,
            None => Err(CallError::NotConnected),
        }
    }
}
