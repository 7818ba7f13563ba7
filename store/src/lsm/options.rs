//! How an engine works: what it promises, how much memory it may take, what shape its tables have.

use std::sync::Arc;

use super::compaction::Reaper;
use super::compression::Compression;
use super::picker::Shape;
use super::pressure::Bounds;
use super::table::TableShape;
use crate::config::Sync;

/// How an engine works.
#[derive(Clone)]
pub struct Options {
    /// When a write counts as durable.
    pub sync: Sync,
    /// A memtable of more bytes is written as a table; up to `bounds.frozen.stop` full ones wait.
    pub memtable_bytes: usize,
    /// What decoded blocks may take in memory.
    pub cache_bytes: usize,
    /// What guides may take beside them: filter and index of a partition, about a fiftieth of its data.
    pub guide_bytes: usize,
    /// What batches waiting for the log may take in memory; more are refused.
    pub queue_bytes: usize,
    /// Of tables that will be merged again.
    pub compression: Compression,
    /// Of tables below which there is nothing.
    pub bottom_compression: Compression,
    /// What merges write in a second at most, unless writers wait for them.
    pub merge_bytes_per_second: Option<u64>,
    /// What a table looks like inside.
    pub table: TableShape,
    /// How large levels and tables are.
    pub shape: Shape,
    /// When writers slow down, and stop.
    pub bounds: Bounds,
    /// Which values nobody needs any more; absent: all are needed.
    pub reaper: Option<Arc<dyn Reaper>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            sync: Sync::default(),
            memtable_bytes: 64 << 20,
            cache_bytes: 32 << 20,
            guide_bytes: 32 << 20,
            queue_bytes: 64 << 20,
            compression: Compression::Lz4,
            bottom_compression: Compression::Zstd,
            merge_bytes_per_second: None,
            table: TableShape::default(),
            shape: Shape::default(),
            bounds: Bounds::default(),
            reaper: None,
        }
    }
}
