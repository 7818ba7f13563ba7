//! The write phase: a record sent to all primaries, W waited for, a hint kept for who stays away.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout_at;

use super::{Calls, Coordinator, Failure, Shortfall, Target};
use crate::peer::CallError;
use crate::peer::message::{Answer, Ask, ReplicaWrite};
use crate::quorum::{Progress, WriteQuorum};
use crate::ring::NodeId;
use crate::version::Record;

/// A write under way: who has acknowledged, and the calls not yet answered.
struct WritePhase {
    quorum: WriteQuorum,
    missing: Vec<(NodeId, CallError)>,
    calls: Calls<()>,
}

impl WritePhase {
    async fn until_decided(&mut self) -> Progress {
        let mut progress = self.quorum.progress();
        while progress == Progress::Pending {
            let Some(heard) = self.hear().await else { break };
            progress = heard;
        }
        if progress != Progress::Met {
            // What is known already should be told, above all that nothing was sent to anybody.
            while self.hear().now_or_never().flatten().is_some() {}
        }
        progress
    }

    /// Hears one more answer; `None` when all were heard.
    async fn hear(&mut self) -> Option<Progress> {
        let (node, answer) = self.calls.next().await?;
        Some(match answer {
            Ok(()) => self.quorum.add(&node),
            Err(error) => {
                let progress = self.quorum.refuse(&node);
                self.missing.push((node, error));
                progress
            }
        })
    }

    /// Whether the record certainly never left this node, nor was written here.
    fn is_unsent(&self) -> bool {
        self.calls.is_empty()
            && self.quorum.tally().answered() == 0
            && self.missing.iter().all(|(_, error)| error.is_unsent())
    }

    fn shortfall(&self) -> Shortfall {
        Shortfall::new(&self.quorum, &self.missing)
    }
}

impl Coordinator {
    /// Brings `record` to all primaries, and returns when `w` hold it, those that `held` it already
    /// included. Whoever has not acknowledged by the deadline gets a hint.
    pub(super) async fn replicate(
        self: &Arc<Self>,
        target: &Target,
        record: Record,
        held: Option<&NodeId>,
        w: usize,
    ) -> Result<(), Failure> {
        let mut quorum = WriteQuorum::new(target.home.primaries.iter().cloned(), w);
        if let Some(holder) = held {
            quorum.add(holder);
        }
        let mut phase = self.write_phase(target, &record, quorum);
        let progress = phase.until_decided().await;
        if progress != Progress::Met && phase.is_unsent() {
            return Err(Failure::Unavailable(phase.shortfall()));
        }
        let shortfall = (progress != Progress::Met).then(|| phase.shortfall());
        self.hint_later(target, record, phase);
        shortfall.map_or(Ok(()), |shortfall| Err(Failure::Uncertain(shortfall)))
    }

    /// Brings `record` to those silent in `quorum`, and returns when it is met. No hints: it is
    /// somebody else's write, and the reader only wants to be sure of it.
    pub(super) async fn write_back(
        self: &Arc<Self>,
        target: &Target,
        record: &Record,
        quorum: WriteQuorum,
    ) -> Result<(), Shortfall> {
        let mut phase = self.write_phase(target, record, quorum);
        let progress = phase.until_decided().await;
        let shortfall = phase.shortfall();
        self.late.spawn(async move { while phase.hear().await.is_some() {} });
        if progress == Progress::Met { Ok(()) } else { Err(shortfall) }
    }

    /// One call for each of `nodes`, to join `record` with what it holds.
    pub(super) fn write_calls(
        self: &Arc<Self>,
        target: &Target,
        record: &Record,
        nodes: impl IntoIterator<Item = NodeId>,
    ) -> Calls<()> {
        let encoded = record.encode();
        let calls = nodes.into_iter().map(|node| {
            let (this, target) = (self.clone(), target.clone());
            if node == *this.me() {
                let record = record.clone();
                return Box::pin(async move {
                    let joined = this.join_own(&target, record).await;
                    (node, joined)
                }) as BoxFuture<'static, _>;
            }
            let write = ReplicaWrite { key: target.key, record: encoded.clone() };
            Box::pin(async move {
                let answer = this.peers.call(&node, Ask::Write(write), target.deadline).await;
                let done = answer.and_then(|answer| match answer {
                    Answer::Done(_) => Ok(()),
                    _ => Err(CallError::Confused),
                });
                (node, done)
            })
        });
        calls.collect()
    }

    fn write_phase(
        self: &Arc<Self>,
        target: &Target,
        record: &Record,
        quorum: WriteQuorum,
    ) -> WritePhase {
        let calls = self.write_calls(target, record, quorum.silent());
        WritePhase { quorum, missing: Vec::new(), calls }
    }

    async fn join_own(&self, target: &Target, record: Record) -> Result<(), CallError> {
        let join = self.replica.join(&target.home, &target.key, record);
        match timeout_at(target.deadline.into(), join).await {
            Ok(joined) => joined.map_err(|error| CallError::Refused(error.to_string())),
            Err(_) => Err(CallError::Late),
        }
    }

    /// Hears the late answers, then keeps a hint for everybody who has not acknowledged.
    fn hint_later(self: &Arc<Self>, target: &Target, record: Record, mut phase: WritePhase) {
        if phase.calls.is_empty() && phase.quorum.unacknowledged().is_empty() {
            return;
        }
        let (this, target) = (self.clone(), target.clone());
        self.late.spawn(async move {
            while phase.hear().await.is_some() {}
            let absent = phase.quorum.unacknowledged();
            for owner in absent.iter().filter(|owner| *owner != this.me()) {
                this.hints.take(owner, &target.key, &record);
            }
        });
    }
}
