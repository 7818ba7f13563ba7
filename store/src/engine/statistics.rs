//! What an engine has done since it was opened, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What an engine has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Batches written to the log.
    pub writes: u64,
    /// Groups they were written in, one system call each.
    pub groups: u64,
    /// Times the log was synced.
    pub syncs: u64,
    /// Memtables written as tables.
    pub flushes: u64,
    /// Times all tables were merged into one.
    pub merges: u64,
}

/// The same, while it is counted. Relaxed: each number is exact, their sum is of no moment.
#[derive(Debug, Default)]
pub(super) struct Counters {
    writes: AtomicU64,
    groups: AtomicU64,
    syncs: AtomicU64,
    flushes: AtomicU64,
    merges: AtomicU64,
}

impl Counters {
    pub(super) fn count_group(&self, writes: usize) {
        self.groups.fetch_add(1, Relaxed);
        self.writes.fetch_add(writes as u64, Relaxed);
    }

    pub(super) fn count_sync(&self) {
        self.syncs.fetch_add(1, Relaxed);
    }

    pub(super) fn count_flush(&self) {
        self.flushes.fetch_add(1, Relaxed);
    }

    pub(super) fn count_merge(&self) {
        self.merges.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Statistics {
        Statistics {
            writes: self.writes.load(Relaxed),
            groups: self.groups.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            flushes: self.flushes.load(Relaxed),
            merges: self.merges.load(Relaxed),
        }
    }
}
