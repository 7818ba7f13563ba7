//! What an engine has done since it was opened, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;

use crate::engine::Batch;

/// What an engine has done since it was opened, and what it holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Batches written to the log.
    pub writes: u64,
    /// Groups they were written in, one system call each.
    pub groups: u64,
    /// Times the log was synced.
    pub syncs: u64,
    /// Memtables written as tables.
    pub flushes: u64,
    /// Merges of tables.
    pub merges: u64,
    /// Tables that went down a level without being written again.
    pub moves: u64,
    /// Bytes of keys and values handed over.
    pub user_bytes: u64,
    /// Bytes written to the log.
    pub log_bytes: u64,
    /// Bytes of tables written from memtables.
    pub flushed_bytes: u64,
    /// Bytes of tables written by merges.
    pub merged_bytes: u64,
    /// Times writers were slowed or stopped, for memory or tables of level 0.
    pub stalls: u64,
    /// For how long, all together.
    pub stalled: Duration,
    /// Look-ups of blocks and guides that found one in memory.
    pub cache_hits: u64,
    /// Look-ups of blocks and guides that did not, and read the file.
    pub cache_misses: u64,
    /// Bytes of memtables, full ones included.
    pub memtable_bytes: u64,
    /// Tables by level.
    pub tables: Vec<usize>,
    /// Bytes of tables by level.
    pub table_bytes: Vec<u64>,
    /// Bytes of blocks and guides in the caches.
    pub cache_bytes: u64,
    /// Blocks found damaged and not repaired.
    pub damaged_blocks: usize,
}

impl Statistics {
    /// Bytes written for each byte handed over: log, flushes and merges. 0 before the first: what was
    /// written since the start is then of bytes handed over before it.
    pub fn write_amplification(&self) -> f64 {
        let written = self.log_bytes + self.flushed_bytes + self.merged_bytes;
        if self.user_bytes == 0 { 0.0 } else { written as f64 / self.user_bytes as f64 }
    }

    /// Bytes of tables for each byte of the deepest level, which holds no key twice; 0 without tables.
    /// An estimate from above, for not all that stands higher overwrites what is there.
    pub fn space_amplification(&self) -> f64 {
        let deepest = self.table_bytes.iter().rev().find(|bytes| **bytes > 0).copied();
        self.table_bytes.iter().sum::<u64>() as f64 / deepest.unwrap_or(1) as f64
    }

    /// Sorted runs a read may have to ask: each table of level 0, and each level below it.
    pub fn read_amplification(&self) -> usize {
        let below = self.tables.iter().skip(1).filter(|tables| **tables > 0).count();
        self.tables.first().copied().unwrap_or(0) + below
    }
}

/// The same, while it is counted. Relaxed: each number is exact, their sum is of no moment.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) writes: AtomicU64,
    pub(super) groups: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) flushes: AtomicU64,
    pub(super) merges: AtomicU64,
    pub(super) moves: AtomicU64,
    pub(super) user_bytes: AtomicU64,
    pub(super) log_bytes: AtomicU64,
    pub(super) flushed_bytes: AtomicU64,
    pub(super) merged_bytes: AtomicU64,
    pub(super) stalls: AtomicU64,
    pub(super) stalled_nanos: AtomicU64,
}

impl Counters {
    pub(super) fn count_group(&self, batches: &[Batch], log_bytes: usize) {
        let entries = batches.iter().flat_map(|batch| &batch.entries);
        let bytes: usize =
            entries.map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len)).sum();
        self.groups.fetch_add(1, Relaxed);
        self.writes.fetch_add(batches.len() as u64, Relaxed);
        self.user_bytes.fetch_add(bytes as u64, Relaxed);
        self.log_bytes.fetch_add(log_bytes as u64, Relaxed);
    }

    pub(super) fn count_stall(&self, lasting: Duration) {
        self.stalls.fetch_add(1, Relaxed);
        self.stalled_nanos.fetch_add(lasting.as_nanos() as u64, Relaxed);
    }

    /// What was counted; what the engine holds is left for its owner to fill in.
    pub(super) fn read(&self) -> Statistics {
        Statistics {
            writes: self.writes.load(Relaxed),
            groups: self.groups.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            flushes: self.flushes.load(Relaxed),
            merges: self.merges.load(Relaxed),
            moves: self.moves.load(Relaxed),
            user_bytes: self.user_bytes.load(Relaxed),
            log_bytes: self.log_bytes.load(Relaxed),
            flushed_bytes: self.flushed_bytes.load(Relaxed),
            merged_bytes: self.merged_bytes.load(Relaxed),
            stalls: self.stalls.load(Relaxed),
            stalled: Duration::from_nanos(self.stalled_nanos.load(Relaxed)),
            ..Statistics::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amplifications_are_ratios_of_what_was_written_stored_and_asked() {
        let statistics = Statistics {
            user_bytes: 100,
            log_bytes: 120,
            flushed_bytes: 80,
            merged_bytes: 150,
            tables: vec![3, 0, 2, 5],
            table_bytes: vec![30, 0, 20, 200],
            ..Statistics::default()
        };
        assert!((statistics.write_amplification() - 3.5).abs() < 1e-9);
        assert!((statistics.space_amplification() - 1.25).abs() < 1e-9);
        assert_eq!(statistics.read_amplification(), 5, "three tables and two levels");
    }

    #[test]
    fn an_engine_that_only_flushed_what_it_replayed_amplified_nothing() {
        let replayed = Statistics { flushed_bytes: 1 << 20, ..Statistics::default() };
        assert!(replayed.write_amplification() == 0.0 && replayed.space_amplification() == 0.0);
    }
}
