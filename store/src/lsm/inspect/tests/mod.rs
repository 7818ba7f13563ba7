//! Inspection and verification of a small directory, sound and damaged in every way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::super::compression::Compression;
use super::super::options::Options;
use super::super::picker::Shape;
use super::super::pressure::{Bound, Bounds};
use super::super::table::TableShape;
use super::super::tree::Tree;
use super::super::vfs::ModelDisk;
use super::{Inspection, Verification, inspect, verify};
use crate::config::Sync;
use crate::engine::{Batch, EngineError};

mod busy;
mod laws;
mod told;

fn at() -> &'static Path {
    Path::new("data")
}

fn file(name: &str) -> PathBuf {
    at().join(name)
}

fn table(number: u64) -> PathBuf {
    file(&format!("table-{number:020}"))
}

fn log(number: u64) -> PathBuf {
    file(&format!("log-{number:020}"))
}

fn tiny() -> Options {
    tiny_with(Sync::Always)
}

/// So small that a few writes make several tables, each of several partitions.
///
/// Nobody flushes meanwhile, so nobody is held back.
fn tiny_with(sync: Sync) -> Options {
    let never = Bound { slow: 1_000, stop: 2_000 };
    Options {
        sync,
        memtable_bytes: 1_500,
        table: TableShape { block_bytes: 128, partition_bytes: 300, compression: Compression::Lz4 },
        shape: Shape { level0_trigger: 2, level1_bytes: 1_500, fanout: 2, table_bytes: 600 },
        bounds: Bounds { frozen: never, level0: never, ..Bounds::default() },
        ..Options::default()
    }
}

fn put(tree: &Tree, round: u32, key: u32) {
    let value = (key % 5 != round).then(|| Bytes::from(format!("value {key} of {round}")));
    let entries = vec![(Bytes::from(format!("dkv\0key-{key:03}")), value)];
    tree.commit(Batch { entries }).unwrap();
}

/// Merged tables on two levels, flushed ones on level 0, two segments of log; ended in order.
fn example() -> ModelDisk {
    let (disk, tree) = worked(Sync::Always);
    tree.finish().unwrap();
    disk
}

/// The same of an engine that was killed, and had promised no sync.
fn unsynced() -> ModelDisk {
    worked(Sync::Never).0
}

fn worked(sync: Sync) -> (ModelDisk, Tree) {
    let disk = ModelDisk::new();
    let tree = Tree::open(Arc::new(disk.clone()), at(), tiny_with(sync)).unwrap();
    for round in 0..3 {
        for key in 0..40 {
            put(&tree, round, key * 7 % 40);
            while tree.flush_one().unwrap() || (round < 2 && tree.compact_one().unwrap()) {}
        }
    }
    for key in 0..40 {
        put(&tree, 3, key);
    }
    (disk, tree)
}

/// The same disk again, to be spoiled.
fn copy(disk: &ModelDisk) -> ModelDisk {
    ModelDisk::from_files(disk.files())
}

fn inspected(disk: &ModelDisk) -> Inspection {
    inspect(Arc::new(disk.clone()), at()).unwrap()
}

fn verified(disk: &ModelDisk) -> Verification {
    verify(Arc::new(disk.clone()), at(), &mut |_| ()).unwrap()
}

/// What a start says, on a copy.
fn started(disk: &ModelDisk) -> Result<(), EngineError> {
    Tree::open(Arc::new(copy(disk)), at(), tiny()).map(|_| ())
}

/// A copy without one file.
fn without(disk: &ModelDisk, path: &Path) -> ModelDisk {
    assert!(disk.files().iter().any(|(found, _)| found == path), "{}", path.display());
    ModelDisk::from_files(disk.files().into_iter().filter(|(found, _)| found != path))
}

/// A copy with another file.
fn with(disk: &ModelDisk, path: &Path, bytes: &[u8]) -> ModelDisk {
    ModelDisk::from_files(disk.files().into_iter().chain([(path.to_owned(), bytes.to_vec())]))
}
