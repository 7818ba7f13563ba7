//! Writes a table from first key to last, once: `create add* finish`.
//!
//! A flush and a compaction both end here. Bytes go to the file in large pieces; nothing is read back.
//! A block is cut when the next key is known, so that its separator can be short; a partition is cut
//! only between blocks. Until [`finish`](TableWriter::finish) returns, the file is no table: whoever
//! fails in between removes it.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::super::compression::{Compression, Packer};
use super::super::filter;
use super::block::BlockBuilder;
use super::facts::TableFacts;
use super::format::{FOOTER_BYTES, Footer, MAGIC, Place, Properties, length_u32, seal};
use super::guide;
use super::index::{IndexBuilder, separator};
use crate::engine::EngineError;
use crate::lsm::vfs::{Vfs, VfsFile};

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 512 << 10;

/// How a table is cut and packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableShape {
    /// Length at which a data block ends, before compression. What is read for one key.
    pub block_bytes: usize,
    /// Length of data at which a partition ends, before compression. Its guide, which is read before
    /// the block where it is not cached, is about a fiftieth of it.
    pub partition_bytes: usize,
    /// How blocks are compressed.
    pub compression: Compression,
}

impl Default for TableShape {
    fn default() -> TableShape {
        TableShape {
            block_bytes: 4 << 10,
            partition_bytes: 256 << 10,
            compression: Compression::Lz4,
        }
    }
}

/// A table, while it is written.
#[derive(Debug)]
pub(crate) struct TableWriter {
    file: Arc<dyn VfsFile>,
    path: PathBuf,
    number: u64,
    shape: TableShape,
    packer: Packer,
    /// What stands in `buffer` is not yet in the file, whose length is `written`.
    buffer: Vec<u8>,
    written: u64,
    block: BlockBuilder,
    partition: Partition,
    top: IndexBuilder,
    properties: Properties,
}

/// The partition being written.
#[derive(Debug, Default)]
struct Partition {
    /// Of all its keys.
    hashes: Vec<u64>,
    index: IndexBuilder,
    /// Length of its data, before compression.
    bytes: usize,
    /// Its guide; the memory is kept.
    guide: Vec<u8>,
}

impl TableWriter {
    /// Begins the table `number` in a new file at `path`.
    pub(crate) fn create(
        vfs: &dyn Vfs,
        path: PathBuf,
        number: u64,
        shape: TableShape,
    ) -> Result<TableWriter, EngineError> {
        let file = vfs.create(&path).map_err(EngineError::io("create", &path))?;
        let mut buffer = Vec::with_capacity(BUFFER_BYTES + 2 * shape.block_bytes);
        buffer.extend(MAGIC);
        Ok(TableWriter {
            file,
            path,
            number,
            shape,
            packer: Packer::new(shape.compression),
            buffer,
            written: 0,
            block: BlockBuilder::default(),
            partition: Partition::default(),
            top: IndexBuilder::default(),
            properties: Properties::default(),
        })
    }

    /// Adds a key with its value, or `None` where it was removed.
    ///
    /// *Panics* if the key is not above the one before.
    pub(crate) fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), EngineError> {
        if self.properties.entries == 0 {
            self.properties.smallest = key.to_vec();
        } else {
            assert!(key > &self.properties.largest[..], "the keys of a table ascend");
            self.cut_before(key)?;
        }
        self.block.add(key, value);
        self.partition.hashes.push(filter::hash(key));
        self.count(key, value);
        Ok(())
    }

    /// How long the file would be by now, the open block not yet compressed.
    pub(crate) fn bytes_written(&self) -> u64 {
        let open = if self.block.is_empty() { 0 } else { self.block.len() };
        self.offset() + open as u64
    }

    /// Writes what is missing, and makes the file durable; its name is durable once its directory is
    /// synced.
    ///
    /// *Panics* if nothing was added: there is no empty table.
    pub(crate) fn finish(mut self) -> Result<TableFacts, EngineError> {
        assert!(self.properties.entries > 0, "a table holds something");
        let largest = std::mem::take(&mut self.properties.largest);
        self.end_block(&largest);
        self.end_partition(&largest);
        self.properties.largest = largest;
        self.end_table();
        self.write_out()?;
        self.file.sync().map_err(EngineError::io("sync", &self.path))?;
        Ok(TableFacts {
            number: self.number,
            bytes: self.written,
            entries: self.properties.entries,
            tombstones: self.properties.tombstones,
            smallest: Bytes::from(self.properties.smallest),
            largest: Bytes::from(self.properties.largest),
        })
    }

    fn count(&mut self, key: &[u8], value: Option<&[u8]>) {
        let properties = &mut self.properties;
        properties.entries += 1;
        properties.tombstones += u64::from(value.is_none());
        properties.key_bytes += key.len() as u64;
        properties.value_bytes += value.map_or(0, <[u8]>::len) as u64;
        properties.largest.clear();
        properties.largest.extend_from_slice(key);
    }

    /// Ends block and partition where they are long enough, `next` being the key that follows.
    fn cut_before(&mut self, next: &[u8]) -> Result<(), EngineError> {
        if self.block.len() < self.shape.block_bytes {
            return Ok(());
        }
        let separator = separator(self.block.last(), next).to_vec();
        self.end_block(&separator);
        if self.partition.bytes >= self.shape.partition_bytes {
            self.end_partition(&separator);
        }
        if self.buffer.len() >= BUFFER_BYTES { self.write_out() } else { Ok(()) }
    }

    fn end_block(&mut self, separator: &[u8]) {
        let offset = self.offset();
        let payload = self.block.finish();
        self.partition.bytes += payload.len();
        let place = append(&mut self.buffer, &mut self.packer, payload, self.number, offset);
        self.partition.index.add(separator, place);
        self.block.clear();
    }

    fn end_partition(&mut self, separator: &[u8]) {
        let offset = self.offset();
        let partition = &mut self.partition;
        partition.guide.clear();
        guide::build(&partition.hashes, &mut partition.index, &mut partition.guide);
        let guide = &partition.guide;
        let place = append(&mut self.buffer, &mut self.packer, guide, self.number, offset);
        self.top.add(separator, place);
        partition.hashes.clear();
        partition.bytes = 0;
    }

    fn end_table(&mut self) {
        let mut top = Vec::new();
        self.top.finish(&mut top);
        let offset = self.offset();
        let top = append(&mut self.buffer, &mut self.packer, &top, self.number, offset);
        let (offset, properties) = (self.offset(), self.properties.encode());
        let properties =
            append(&mut self.buffer, &mut self.packer, &properties, self.number, offset);
        let footer = Footer {
            top_bytes: top.length,
            properties_bytes: properties.length,
            number: self.number,
        };
        let footer = footer.encode(self.offset());
        assert_eq!(footer.len(), FOOTER_BYTES, "readers look for it from the end");
        self.buffer.extend(footer);
    }

    /// Where the next byte will stand in the file.
    fn offset(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn write_out(&mut self) -> Result<(), EngineError> {
        let written = self.file.write_at(&self.buffer, self.written);
        written.map_err(EngineError::io("write", &self.path))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// Appends a block to what will be written from `offset` on; says where it will stand.
fn append(
    buffer: &mut Vec<u8>,
    packer: &mut Packer,
    payload: &[u8],
    number: u64,
    offset: u64,
) -> Place {
    let begin = buffer.len();
    let compression = packer.pack(payload, buffer);
    seal(buffer, begin, compression, number, offset);
    Place { offset, length: length_u32(buffer.len() - begin) }
}
