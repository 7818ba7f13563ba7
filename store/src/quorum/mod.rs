//! How many replicas must have answered before a client may be told: pure values, without waiting.
//!
//! A coordinator asks replicas of a key and hands every answer, error and timeout to a
//! [`ReadQuorum`] or a [`WriteQuorum`], which says whether the request is still
//! [pending](Progress::Pending), [met](Progress::Met), or can no longer be met. What is left to do
//! afterwards (read repair, write-back, hints) is returned as data; the coordinator only sends.
//!
//! With `r + w > n` every read quorum has a replica in common with every write quorum, so a read
//! hears of every acknowledged write. That alone makes no register linearizable: of two reads in
//! turn the first may hear of a write in progress and the second not. So a register's read writes back
//! what it is about to return, until `w` replicas hold it: [`ReadQuorum::write_back`].
//!
//! ```
//! use store::quorum::{Progress, WriteQuorum};
//! use store::ring::NodeId;
//!
//! let [n1, n2, n3] = ["n1", "n2", "n3"].map(|name| NodeId::new(name).expect("a plain name"));
//! let mut write = WriteQuorum::new([n1.clone(), n2.clone(), n3.clone()], 2);
//! assert_eq!(write.add(&n1), Progress::Pending);
//! assert_eq!(write.refuse(&n3), Progress::Pending);
//! assert_eq!(write.add(&n2), Progress::Met);
//! assert_eq!(write.unacknowledged(), [n3]); // Its hint.
//! ```
//!
//! Invariants: a node counts once however often it answers; a node that is no replica never counts.
//! Source: Gifford, "Weighted Voting for Replicated Data", SOSP 1979; DeCandia et al., "Dynamo",
//! SOSP 2007, §4.5; Attiya, Bar-Noy and Dolev, JACM 1995 (write-back).

mod read;
mod tally;
mod write;

pub use read::ReadQuorum;
pub use tally::{Progress, Tally};
pub use write::WriteQuorum;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
