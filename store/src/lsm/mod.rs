//! A log-structured merge tree: the engine of a node.
//!
//! ```text
//! write -> Log (durable) -> Memtable -> frozen -> flush -> level 0 -> compaction -> level 1 … 6
//! read  <- Memtable <- frozen <- level 0, newest first <- level 1 <- … <- level 6
//! ```
//!
//! | room | files | in a line |
//! |---|---|---|
//! | the disk | [`vfs`], `directory` | every byte and name goes through here; a modelled disk for tests |
//! | the log | `log`, `format` | what was acknowledged and is in no table yet |
//! | memory | `memtable`, `queue` | what was written lately; what waits to be |
//! | tables | `table/`, `filter`, `compression`, `cache`, `quarantine` | sorted files that never change |
//! | decisions | `levels`, `picker`, `manifest`, `pressure`, `pace` | pure: which tables count, what to merge, when to wait |
//! | steps | [`Tree`]: `commit`, `flush`, `compaction`, `restore` | what can be done, without a thread |
//! | readers | `state`, `view`, `run`, `merge`, `cursor`, [`Snapshot`] | what counts at one moment |
//! | threads | [`Lsm`] | who calls the steps |
//! | people | [`inspect`], [`verify`], [`Statistics`] | what a directory holds, and what an engine has done |
//!
//! Source: O'Neil et al., "The Log-Structured Merge-Tree", Acta Informatica 1996; Chang et al.,
//! "Bigtable", OSDI 2006, §5.3; Dong et al., "Optimizing Space Amplification in RocksDB", CIDR 2017.

use bytes::Bytes;

mod cache;
mod commit;
mod compaction;
mod compression;
mod cursor;
mod directory;
mod engine;
mod filter;
mod flush;
mod format;
mod inspect;
mod led;
mod levels;
mod log;
mod manifest;
mod memtable;
mod merge;
mod options;
mod pace;
mod picker;
mod pressure;
mod quarantine;
mod queue;
mod restore;
mod run;
mod snapshot;
mod state;
mod statistics;
mod table;
mod tree;
pub mod vfs;
mod view;

pub use compaction::Reaper;
pub use compression::Compression;
pub use engine::Lsm;
pub use inspect::{
    Facts, Inspection, Keys, Leftover, ManifestSummary, Owner, Problem, Progress, SegmentFacts,
    SegmentSummary, Start, TableSummary, Tally, Verification, inspect, verify,
};
pub use options::Options;
pub use picker::Shape;
pub use pressure::{Bound, Bounds};
pub use quarantine::DamagedRange;
pub use snapshot::{Range, Snapshot};
pub use statistics::Statistics;
pub use table::TableShape;
pub use tree::Tree;

/// What one memtable or table knows of a key.
#[derive(Clone, Debug, PartialEq)]
enum Found {
    /// Its value.
    Value(Bytes),
    /// A tombstone: what is older must not be asked.
    Removed,
}

impl Found {
    fn value(self) -> Option<Bytes> {
        match self {
            Found::Value(value) => Some(value),
            Found::Removed => None,
        }
    }
}

impl From<Option<Bytes>> for Found {
    fn from(value: Option<Bytes>) -> Found {
        value.map_or(Found::Removed, Found::Value)
    }
}
