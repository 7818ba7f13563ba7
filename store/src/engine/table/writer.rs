//! Writing a table: `(start add* finish)`, entries in ascending order, and only then is there a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use bytes::BufMut;

use super::Table;
use crate::engine::directory::Directory;
use crate::engine::format::{TABLE_MAGIC, put_entry, put_string, seal};
use crate::engine::{EngineError, Entry};

/// A block is closed once it is this long: what one look-up reads.
const BLOCK_BYTES: usize = 4096;

impl Table {
    /// Writes `entries` as table `number`, there for good when this returns, and opens it.
    ///
    /// *Requires* ascending keys.
    pub(in crate::engine) fn write(
        directory: &Directory,
        number: u64,
        entries: impl Iterator<Item = Result<Entry, EngineError>>,
    ) -> Result<Table, EngineError> {
        let path = directory.table(number);
        directory.publish(&path, |file| {
            let mut writer = Writer::start(file, &path)?;
            for entry in entries {
                writer.add(&entry?)?;
            }
            writer.finish()
        })?;
        Table::open(path, number)
    }
}

struct Writer<'a> {
    file: BufWriter<&'a mut File>,
    path: &'a Path,
    offset: u64,
    block: Vec<u8>,
    index: Vec<u8>,
    entries: u64,
}

impl<'a> Writer<'a> {
    fn start(file: &'a mut File, path: &'a Path) -> Result<Writer<'a>, EngineError> {
        let file = BufWriter::with_capacity(64 * 1024, file);
        let (block, index) = (Vec::new(), Vec::new());
        let mut writer = Writer { file, path, offset: 0, block, index, entries: 0 };
        writer.write(&TABLE_MAGIC)?;
        Ok(writer)
    }

    fn add(&mut self, (key, value): &Entry) -> Result<(), EngineError> {
        if self.block.is_empty() {
            put_string(&mut self.index, key);
            self.index.put_u64_le(self.offset);
        }
        put_entry(&mut self.block, key, value.as_deref());
        self.entries += 1;
        if self.block.len() < BLOCK_BYTES { Ok(()) } else { self.finish_block() }
    }

    fn finish_block(&mut self) -> Result<(), EngineError> {
        let mut block = std::mem::take(&mut self.block);
        seal(&mut block, 0);
        let length = u32::try_from(block.len());
        self.index
            .put_u32_le(length.expect("a block ends with the entry that made it long enough"));
        self.write(&block)?;
        block.clear();
        self.block = block;
        Ok(())
    }

    fn finish(mut self) -> Result<(), EngineError> {
        if !self.block.is_empty() {
            self.finish_block()?;
        }
        let mut end = std::mem::take(&mut self.index);
        seal(&mut end, 0);
        let (index_offset, index_length) = (self.offset, end.len() as u64);
        let footer = end.len();
        end.put_u64_le(index_offset);
        end.put_u64_le(index_length);
        end.put_u64_le(self.entries);
        seal(&mut end, footer);
        end.put_slice(&TABLE_MAGIC);
        self.write(&end)?;
        self.file.flush().map_err(EngineError::io("write", self.path))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        self.offset += bytes.len() as u64;
        self.file.write_all(bytes).map_err(EngineError::io("write", self.path))
    }
}
