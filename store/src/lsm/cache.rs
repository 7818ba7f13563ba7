//! Blocks read lately, kept in memory for whoever asks next; all tables of an engine share it.
//!
//! A block is kept unpacked and with its checksum found right, under its table's number and its
//! offset there. Guides (filter and index of a partition) have a cache of their own, of the same kind:
//! memory is bounded by two numbers however large the data. Table numbers are never used twice: blocks
//! of a table that is gone just grow cold.
//!
//! Which block must go is decided by a clock with a small queue for newcomers, as in S3-FIFO: a scan
//! passes through that queue, and does not push out what is read again and again.
//! Source: Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// What a block costs beside its bytes: key, handle, allocation, its place in the queue.
const OVERHEAD_BYTES: u64 = 128;
/// What a block weighs as a rule; a guess at how many there will be.
const BLOCK_BYTES_USUAL: u64 = 4096;

/// Where a block is: the number of its table, and its offset there.
type Address = (u64, u64);

/// Blocks in memory, at most so many bytes of them.
#[derive(Debug)]
pub(crate) struct BlockCache {
    blocks: Cache<Address, Bytes, Weight>,
    capacity_bytes: u64,
    /// Counters, not locks: they order nothing, and may be read a little late.
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Address, Bytes> for Weight {
    fn weight(&self, _: &Address, block: &Bytes) -> u64 {
        block.len() as u64 + OVERHEAD_BYTES
    }
}

impl BlockCache {
    /// A cache of at most `capacity_bytes`; with 0 it keeps nothing.
    pub(crate) fn new(capacity_bytes: u64) -> BlockCache {
        let blocks = usize::try_from(capacity_bytes / BLOCK_BYTES_USUAL).unwrap_or(usize::MAX);
        BlockCache {
            blocks: Cache::with_weighter(blocks.clamp(16, 1 << 20), capacity_bytes, Weight),
            capacity_bytes,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The block at `offset` of `table`, if it is here. Counts as a hit or a miss.
    pub(super) fn get(&self, table: u64, offset: u64) -> Option<Bytes> {
        let block = self.blocks.get(&(table, offset));
        let counter = if block.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Relaxed);
        block
    }

    /// Keeps a block for a while. *Requires* that its checksum was found right.
    pub(super) fn insert(&self, table: u64, offset: u64, block: Bytes) {
        if self.capacity_bytes > 0 {
            self.blocks.insert((table, offset), block);
        }
    }

    /// Gives up the block at `offset` of `table`, if it is here.
    pub(super) fn remove(&self, table: u64, offset: u64) {
        self.blocks.remove(&(table, offset));
    }

    /// Whether so many bytes more come in without anything going out. A quarter is left to what is asked:
    /// the cache is cut into shards, and one of them is full before all are.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.bytes() + bytes + OVERHEAD_BYTES <= self.capacity_bytes / 4 * 3
    }

    /// Questions answered from memory, since the start.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    /// Questions that went to the disk, since the start.
    pub(crate) fn misses(&self) -> u64 {
        self.misses.load(Relaxed)
    }

    /// Bytes it holds, with what they cost beside themselves.
    pub(crate) fn bytes(&self) -> u64 {
        self.blocks.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_under_its_table_and_offset_only() {
        let cache = BlockCache::new(1 << 20);
        cache.insert(1, 8, Bytes::from_static(b"block"));
        assert_eq!(cache.get(1, 8), Some(Bytes::from_static(b"block")));
        assert_eq!(cache.get(2, 8), None);
        assert_eq!(cache.get(1, 9), None);
        assert_eq!((cache.hits(), cache.misses()), (1, 2));
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        for capacity in [0, 1, 10_000, 1 << 20] {
            let cache = BlockCache::new(capacity);
            for offset in 0..2000 {
                cache.insert(
                    offset % 3,
                    offset,
                    Bytes::from(vec![0; (offset * 7 % 5000) as usize]),
                );
                assert!(cache.bytes() <= capacity, "{} of {capacity}", cache.bytes());
            }
        }
    }

    #[test]
    fn without_room_it_keeps_nothing() {
        let cache = BlockCache::new(0);
        cache.insert(1, 8, Bytes::new());
        assert_eq!(cache.get(1, 8), None);
    }

    #[test]
    fn with_room_it_keeps_most_of_what_fits() {
        let cache = BlockCache::new(4 << 20);
        for offset in 0..2000 {
            cache.insert(1, offset, Bytes::from(vec![0; 4096]));
        }
        let kept = cache.bytes() as f64 / f64::from(4 << 20);
        assert!(kept > 0.8, "only {kept:.2} of it is used");
    }
}
