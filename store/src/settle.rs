//! Settling: what this node has begun is let be over, and what it sent be delivered.
//!
//! Afterwards no copy of a record that was read before is in the hands of a request or of an exchange
//! of this node, nor on its way from it to another. What it still keeps are hints, and those it counts.
//! Asked for where tombstones are to be forgotten, see [`reaping`](crate::anti_entropy::Reaping).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use crate::grace::Grace;
use crate::handoff::Hints;
use crate::peer::message::{Ask, Calm, Ping};
use crate::peer::{CallError, Peers};
use crate::ring::NodeId;
use crate::stats::Stats;

/// For another node to have taken all that was sent to it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Lets what this node has begun be over.
pub struct Settling {
    /// Requests and exchanges under way.
    pub grace: Arc<Grace>,
    /// What is kept for others.
    pub hints: Arc<Hints>,
    /// How many hints were taken.
    pub stats: Arc<Stats>,
    /// The others.
    pub peers: Arc<Peers>,
    /// Which start of this node this is.
    pub boot: u64,
}

/// Another node cannot be reached: what was sent to it may lie somewhere for long.
#[derive(Debug, thiserror::Error)]
#[error("cannot be sure of what it sent to {0}: {1}")]
pub struct Undelivered(NodeId, CallError);

impl Settling {
    /// Returns when all is over and delivered that was begun before; what is kept of hints then.
    ///
    /// # Errors
    ///
    /// Where another node cannot be reached: what was sent to it may still be on its way.
    pub async fn settle(&self) -> Result<Calm, Undelivered> {
        self.grace.passed().await;
        // In this order: a hint taken in between is kept, or was not counted the time before.
        let hints_taken = self.stats.hints_taken.get();
        let hints_kept = self.hints.pending() as u64;
        let calm = Calm { hints_kept, hints_taken, boot: self.boot };
        // A node begins what we send in the order in which it came, also over a new connection; what it
        // only sets out to do holds back its own grace period, which whoever asks waits for next time.
        let deadline = Instant::now() + PATIENCE;
        let delivered = self.peers.nodes().map(async |node| {
            let ping = self.peers.call(node, Ask::Ping(Ping {}), deadline).await;
            ping.map_err(|error| Undelivered(node.clone(), error))
        });
        try_join_all(delivered).await?;
        Ok(calm)
    }
}
