//! A sorted table: entries in key order in one file that never changes.
//!
//! Entries stand in blocks, each with its checksum; a sparse index holds the first key of each block
//! in memory, so that a look-up reads one block. The layout is drawn in [`format`](super::format).
//! Source: Chang et al., "Bigtable", OSDI 2006, §4 (SSTables).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};

use super::format::{EntryRef, FOOTER_BYTES, TABLE_MAGIC, take_entry, take_string, unseal};
use super::{EngineError, Entry, Found};

mod writer;

/// A table, open for reading.
#[derive(Debug)]
pub(super) struct Table {
    number: u64,
    file: File,
    path: PathBuf,
    /// Blocks in order; their first keys ascend.
    index: Vec<Block>,
}

/// Where a block is. Checked on open to lie between the table's header and its index.
#[derive(Debug)]
struct Block {
    first_key: Bytes,
    offset: u64,
    length: usize,
}

impl Table {
    /// Opens the table `number` at `path`, reading its footer and index.
    pub(super) fn open(path: PathBuf, number: u64) -> Result<Table, EngineError> {
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (length, file) = opened.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => EngineError::damaged(&path, 0, "the table is missing"),
            _ => EngineError::io("open", &path)(error),
        })?;
        let mut table = Table { number, file, path, index: Vec::new() };
        table.index = table.read_index(length)?;
        Ok(table)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What it knows of `key`, if anything.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Found>, EngineError> {
        let after = self.index.partition_point(|block| block.first_key <= key);
        let Some(block) = after.checked_sub(1).map(|at| &self.index[at]) else { return Ok(None) };
        let body = self.read_block(block)?;
        let mut input = &body[..];
        while !input.is_empty() {
            let (other, value) = self.take_entry(&mut input, block)?;
            if other == key {
                return Ok(Some(value.map(Bytes::copy_from_slice).into()));
            }
        }
        Ok(None)
    }

    /// Entries with keys at or after `from`, ascending; after an error none.
    pub(super) fn range(
        &self,
        from: &[u8],
    ) -> impl Iterator<Item = Result<Entry, EngineError>> + '_ {
        let from = Bytes::copy_from_slice(from);
        let begin = self.index.partition_point(|block| block.first_key <= from).saturating_sub(1);
        let mut broken = false;
        let blocks = self.index[begin..].iter().map_while(move |block| {
            let entries = (!broken).then(|| self.entries(block))?;
            broken = entries.is_err();
            Some(entries)
        });
        let entries = blocks.flat_map(|entries| match entries {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        });
        entries.skip_while(move |entry| matches!(entry, Ok((key, _)) if *key < from))
    }

    fn read_index(&self, length: u64) -> Result<Vec<Block>, EngineError> {
        let damaged = |offset, message| EngineError::damaged(&self.path, offset, message);
        let footer_offset = length
            .checked_sub(FOOTER_BYTES as u64)
            .ok_or_else(|| damaged(0, "the table is too short"))?;
        if self.read(0, TABLE_MAGIC.len())? != TABLE_MAGIC {
            return Err(damaged(0, "this is no table of this version"));
        }
        let footer = self.read(footer_offset, FOOTER_BYTES)?;
        let (index_offset, index_length) = decode_footer(&footer)
            .filter(|&(offset, length)| offset.checked_add(length) == Some(footer_offset))
            .ok_or_else(|| damaged(footer_offset, "the table's footer is wrong"))?;
        let index = self.read(index_offset, index_length as usize)?;
        unseal(&index)
            .and_then(|index| decode_index(index, index_offset))
            .ok_or_else(|| damaged(index_offset, "the table's index is wrong"))
    }

    fn entries(&self, block: &Block) -> Result<Vec<Entry>, EngineError> {
        let body = self.read_block(block)?;
        let (mut input, mut entries) = (&body[..], Vec::new());
        while !input.is_empty() {
            let (key, value) = self.take_entry(&mut input, block)?;
            entries.push((Bytes::copy_from_slice(key), value.map(Bytes::copy_from_slice)));
        }
        Ok(entries)
    }

    fn take_entry<'a>(
        &self,
        input: &mut &'a [u8],
        block: &Block,
    ) -> Result<EntryRef<'a>, EngineError> {
        let damaged = "the block is not made of entries";
        take_entry(input).ok_or_else(|| EngineError::damaged(&self.path, block.offset, damaged))
    }

    /// The entries of a block, still encoded, after their checksum was found right.
    fn read_block(&self, block: &Block) -> Result<Vec<u8>, EngineError> {
        let mut bytes = self.read(block.offset, block.length)?;
        let damaged = "the block's checksum does not match";
        let body = unseal(&bytes)
            .ok_or_else(|| EngineError::damaged(&self.path, block.offset, damaged))?
            .len();
        bytes.truncate(body);
        Ok(bytes)
    }

    fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, EngineError> {
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, offset);
        read.map(|()| bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                EngineError::damaged(&self.path, offset, "the table ends too early")
            }
            _ => EngineError::io("read", &self.path)(error),
        })
    }
}

/// Offset and length of the index.
fn decode_footer(footer: &[u8]) -> Option<(u64, u64)> {
    let mut input = unseal(footer.strip_suffix(&TABLE_MAGIC)?)?;
    Some((input.try_get_u64_le().ok()?, input.try_get_u64_le().ok()?))
}

/// Blocks that fill the file from the header to the index without a gap.
fn decode_index(mut input: &[u8], index_offset: u64) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut next_offset = TABLE_MAGIC.len() as u64;
    while !input.is_empty() {
        let first_key = Bytes::copy_from_slice(take_string(&mut input)?);
        let offset = input.try_get_u64_le().ok()?;
        let length = input.try_get_u32_le().ok()?;
        if offset != next_offset {
            return None;
        }
        next_offset += u64::from(length);
        blocks.push(Block { first_key, offset, length: length as usize });
    }
    (next_offset == index_offset).then_some(blocks)
}
