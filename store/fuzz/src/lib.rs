//! Files made of anything, beside good ones: opened, read in every way, merged. Nothing may panic.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd store && cargo +nightly fuzz run log -- -max_total_time=300      (or: table, manifest)
//! ```
//!
//! A fuzzer cannot guess a checksum. Where the first byte of an input is odd, `log` and `manifest` seal
//! what follows as an engine would have, so that the readers behind the checksum are reached too.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use store::Sync;
use store::engine::Batch;
use store::lsm::vfs::ModelDisk;
use store::lsm::{Bound, Bounds, Compression, Options, Shape, TableShape, Tree};

const DIRECTORY: &str = "/data";

fn options() -> Options {
    let never = Bound { slow: usize::MAX - 1, stop: usize::MAX };
    Options {
        sync: Sync::Never,
        memtable_bytes: 2_000,
        table: TableShape { block_bytes: 128, partition_bytes: 384, compression: Compression::Lz4 },
        shape: Shape { level0_trigger: 2, level1_bytes: 1_500, fanout: 2, table_bytes: 1_300 },
        bounds: Bounds { frozen: never, level0: never, ..Bounds::default() },
        ..Options::default()
    }
}

fn open(disk: &ModelDisk) -> Result<Tree, store::engine::EngineError> {
    Tree::open(Arc::new(disk.clone()), Path::new(DIRECTORY), options())
}

fn key(number: usize) -> Bytes {
    Bytes::from(format!("key{:02}", number % 40))
}

/// A good directory: some tables, a log with records.
pub static GOOD: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
    let disk = ModelDisk::new();
    let tree = open(&disk).expect("a new directory opens");
    for number in 0..150 {
        let value = (number % 5 > 0).then(|| Bytes::from(vec![b'v'; number % 50]));
        let entries = vec![(key(number * 7), value)];
        tree.commit(Batch { entries }).expect("a good disk takes it");
        while tree.flush_one().expect("a good disk takes it") {}
    }
    tree.finish().expect("a good disk takes it");
    disk.files()
});

/// Opens the good directory with `bytes` in place of the first file whose name contains `kind`, and
/// does everything with it that one can do.
pub fn try_with(kind: &str, bytes: &[u8]) {
    let mut files = GOOD.clone();
    let is_it = |(path, _): &&mut (PathBuf, Vec<u8>)| path.to_string_lossy().contains(kind);
    files.iter_mut().find(is_it).expect("the good directory has one").1 = bytes.to_vec();
    let disk = ModelDisk::from_files(files);
    for _ in 0..2 {
        let Ok(tree) = open(&disk) else { return };
        for number in 0..40 {
            let _read = tree.get(&key(number));
        }
        let _scanned = tree.scan(b"", 10_000);
        for _ in 0..20 {
            if !matches!(tree.compact_one(), Ok(true)) {
                break;
            }
        }
        let _written = tree.commit(Batch { entries: vec![(key(1), None)] });
        let _finished = tree.finish();
    }
}

/// The checksum of `bytes`, begun from `salt`.
pub fn crc(salt: u32, bytes: &[u8]) -> [u8; 4] {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize().to_le_bytes()
}
