//! Acknowledgements in, progress out.

use std::fmt;
use std::sync::Arc;

use super::tally::{Progress, Tally};
use crate::ring::NodeId;

/// The acknowledgements of one write.
///
/// Prints what was reached: `write needs 2 of 3, 1 acknowledged: n2; refused: n1, n3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteQuorum {
    tally: Tally,
}

impl WriteQuorum {
    /// A write to `replicas` of which `w` must acknowledge.
    pub fn new(replicas: impl IntoIterator<Item = NodeId>, w: usize) -> WriteQuorum {
        WriteQuorum { tally: Tally::new(replicas, w) }
    }

    /// The same. *Requires* that no node stands in the list twice.
    pub fn of(replicas: Arc<[NodeId]>, w: usize) -> WriteQuorum {
        WriteQuorum { tally: Tally::of(replicas, w) }
    }

    /// `from` has made the write durable.
    pub fn add(&mut self, from: &NodeId) -> Progress {
        self.tally.answer(from);
        self.progress()
    }

    /// `from` answered with an error, or not in time. It may hold the write none the less.
    pub fn refuse(&mut self, from: &NodeId) -> Progress {
        self.tally.refuse(from);
        self.progress()
    }

    /// How far the write is.
    pub fn progress(&self) -> Progress {
        self.tally.progress()
    }

    /// Replicas that have not acknowledged: each is to have a hint.
    pub fn unacknowledged(&self) -> Vec<NodeId> {
        self.tally.missing()
    }

    /// Replicas of whom nothing was heard yet: to them the write is to be sent, or awaited.
    pub fn silent(&self) -> Vec<NodeId> {
        self.tally.silent()
    }

    /// The counts behind the progress.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl fmt::Display for WriteQuorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write ")?;
        self.tally.describe(f, "acknowledged")
    }
}
