//! A counter that only a living node can raise.

use std::fmt;

/// A counter that only its node raises, by one with each tick; ordered by boot, then counter.
///
/// A node that restarts counts from 0 in a later epoch, so its first heartbeat is news at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Heartbeat {
    /// Rises with every start of the node.
    pub epoch: u64,
    /// Ticks since that start.
    pub counter: u64,
}

impl fmt::Display for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}
