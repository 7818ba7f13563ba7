//! Which files count: the tables, newest first, and the oldest log segment not yet in one.
//!
//! It is replaced as a whole, so that a flush or a merge happens in one step: before it the old
//! files count, after it the new. Files it does not name are leftovers of a step that a crash cut off.

use std::fs;
use std::io::Write;

use bytes::{Buf, BufMut};

use super::EngineError;
use super::directory::Directory;
use super::format::{MANIFEST_MAGIC, seal, unseal};

/// Which files count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The number the next table will have.
    pub(super) next_table: u64,
    /// The oldest segment with writes that no table has.
    pub(super) oldest_log: u64,
    /// Newest first.
    pub(super) tables: Vec<u64>,
}

impl Manifest {
    /// Of an engine that has never flushed.
    pub(super) fn fresh() -> Manifest {
        Manifest { next_table: 1, oldest_log: 1, tables: Vec::new() }
    }

    /// Reads it; `None` where there is none.
    pub(super) fn load(directory: &Directory) -> Result<Option<Manifest>, EngineError> {
        let path = directory.manifest();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EngineError::io("read", &path)(error)),
        };
        let damaged = || EngineError::damaged(&path, 0, "the manifest's checksum does not match");
        Manifest::decode(&bytes).map(Some).ok_or_else(damaged)
    }

    /// Puts it in place of the one before.
    pub(super) fn store(&self, directory: &Directory) -> Result<(), EngineError> {
        let path = directory.manifest();
        directory.publish(&path, |file| {
            file.write_all(&self.encode()).map_err(EngineError::io("write", &path))
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MANIFEST_MAGIC.to_vec();
        out.put_u64_le(self.next_table);
        out.put_u64_le(self.oldest_log);
        for &table in &self.tables {
            out.put_u64_le(table);
        }
        seal(&mut out, 0);
        out
    }

    fn decode(bytes: &[u8]) -> Option<Manifest> {
        let mut input = unseal(bytes)?.strip_prefix(&MANIFEST_MAGIC)?;
        let next_table = input.try_get_u64_le().ok()?;
        let oldest_log = input.try_get_u64_le().ok()?;
        let (tables, []) = input.as_chunks::<8>() else { return None };
        let tables = tables.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        Some(Manifest { next_table, oldest_log, tables })
    }
}
