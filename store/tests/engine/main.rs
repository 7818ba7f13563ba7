//! The engine from outside: its laws, what it makes of damage, and what a killed writer leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use store::Sync;
use store::engine::{Batch, Durable, Engine, EngineError, Options};

mod damage;
mod kill;
mod laws;

/// Longer than any write takes; reached only when one is never answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// Small enough for a handful of writes to flush and merge.
const TINY: Options = Options { sync: Sync::Always, memtable_bytes: 600, tables_max: 2 };

fn open(path: &Path, options: Options) -> Durable {
    Durable::open(path, options).unwrap()
}

fn batch(entries: &[(&str, Option<&str>)]) -> Batch {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Batch { entries: entries.iter().map(|(key, value)| (bytes(key), value.map(bytes))).collect() }
}

/// Writes, and waits for the answer.
fn write(engine: &Durable, batch: Batch) -> Result<(), EngineError> {
    let (told, answer) = mpsc::channel();
    engine.write(batch, Box::new(move |result| told.send(result).unwrap()));
    answer.recv_timeout(PATIENCE).expect("an answer within patience")
}

fn put(engine: &Durable, key: &str, value: &str) {
    write(engine, batch(&[(key, Some(value))])).unwrap();
}

/// Everything it holds.
fn all(engine: &Durable) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
    engine.scan(b"", usize::MAX)
}
