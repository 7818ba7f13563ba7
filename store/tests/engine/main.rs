//! The engine from outside: its laws, what it makes of damage, and what a killed writer leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use store::Sync;
use store::engine::{Batch, Engine, EngineError};
use store::lsm::{Bound, Bounds, Compression, Lsm, Options, Shape, TableShape};

mod beside;
mod by_hand;
mod crash;
mod damage;
mod faults;
mod hostile;
mod kill;
mod laws;
mod repair;
mod steps;

/// Longer than any write takes; reached only when one is never answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// So small that a few writes go through every kind of step.
fn tiny(sync: Sync) -> Options {
    Options {
        sync,
        memtable_bytes: 1_500,
        table: TableShape { block_bytes: 128, partition_bytes: 512, compression: Compression::Lz4 },
        shape: Shape { level0_trigger: 2, level1_bytes: 1_500, fanout: 2, table_bytes: 600 },
        ..Options::default()
    }
}

fn open(path: &Path, options: Options) -> Lsm {
    Lsm::open(path, options).unwrap()
}

fn batch(entries: &[(&str, Option<&str>)]) -> Batch {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Batch { entries: entries.iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect() }
}

/// Writes, and waits for the answer.
fn write(engine: &Lsm, batch: Batch) -> Result<(), EngineError> {
    let (told, answer) = mpsc::channel();
    engine.write(batch, Box::new(move |result| told.send(result).unwrap()));
    answer.recv_timeout(PATIENCE).expect("an answer within patience")
}

fn put(engine: &Lsm, key: &str, value: &str) {
    write(engine, batch(&[(key, Some(value))])).unwrap();
}

/// Everything it holds.
fn all(engine: &Lsm) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
    engine.scan(b"", usize::MAX)
}
