//! Tables as a whole, on a disk that is a map.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::{Access, Shared, Table, TableFacts, TableShape, TableWriter};
use crate::engine::EngineError;
use crate::lsm::compression::Compression;
use crate::lsm::cursor::Cursor;
use crate::lsm::{Found, filter};

mod audit;
mod damage;
mod disk;
mod laws;
mod reads;

use disk::Disk;

/// Number of the table in most tests.
const NUMBER: u64 = 7;

type Model = BTreeMap<Vec<u8>, Option<Vec<u8>>>;
type Entry = (Vec<u8>, Option<Vec<u8>>);

fn path() -> PathBuf {
    PathBuf::from("7.table")
}

/// A small shape, so that small tables have many blocks and partitions.
fn small(compression: Compression) -> TableShape {
    TableShape { block_bytes: 100, partition_bytes: 400, compression }
}

/// A hundred and fifty keys, every seventh of them removed.
fn numbered() -> Model {
    let value = |n: u32| (n % 7 != 3).then(|| format!("value {n}").into_bytes());
    (0..150).map(|n| (format!("key {n:05}").into_bytes(), value(n))).collect()
}

fn write(disk: &Disk, model: &Model, shape: TableShape) -> TableFacts {
    let mut writer = TableWriter::create(disk, path(), NUMBER, shape).unwrap();
    for (key, value) in model {
        writer.add(key, value.as_deref()).unwrap();
    }
    writer.finish().unwrap()
}

fn shared(cache_bytes: usize) -> Arc<Shared> {
    Arc::new(Shared::new(cache_bytes, cache_bytes))
}

fn open(disk: &Disk, cache_bytes: usize) -> Result<Arc<Table>, EngineError> {
    Table::open(disk, path(), NUMBER, shared(cache_bytes)).map(Arc::new)
}

fn get(table: &Table, key: &[u8]) -> Result<Option<Found>, EngineError> {
    table.get(key, filter::hash(key))
}

fn found(value: Option<&Vec<u8>>) -> Found {
    value.map(|value| Bytes::copy_from_slice(value)).into()
}

/// All entries at or after `from`.
fn walk(table: &Arc<Table>, access: Access, from: &[u8]) -> Result<Vec<Entry>, EngineError> {
    let mut cursor = table.cursor(access);
    cursor.seek(from)?;
    let mut entries = Vec::new();
    while let Some((key, value)) = cursor.entry() {
        entries.push((key.to_vec(), value.map(<[u8]>::to_vec)));
        cursor.advance()?;
    }
    Ok(entries)
}

/// What [`walk`] should give.
fn expected(model: &Model, from: &[u8]) -> Vec<Entry> {
    model.range(from.to_vec()..).map(|(key, value)| (key.clone(), value.clone())).collect()
}
