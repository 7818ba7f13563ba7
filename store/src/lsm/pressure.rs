//! When writers must slow down, or wait.
//!
//! A writer is quicker than a disk can merge. If nothing held it back, frozen memtables would fill the
//! memory, or level 0 would grow until a read asks a hundred tables. So each kind of backlog has two
//! bounds: from `slow` on every write is delayed, the more the nearer the backlog is to `stop`; at
//! `stop` writers wait until it has shrunk. The gentle part matters more than the hard one: it turns a
//! standstill of seconds, which clients see as an outage, into writes that are each a little late.
//!
//! Shape: the longest delay of any backlog counts; a greater backlog never has a shorter delay.
//! Source: RocksDB's write stalls (`level0_slowdown_writes_trigger`, `level0_stop_writes_trigger`,
//! `max_write_buffer_number`); Balmau et al., "SILK", USENIX ATC 2019, on why stalls make the tail.

use std::time::Duration;

/// What waits to be written down, or merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// Memtables that are full and not flushed.
    pub(super) frozen: usize,
    /// Tables on level 0.
    pub(super) level0: usize,
}

/// The bounds of one kind of backlog. *Requires* `slow < stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// From here on writers are delayed.
    pub slow: usize,
    /// From here on they wait.
    pub stop: usize,
}

/// How much may wait before writers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of memtables that are full and not flushed.
    pub frozen: Bound,
    /// Of tables on level 0.
    pub level0: Bound,
    /// The delay of a write just before `stop`.
    pub longest_delay: Duration,
}

impl Default for Bounds {
    /// Two memtables may wait; reads ask a dozen tables of level 0 before writers feel it.
    fn default() -> Bounds {
        Bounds {
            frozen: Bound { slow: 2, stop: 3 },
            level0: Bound { slow: 12, stop: 24 },
            longest_delay: Duration::from_millis(10),
        }
    }
}

/// What a writer must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flow {
    /// Go on.
    Free,
    /// Go on after this delay.
    Slow(Duration),
    /// Wait, and ask again when something was flushed or merged.
    Stop,
}

impl Bounds {
    /// What a writer must do under `load`.
    pub(super) fn flow(&self, load: Load) -> Flow {
        let frozen = self.frozen.flow(load.frozen, self.longest_delay);
        let level0 = self.level0.flow(load.level0, self.longest_delay);
        frozen.max(level0)
    }
}

impl Bound {
    /// The delay grows with the square of the way from `slow` to `stop`: hardly felt at first, as most
    /// backlogs go away by themselves.
    fn flow(self, backlog: usize, longest: Duration) -> Flow {
        assert!(self.slow < self.stop, "writers are slowed before they are stopped");
        if backlog >= self.stop {
            return Flow::Stop;
        }
        if backlog < self.slow {
            return Flow::Free;
        }
        let share = (backlog - self.slow + 1) as f64 / (self.stop - self.slow) as f64;
        Flow::Slow(longest.mul_f64(share * share))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds {
        frozen: Bound { slow: 2, stop: 4 },
        level0: Bound { slow: 8, stop: 16 },
        longest_delay: Duration::from_millis(10),
    };

    fn level0(level0: usize) -> Flow {
        BOUNDS.flow(Load { level0, ..Load::default() })
    }

    #[test]
    fn a_writer_is_free_then_ever_slower_then_stopped() {
        assert_eq!(level0(7), Flow::Free);
        assert_eq!(level0(8), Flow::Slow(Duration::from_millis(10) / 64));
        for tables in 8..16 {
            assert!(level0(tables) > level0(tables - 1), "{tables} tables");
        }
        assert_eq!(level0(15), Flow::Slow(Duration::from_millis(10)));
        assert_eq!(level0(16), Flow::Stop);
        assert_eq!(level0(usize::MAX), Flow::Stop);
    }

    #[test]
    fn the_worst_backlog_counts() {
        let slow = Load { level0: 9, ..Load::default() };
        assert_eq!(BOUNDS.flow(Load { frozen: 4, ..slow }), Flow::Stop);
        assert_eq!(BOUNDS.flow(Load { frozen: 1, ..slow }), level0(9));
        assert!(BOUNDS.flow(Load { frozen: 3, ..slow }) > level0(9));
    }

    proptest! {
        #[test]
        fn more_backlog_never_means_less_delay_and_stop_is_never_skipped(
            load in (0..6_usize, 0..20_usize), more in (0..6_usize, 0..20_usize),
        ) {
            let less = Load { frozen: load.0, level0: load.1 };
            let more = Load { frozen: less.frozen + more.0, level0: less.level0 + more.1 };
            prop_assert!(BOUNDS.flow(less) <= BOUNDS.flow(more));
            let is_full = more.frozen >= 4 || more.level0 >= 16;
            prop_assert_eq!(BOUNDS.flow(more) == Flow::Stop, is_full);
        }
    }
}
