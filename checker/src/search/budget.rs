//! How much a search may cost, counted so that every machine counts the same.
//!
//! The search is exponential in the concurrency in the worst case, and an honest checker says when
//! it gave up. Configurations and bytes are counted, not measured: the same history ends at the
//! same configuration everywhere. Wall time belongs to the caller, who raises a flag when it is up.
//! When that is depends on the machine, and so it only ever takes from what is known: a key not
//! decided by then is `Unknown`, a witness not yet minimal is left as large as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How much the search of one key may cost.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Configurations visited at most.
    pub configurations: usize,
    /// Bytes held at most, as counted by [`crate::model::Model::weight`].
    pub bytes: usize,
    /// Raised by the caller to end every search soon: its time is up.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for Budget {
    /// Two million configurations and 256 MiB a key.
    fn default() -> Budget {
        Budget { configurations: 2_000_000, bytes: 256 << 20, stop: None }
    }
}

impl Budget {
    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// Why a search gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Every configuration allowed was visited.
    Configurations(usize),
    /// Every byte allowed was used.
    Bytes(usize),
    /// The caller said that time is up.
    Stopped,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Spent::Configurations(limit) => write!(f, "after {limit} configurations"),
            Spent::Bytes(limit) => write!(f, "after {limit} bytes of configurations"),
            Spent::Stopped => f.write_str("when its time was up"),
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
        if budget.is_stopped() { Err(Spent::Stopped) } else { Ok(()) }
    }

    /// Whether more was asked of `budget` than it had.
    pub(crate) fn is_spent(&self, budget: &Budget) -> bool {
        let counted = self.configurations > budget.configurations || self.bytes > budget.bytes;
        counted || budget.is_stopped()
    }
}
