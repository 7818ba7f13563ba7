//! The shell around [`Reaping`]: finds tombstones, asks around, and has them forgotten.
//!
//! Of each tree the first replica by name does this. A round that fails forgot nothing; while a member is
//! away all of them fail, and nobody need take its turn.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::reaping::{Reaping, Restless, Step};
use super::{AntiEntropy, RepairError};
use crate::peer::CallError;
use crate::peer::message::{Answer, Ask, Calm, Forget, KeyHash, Settle};
use crate::placement::TreeId;
use crate::replica::{Listed, ReplicaError};
use crate::ring::NodeId;
use crate::settle::{Settling, Undelivered};

/// For a member to settle, or a replica to forget.
const PATIENCE: Duration = Duration::from_secs(5);
/// Rounds one after the other, before others get their turn.
const ROUNDS: usize = 16;

/// Has tombstones forgotten.
pub struct Reaper {
    /// Compares with other replicas.
    pub anti_entropy: Arc<AntiEntropy>,
    /// Settles this node.
    pub settling: Arc<Settling>,
}

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error("{0}: {1}")]
    Compare(NodeId, RepairError),
    #[error("{0} left out some keys of a comparison")]
    LeftOut(NodeId),
    #[error("{0}: {1}")]
    Call(NodeId, CallError),
    #[error("this node {0}")]
    Settle(#[from] Undelivered),
    #[error("{0} {1}")]
    Restless(NodeId, Restless),
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

impl Reaper {
    /// Goes through the trees this often, until `shutdown`.
    pub async fn run(self, every: Duration, shutdown: CancellationToken) {
        let mut tick = interval(every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rounds = async {
            loop {
                tick.tick().await;
                for tree in self.led() {
                    if let Err(error) = self.reap(tree).await {
                        self.anti_entropy.stats.reaping_failures.add();
                        tracing::debug!("tombstones stay for now: {error}");
                    }
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = rounds => {}
        }
    }

    /// The trees of which this node is the first replica.
    fn led(&self) -> Vec<TreeId> {
        let placement = &self.anti_entropy.placement;
        let trees = placement.my_trees();
        let led = trees.filter(|(_, tree)| tree.replicas.nodes().first() == Some(placement.me()));
        led.map(|(id, _)| id).collect()
    }

    /// Rounds for one tree, until it has no tombstone left or one round fails.
    async fn reap(&self, tree: TreeId) -> Result<(), RoundError> {
        let replica = &self.anti_entropy.replica;
        let mut after = None;
        for _ in 0..ROUNDS {
            if replica.tombstones() == 0 {
                return Ok(());
            }
            self.is_worth_a_look()?;
            let page = replica.list_tombstones(tree, after.as_ref()).await?;
            if !page.keys.is_empty() {
                after = page.keys.last().map(|(key, _)| key.clone());
                self.round(tree, page.keys).await?;
            }
            if !page.more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What can be known to fail need not be tried, for to look for tombstones is to look at everything.
    fn is_worth_a_look(&self) -> Result<(), RoundError> {
        let AntiEntropy { placement, peers, .. } = &*self.anti_entropy;
        let away = peers.nodes().find(|node| !peers.is_connected(node));
        if let Some(away) = away {
            return Err(RoundError::Call(away.clone(), CallError::NotConnected));
        }
        match self.settling.hints.pending() {
            0 => Ok(()),
            kept => {
                let why = Restless::Hints(kept as u64);
                Err(RoundError::Restless(placement.me().clone(), why))
            }
        }
    }

    async fn round(&self, tree: TreeId, tombstones: Vec<Listed>) -> Result<(), RoundError> {
        let AntiEntropy { placement, peers, .. } = &*self.anti_entropy;
        let replicas = placement.trees()[tree].replicas.nodes();
        let fellows: BTreeSet<NodeId> =
            replicas.iter().filter(|node| *node != placement.me()).cloned().collect();
        let members = peers.nodes().chain([placement.me()]).cloned().collect();
        let mut reaping = Reaping::begin(fellows.clone(), members);
        loop {
            match reaping.step() {
                Step::Compare(fellows) => {
                    for fellow in fellows {
                        self.compare(&fellow).await?;
                        reaping.compared(&fellow);
                    }
                }
                Step::Settle(members) => {
                    let asked = members.into_iter().map(|member| self.settle(member));
                    let mut asked: FuturesUnordered<_> = asked.collect();
                    while let Some(settled) = asked.next().await {
                        let (member, calm) = settled?;
                        let settled = reaping.settled(&member, calm);
                        settled.map_err(|why| RoundError::Restless(member, why))?;
                    }
                }
                Step::Forget => return self.forget(tree, fellows, tombstones).await,
            }
        }
    }

    async fn compare(&self, fellow: &NodeId) -> Result<(), RoundError> {
        let compared = self.anti_entropy.compare(fellow).await;
        let tally = compared.map_err(|error| RoundError::Compare(fellow.clone(), error))?;
        if tally.refused > 0 { Err(RoundError::LeftOut(fellow.clone())) } else { Ok(()) }
    }

    async fn settle(&self, member: NodeId) -> Result<(NodeId, Calm), RoundError> {
        if member == *self.anti_entropy.placement.me() {
            return Ok((member, self.settling.settle().await?));
        }
        match self.ask(&member, Ask::Settle(Settle {})).await? {
            Answer::Calm(calm) => Ok((member, calm)),
            _ => Err(RoundError::Call(member, CallError::Confused)),
        }
    }

    /// The others first: should this node end in between, it still holds what it would have them forget,
    /// and the next round finds it.
    async fn forget(
        &self,
        tree: TreeId,
        fellows: BTreeSet<NodeId>,
        tombstones: Vec<Listed>,
    ) -> Result<(), RoundError> {
        let AntiEntropy { placement, replica, .. } = &*self.anti_entropy;
        let name = &placement.trees()[tree].name;
        let keys = tombstones.iter().cloned().map(|(key, hash)| KeyHash { key, hash });
        let keys: Vec<KeyHash> = keys.collect();
        for fellow in fellows {
            let ask = Ask::Forget(Forget { tree: name.clone(), keys: keys.clone() });
            self.ask(&fellow, ask).await?;
        }
        let forgotten = replica.forget(tree, &tombstones).await?;
        self.anti_entropy.stats.tombstones_reaped.add_all(forgotten);
        tracing::debug!(tree = name, forgotten, "forgot tombstones");
        Ok(())
    }

    async fn ask(&self, node: &NodeId, ask: Ask) -> Result<Answer, RoundError> {
        let answer = self.anti_entropy.peers.call(node, ask, Instant::now() + PATIENCE).await;
        answer.map_err(|error| RoundError::Call(node.clone(), error))
    }
}
