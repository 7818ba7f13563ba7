//! How much a search may cost, counted so that every machine counts the same.
//!
//! The search is exponential in the concurrency in the worst case, and an honest checker says when
//! it gave up. Configurations and bytes are counted, not measured: the same history ends at the
//! same configuration everywhere. Wall time belongs to the caller, who may raise a flag; what is
//! found until then depends on the machine, and so the flag is never part of a recorded verdict
//! other than `Unknown`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How much the search of one key may cost.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Configurations visited at most.
    pub configurations: usize,
    /// Bytes held at most, as counted by [`crate::model::Model::weight`].
    pub bytes: usize,
    /// Raised by the caller to end every search soon.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for Budget {
    /// Two million configurations and 256 MiB a key.
    fn default() -> Budget {
        Budget { configurations: 2_000_000, bytes: 256 << 20, stop: None }
    }
}

/// Why a search gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Every configuration allowed was visited.
    Configurations(usize),
    /// Every byte allowed was used.
    Bytes(usize),
    /// The caller wanted it to stop.
    Stopped,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Spent::Configurations(limit) => write!(f, "after {limit} configurations"),
            Spent::Bytes(limit) => write!(f, "after {limit} bytes of configurations"),
            Spent::Stopped => f.write_str("because it was told to stop"),
        }
    }
}

/// What was used of a budget.
#[derive(Default)]
pub(crate) struct Meter {
    configurations: usize,
    bytes: usize,
}

impl Meter {
    /// Takes one configuration of `bytes` from `budget`.
    pub(crate) fn take(&mut self, budget: &Budget, bytes: usize) -> Result<(), Spent> {
        self.configurations += 1;
        self.bytes += bytes;
        if self.configurations > budget.configurations {
            return Err(Spent::Configurations(budget.configurations));
        }
        if self.bytes > budget.bytes {
            return Err(Spent::Bytes(budget.bytes));
        }
        match &budget.stop {
            Some(stop) if stop.load(Ordering::Relaxed) => Err(Spent::Stopped),
            _ => Ok(()),
        }
    }

    /// Whether more was asked of `budget` than it had.
    pub(crate) fn is_spent(&self, budget: &Budget) -> bool {
        self.configurations > budget.configurations || self.bytes > budget.bytes
    }
}
