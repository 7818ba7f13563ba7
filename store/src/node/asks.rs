//! What this node answers to the asks of others: the other side of every message of the peers.

use std::sync::Arc;

use bytes::Bytes;

use crate::anti_entropy::Answers;
use crate::coordinator::Coordinator;
use crate::grace::Entered;
use crate::peer::frame::Hello;
use crate::peer::message::{
    Answer, Ask, Done, OwnCopy, ReplicaUpdate, ReplicaWrite, Request, Updated,
};
use crate::peer::{Asker, Handler};
use crate::ring::NodeId;
use crate::settle::Settling;
use crate::version::Record;

/// Answers other nodes.
pub(super) struct Asks {
    pub(super) cluster: String,
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) exchanges: Answers,
    pub(super) settling: Arc<Settling>,
}

impl Handler for Asks {
    fn judge(&self, hello: &Hello) -> Option<String> {
        let others: Vec<&str> = self.coordinator.peers.nodes().map(NodeId::as_str).collect();
        hello.refusal(&self.cluster, self.coordinator.placement.me().as_str(), &others)
    }

    fn expect(&self, asks: &[Request]) {
        let keys = asks.iter().filter_map(|request| match &request.ask {
            Some(Ask::Read(read)) => Some(&read.key[..]),
            Some(Ask::Write(write)) => Some(&write.key[..]),
            _ => None,
        });
        self.coordinator.replica.expect(keys);
    }

    fn begin(&self, ask: Ask, asker: Asker) -> Option<(Ask, Asker)> {
        let replica = &self.coordinator.replica;
        match ask {
            Ask::Read(read) if read.held_for.is_none() => asker.tell(replica.answer_read(&read)),
            Ask::Write(write) if write.held_for.is_none() => {
                replica.begin_answer_write(&write, |answer| asker.tell(answer));
            }
            other => return Some((other, asker)),
        }
        None
    }

    /// But for the ask that waits for a grace period: it would wait for itself.
    fn enter(&self, ask: &Ask) -> Option<Entered> {
        (!matches!(ask, Ask::Settle(_))).then(|| self.coordinator.grace.enter())
    }

    fn lead(&self) {
        self.coordinator.replica.lead();
    }

    async fn handle(&self, from: &str, ask: Ask) -> Answer {
        let from = NodeId::new(from).expect("a member's name, as the handshake made sure");
        let replica = &self.coordinator.replica;
        match ask {
            Ask::Ping(_) => Answer::Done(Done {}),
            Ask::Read(read) => match &read.held_for {
                Some(owner) => self.read_held(owner, &read.key),
                None => replica.answer_read(&read),
            },
            Ask::Write(write) => match &write.held_for {
                Some(owner) => self.hold(owner, &write).await,
                None => replica.answer_write(write).await,
            },
            Ask::Update(update) => match replica.refusal(&update.key) {
                Some(refusal) => refusal,
                None => self.update(update).await,
            },
            Ask::Gossip(gossip) => Answer::Gossip(self.coordinator.view.answer(&gossip)),
            Ask::Settle(_) => match self.settling.settle().await {
                Ok(calm) => Answer::Calm(calm),
                Err(why) => Answer::refused(format!("ERR {} {why}", self.me())),
            },
            Ask::Roots(_)
            | Ask::Children(_)
            | Ask::List(_)
            | Ask::Fetch(_)
            | Ask::Mend(_)
            | Ask::Forget(_) => self.exchanges.answer(&from, ask).await,
        }
    }
}

impl Asks {
    fn me(&self) -> &NodeId {
        self.coordinator.placement.me()
    }

    fn read_held(&self, owner: &str, key: &Bytes) -> Answer {
        let Ok(owner) = NodeId::new(owner) else { return no_member(owner) };
        let record = self.coordinator.hints.held(&owner, key).map(|record| record.encode());
        Answer::Record(OwnCopy { record, same: false, floor: 0 })
    }

    async fn hold(&self, owner: &str, write: &ReplicaWrite) -> Answer {
        let record = match Record::decode(&write.record) {
            Ok(record) => record,
            Err(error) => return Answer::refused(format!("ERR a record cannot be read: {error}")),
        };
        let is_other = |owner: &NodeId| self.coordinator.peers.nodes().any(|node| node == owner);
        let Some(owner) = NodeId::new(owner).ok().filter(is_other) else {
            return no_member(owner);
        };
        let allowed = self.coordinator.placement.home(&write.key).settings.siblings_allowed();
        match self.coordinator.hints.hold(&owner, &write.key, &record, allowed).await {
            Ok(()) => Answer::Done(Done {}),
            Err(error) => Answer::refused(error.to_string()),
        }
    }

    async fn update(&self, update: ReplicaUpdate) -> Answer {
        let key = update.key.clone();
        match self.coordinator.serve_update(update).await {
            Ok(context) => Answer::Updated(Updated { context: context.to_text(&key).into() }),
            Err(failure) => Answer::refused(failure.to_string()),
        }
    }
}

fn no_member(name: &str) -> Answer {
    Answer::refused(format!("ERR `{name}` is no other member"))
}
