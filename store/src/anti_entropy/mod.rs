//! Anti-entropy: replicas compare Merkle trees in the background, and exchange what differs.
//!
//! ```text
//! every second, or when a client asks    AntiEntropy  with whom
//!                                          Session    all trees shared with one other: asks and waits
//!                                            Exchange one tree: decides, as a value
//! when another does                      Answers
//!
//! every minute      Reaper               which tombstones may be forgotten, one tree after the other
//!                     Reaping            decides, as a value
//! ```
//!
//! Writes that nobody retried and hints that nobody kept are mended so, and equal trees cost one
//! round trip. What travels, and what either side looks at, is proportional to the difference: the
//! walk down the trees ends at buckets of a few keys, which lie side by side on disk.
//!
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.7.

mod answers;
mod exchange;
mod pages;
mod reaper;
mod reaping;
mod session;
mod tally;

pub use answers::Answers;
pub use exchange::{Exchange, Found, LOOK, Need};
pub use pages::Nonsense;
pub use reaper::Reaper;
pub use reaping::{Reaping, Restless, Step};
pub use session::{Other, Session, SessionError};
pub use tally::Tally;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::ChaCha8Rng;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::gossip::View;
use crate::grace::Grace;
use crate::peer::message::{Answer, Ask};
use crate::peer::{CallError, Peers};
use crate::placement::Placement;
use crate::replica::Replica;
use crate::ring::NodeId;
use crate::stats::Stats;

/// Between rounds of a node that has yet to catch up.
const CATCH_UP_TICK: Duration = Duration::from_millis(50);
/// Between rounds.
const TICK: Duration = Duration::from_secs(1);
/// For one answer of the other side: a look may cost it hundreds of reads from a slow disk.
const PATIENCE: Duration = Duration::from_secs(5);
/// For one session. A node that lost its disk may need many; each begins where the last one ended, for
/// what is equal by then is passed over, and others get their turn in between.
const SESSION: Duration = Duration::from_mins(1);

/// Compares this node's copies with those of others.
pub struct AntiEntropy {
    /// Which trees are shared with whom.
    pub placement: Arc<Placement>,
    /// The own copies.
    pub replica: Arc<Replica>,
    /// The others.
    pub peers: Arc<Peers>,
    /// Who is worth asking.
    pub view: Arc<View>,
    /// Where exchanges are counted.
    pub stats: Arc<Stats>,
    /// What is under way of them.
    pub grace: Arc<Grace>,
}

/// Why a repair is not done; phrased to follow the name of the other node.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// It broke off.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It took too long. What was exchanged stays.
    #[error("not done within {} s, the rest is left", .0.as_secs())]
    Late(Duration),
}

/// What a repair came to with each other node.
pub type Repair = BTreeMap<NodeId, Result<Tally, RepairError>>;

impl AntiEntropy {
    /// Compares with one other after another, at random, until `shutdown`.
    pub async fn run(self: Arc<Self>, mut random: ChaCha8Rng, shutdown: CancellationToken) {
        let rounds = async {
            self.catch_up().await;
            let mut tick = interval(TICK);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                let Some(other) = self.partner(random.next_u64()) else { continue };
                if let Err(error) = self.compare(&other).await {
                    tracing::debug!("exchange with {other} left: {error}");
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = rounds => {}
        }
    }

    /// Compares with each of those that this node has yet to hear, as soon as that counts and they can be
    /// reached, until all were heard.
    async fn catch_up(&self) {
        let mut tick = interval(CATCH_UP_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.replica.catching_up_with() > 0 {
            tick.tick().await;
            for other in self.replica.owed_exchanges() {
                if !self.peers.is_connected(&other) {
                    continue;
                }
                let why = match self.compare(&other).await {
                    Ok(tally) if tally.refused == 0 => continue,
                    Ok(tally) => format!("{} keys or buckets were left out", tally.refused),
                    Err(error) => error.to_string(),
                };
                tracing::warn!("has not caught up with {other} yet: {why}");
                tokio::time::sleep(TICK).await;
            }
        }
    }

    /// Compares with all `others`, one after the other, whoever is believed to be up.
    pub async fn repair(&self, others: Vec<NodeId>) -> Repair {
        let mut repair = Repair::new();
        for other in others {
            let compared = self.compare(&other).await;
            repair.insert(other, compared);
        }
        repair
    }

    /// Nodes that hold some of the keys that this node holds, ascending.
    pub fn replicas(&self) -> Vec<NodeId> {
        self.placement.fellows().into_iter().collect()
    }

    /// What answers the others who compare with us.
    pub fn answers(&self) -> Answers {
        let AntiEntropy { placement, replica, stats, .. } = self;
        let (placement, replica) = (placement.clone(), replica.clone());
        Answers { placement, replica, stats: stats.clone() }
    }

    fn partner(&self, random: u64) -> Option<NodeId> {
        let present = |node: &NodeId| self.view.is_up(node) && self.peers.is_connected(node);
        let mut others = self.replicas();
        others.retain(present);
        let at = random.checked_rem(others.len() as u64)? as usize;
        Some(others.swap_remove(at))
    }

    async fn compare(&self, other: &NodeId) -> Result<Tally, RepairError> {
        let remote = Remote { peers: &self.peers, node: other };
        let AntiEntropy { placement, replica, stats, .. } = self;
        let session = Session::new(placement, replica, stats, other, remote);
        let _under_way = self.grace.enter();
        let began = replica.age();
        let done = timeout(SESSION, session.run()).await;
        let tally = done.map_err(|_| RepairError::Late(SESSION))??;
        if tally.refused == 0 {
            replica.has_exchanged(other, began);
        }
        Ok(tally)
    }
}

/// The other side, behind its link.
struct Remote<'a> {
    peers: &'a Peers,
    node: &'a NodeId,
}

impl Other for Remote<'_> {
    async fn ask(&self, ask: Ask) -> Result<Answer, CallError> {
        self.peers.call(self.node, ask, Instant::now() + PATIENCE).await
    }
}

#[cfg(test)]
mod scripts;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
