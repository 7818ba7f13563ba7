//! A tree stepped by hand on a modelled disk, and the map it must equal.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use store::lsm::Tree;
use store::lsm::vfs::{ModelDisk, Vfs};

use super::*;

/// What a tree holds.
pub(super) type Map = BTreeMap<Bytes, Bytes>;

/// Where on the modelled disk.
pub(super) const DIRECTORY: &str = "/data";

/// Steps are taken by hand: nobody would end a wait.
pub(super) fn by_hand(sync: Sync) -> Options {
    let never = Bound { slow: usize::MAX - 1, stop: usize::MAX };
    Options { bounds: Bounds { frozen: never, level0: never, ..Bounds::default() }, ..tiny(sync) }
}

pub(super) fn open_by_hand(disk: &ModelDisk, options: Options) -> Result<Tree, EngineError> {
    Tree::open(Arc::new(disk.clone()), Path::new(DIRECTORY), options)
}

/// A key of `keys` there are.
pub(super) fn key(number: usize) -> Bytes {
    Bytes::from(format!("key{number:02}"))
}

/// One to three keys put or removed; values hardly compress.
pub(super) fn random_batch(rng: &mut ChaCha8Rng, keys: usize) -> Batch {
    let entry = |rng: &mut ChaCha8Rng| {
        let length = rng.random_range(0..60);
        let value: Bytes = (0..length).map(|_| rng.random_range(b'!'..b'~')).collect();
        (key(rng.random_range(0..keys)), rng.random_bool(0.8).then_some(value))
    };
    Batch { entries: (0..rng.random_range(1..4)).map(|_| entry(rng)).collect() }
}

/// `map` after `batch`.
pub(super) fn with(map: &Map, batch: &Batch) -> Map {
    let mut map = map.clone();
    for (key, value) in &batch.entries {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
    map
}

/// Merges until there is nothing to merge. *Panics* where that never comes.
pub(super) fn merge_all(tree: &Tree) -> Result<(), EngineError> {
    for _ in 0..1_000 {
        if !tree.compact_one()? {
            return Ok(());
        }
    }
    panic!("merges without an end: {:?}", tree.statistics());
}

/// The names of the files whose names begin so.
pub(super) fn names(disk: &ModelDisk, prefix: &str) -> Vec<String> {
    let mut names = disk.list(Path::new(DIRECTORY)).unwrap();
    names.retain(|name| name.starts_with(prefix));
    names
}
