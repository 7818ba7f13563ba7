//! The read phase: all primaries asked, R waited for, the late ones heard for the sake of repair.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};

use super::{Calls, Coordinator, Failure, Shortfall, Target};
use crate::peer::CallError;
use crate::peer::message::{Answer, Ask, OwnCopy, ReplicaRead};
use crate::quorum::{Progress, ReadQuorum};
use crate::ring::NodeId;
use crate::version::Record;

/// A read under way: what was replied, and the calls not yet answered.
pub(super) struct ReadPhase {
    pub(super) quorum: ReadQuorum,
    missing: Vec<(NodeId, CallError)>,
    calls: Calls<Option<Record>>,
}

impl ReadPhase {
    /// Hears one more reply; `None` when all were heard.
    async fn hear(&mut self) -> Option<Progress> {
        let (node, reply) = self.calls.next().await?;
        Some(match reply {
            Ok(record) => self.quorum.add(&node, record),
            Err(error) => {
                let progress = self.quorum.refuse(&node);
                self.missing.push((node, error));
                progress
            }
        })
    }

    pub(super) fn shortfall(&self) -> Shortfall {
        Shortfall::new(&self.quorum, &self.missing)
    }
}

impl Coordinator {
    /// Asks all primaries, and returns when `r` have replied.
    pub(super) async fn read_phase(
        self: &Arc<Self>,
        target: &Target,
        r: usize,
    ) -> Result<ReadPhase, Failure> {
        let quorum = ReadQuorum::new(target.home.primaries.iter().cloned(), r);
        let calls = self.others_first(target, |node| self.clone().read_from(target.clone(), node));
        let mut phase = ReadPhase { quorum, missing: Vec::new(), calls };
        while let Some(progress) = phase.hear().await {
            match progress {
                Progress::Pending => {}
                Progress::Met => return Ok(phase),
                Progress::Unreachable => break,
            }
        }
        // What is there already should be told as reached.
        while phase.hear().now_or_never().flatten().is_some() {}
        // A read changes nothing, whatever was reached.
        Err(Failure::Unavailable(phase.shortfall()))
    }

    /// What `r` replicas hold, joined.
    pub(super) async fn read_joined(
        self: &Arc<Self>,
        target: &Target,
        r: usize,
    ) -> Result<Option<Record>, Failure> {
        let phase = self.read_phase(target, r).await?;
        let joined = phase.quorum.joined().cloned();
        self.repair_later(target, phase, Vec::new());
        Ok(joined)
    }

    /// Hears the late replies, then brings the join to those that were behind; `mended` have it by now.
    pub(super) fn repair_later(
        self: &Arc<Self>,
        target: &Target,
        mut phase: ReadPhase,
        mended: Vec<NodeId>,
    ) {
        if phase.calls.is_empty() && !phase.quorum.differs() {
            return;
        }
        let (this, target) = (self.clone(), target.clone());
        self.late.spawn(async move {
            while phase.hear().await.is_some() {}
            let behind = phase.quorum.behind();
            let Some(joined) = phase.quorum.joined() else { return };
            let behind = behind.into_iter().filter(|node| !mended.contains(node));
            let target = Target { deadline: this.target(target.key.clone()).deadline, ..target };
            let mut repairs = this.write_calls(&target, joined, behind);
            while let Some((_, repaired)) = repairs.next().await {
                if repaired.is_ok() {
                    this.stats.read_repairs.add();
                }
            }
        });
    }

    /// One call for each primary, our own last: it may be done at once, and the others should be on
    /// their way by then.
    fn others_first<T>(
        &self,
        target: &Target,
        call: impl Fn(NodeId) -> BoxFuture<'static, (NodeId, Result<T, CallError>)>,
    ) -> Calls<T> {
        let (own, others): (Vec<_>, Vec<_>) =
            target.home.primaries.iter().cloned().partition(|node| node == self.me());
        others.into_iter().chain(own).map(call).collect()
    }

    fn read_from(
        self: Arc<Self>,
        target: Target,
        node: NodeId,
    ) -> BoxFuture<'static, (NodeId, Result<Option<Record>, CallError>)> {
        Box::pin(async move {
            let reply = self.copy_of(&target, &node).await;
            (node, reply)
        })
    }

    /// The copy that `node` holds.
    async fn copy_of(&self, target: &Target, node: &NodeId) -> Result<Option<Record>, CallError> {
        if node == self.me() {
            let own = self.replica.get(&target.home, &target.key);
            return own.map_err(|error| CallError::Refused(error.to_string()));
        }
        let ask = Ask::Read(ReplicaRead { key: target.key.clone() });
        match self.peers.call(node, ask, target.deadline).await? {
            Answer::Record(OwnCopy { record }) => record
                .map(|encoded| Record::decode(&encoded))
                .transpose()
                .map_err(|error| CallError::Refused(format!("a record cannot be read: {error}"))),
            _ => Err(CallError::Confused),
        }
    }
}
