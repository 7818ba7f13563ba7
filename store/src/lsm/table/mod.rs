//! A sorted table: entries in key order in one file that never changes.
//!
//! ```text
//! top (in memory) -> guide: filter, index (cached) -> data block (cached) -> entry
//! ```
//!
//! Of an open table only the top index stays in memory: one short key for each 256 KiB of data. A
//! look-up goes down three steps, each a bisection: the top names the partition, whose guide either
//! says that the key is absent or names the block that has it. Guides and blocks come from the cache,
//! or with one read each. The layout is drawn in [`format`].
//!
//! What is read is checked before it is used, and a guide or block that is wrong is reported to the
//! [`Quarantine`] with the keys it may have held: the reader gets an error, never data, and never
//! "not found".
//! Source: Chang et al., "Bigtable", OSDI 2006, §4 (SSTables) and §6 (caches, Bloom filters).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::Found;
use super::cache::BlockCache;
use super::compression::{Compression, unpack};
use super::levels::Placed;
use super::quarantine::{DamagedRange, Quarantine};
use super::vfs::VfsFile;
use crate::engine::EngineError;

mod audit;
mod block;
mod cursor;
mod facts;
mod format;
mod guide;
mod index;
mod open;
#[cfg(test)]
mod tests;
mod warm;
mod writer;

pub(crate) use cursor::{Access, TableCursor};
pub(crate) use facts::TableFacts;
pub use writer::TableShape;
pub(crate) use writer::TableWriter;

use format::{MAGIC, Place, unseal};
use guide::Guide;
use index::Index;

/// What all tables of an engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Blocks read lately.
    pub(crate) blocks: BlockCache,
    /// Guides read lately: apart, for a look-up that must read both costs twice one that has its guide,
    /// and there are fifty times fewer of them.
    pub(crate) guides: BlockCache,
    /// Blocks that were found damaged.
    pub(crate) quarantine: Quarantine,
}

impl Shared {
    /// With so much memory for blocks, and for guides.
    pub(crate) fn new(block_bytes: usize, guide_bytes: usize) -> Shared {
        Shared {
            blocks: BlockCache::new(block_bytes as u64),
            guides: BlockCache::new(guide_bytes as u64),
            quarantine: Quarantine::default(),
        }
    }
}

/// A table, open for reading.
#[derive(Debug)]
pub(crate) struct Table {
    /// Held open: the file may lose its name while somebody still reads it.
    file: Arc<dyn VfsFile>,
    path: PathBuf,
    facts: TableFacts,
    /// Payload of the top index, found sound; or why nothing leads into the table.
    top: Result<Bytes, EngineError>,
    shared: Arc<Shared>,
}

/// The keys a block may hold: those above `after`, up to `to`.
#[derive(Clone, Copy, Debug)]
struct KeyRange<'a> {
    after: Option<&'a [u8]>,
    to: &'a [u8],
}

impl Placed for Table {
    fn facts(&self) -> &TableFacts {
        &self.facts
    }
}

impl Table {
    /// Its facts, as they were when it was written.
    pub(crate) fn facts(&self) -> &TableFacts {
        &self.facts
    }

    /// Where it reports what it finds damaged.
    pub(crate) fn quarantine(&self) -> &Quarantine {
        &self.shared.quarantine
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with its ends, if none of its entries can be reached.
    pub(crate) fn damage(&self) -> Option<&EngineError> {
        self.top.as_ref().err()
    }

    /// What it knows of `key`, if anything; `hash` is the [`filter`](super::filter)'s of the key.
    pub(crate) fn get(&self, key: &[u8], hash: u64) -> Result<Option<Found>, EngineError> {
        if key < self.facts.smallest {
            return Ok(None);
        }
        if let Some(damage) = self.damage() {
            return if key > self.facts.largest { Ok(None) } else { Err(damage.clone()) };
        }
        let Some(partition) = self.top().find(key) else { return Ok(None) };
        let guide = self.guide(partition)?;
        if !guide.may_hold(hash) {
            return Ok(None);
        }
        let Some(at) = guide.index().find(key) else { return Ok(None) };
        let block = self.block(partition, &guide, at)?;
        match block::find(&block, key) {
            Ok(found) => Ok(found),
            Err(block::Malformed) => Err(self.malformed(partition, &guide, at)),
        }
    }

    /// A cursor over its entries, which stands nowhere yet.
    pub(crate) fn cursor(self: &Arc<Table>, access: Access) -> TableCursor {
        TableCursor::new(Arc::clone(self), access)
    }

    fn top(&self) -> Index<'_> {
        let top = self.top.as_ref().expect("nobody looks into a table whose ends are damaged");
        Index::new(top).expect("looked at when the table was opened")
    }

    /// Where the first data block of a partition begins.
    fn partition_begin(&self, partition: usize) -> u64 {
        partition.checked_sub(1).map_or(MAGIC.len() as u64, |before| {
            self.top().place(before).end().expect("looked at when the table was opened")
        })
    }

    /// The guide of a partition, from the cache or the disk.
    fn guide(&self, partition: usize) -> Result<Guide, EngineError> {
        let place = self.top().place(partition);
        if let Some(payload) = self.shared.guides.get(self.facts.number, place.offset) {
            return Ok(Guide::new(payload).expect("looked at before it was cached"));
        }
        let guide = self.guide_from_disk(partition)?;
        self.shared.guides.insert(self.facts.number, place.offset, guide.payload());
        Ok(guide)
    }

    fn guide_from_disk(&self, partition: usize) -> Result<Guide, EngineError> {
        let (place, keys) = (self.top().place(partition), self.partition_keys(partition));
        let payload = self.read_block(place).map_err(|why| self.refuse(place, keys, why))?;
        let guide = Guide::new(payload).filter(|guide| self.leads(guide, partition));
        guide.ok_or_else(|| {
            self.refuse(place, keys, Wrong::Bytes("the partition's filter or index is wrong"))
        })
    }

    /// Whether a guide, just read, leads through just this partition.
    fn leads(&self, guide: &Guide, partition: usize) -> bool {
        let (index, keys) = (guide.index(), self.partition_keys(partition));
        let (begin, end) = (self.partition_begin(partition), self.top().place(partition).offset);
        index.is_sound(begin, end, false)
            && index.key(index.len() - 1) == keys.to
            && keys.after.is_none_or(|after| index.key(0) > after)
    }

    /// A data block, from the cache or the disk, kept for the next reader.
    fn block(&self, partition: usize, guide: &Guide, at: usize) -> Result<Bytes, EngineError> {
        let place = guide.index().place(at);
        if let Some(block) = self.shared.blocks.get(self.facts.number, place.offset) {
            return Ok(block);
        }
        self.block_uncached(partition, guide, at)
    }

    /// A data block that was just not in the cache, kept there for the next reader.
    fn block_uncached(
        &self,
        partition: usize,
        guide: &Guide,
        at: usize,
    ) -> Result<Bytes, EngineError> {
        let block = self.block_from_disk(partition, guide, at)?;
        let offset = guide.index().place(at).offset;
        self.shared.blocks.insert(self.facts.number, offset, block.clone());
        Ok(block)
    }

    fn block_from_disk(
        &self,
        partition: usize,
        guide: &Guide,
        at: usize,
    ) -> Result<Bytes, EngineError> {
        let place = guide.index().place(at);
        let read = self.read_block(place);
        read.map_err(|why| self.refuse(place, self.block_keys(partition, guide, at), why))
    }

    /// The error for a block whose checksum is right and whose entries are not.
    fn malformed(&self, partition: usize, guide: &Guide, at: usize) -> EngineError {
        let why = Wrong::Bytes("the block is not made of entries");
        self.refuse(guide.index().place(at), self.block_keys(partition, guide, at), why)
    }

    fn partition_keys(&self, partition: usize) -> KeyRange<'_> {
        let top = self.top();
        KeyRange { after: top.key_before(partition), to: top.key(partition) }
    }

    fn block_keys<'a>(&'a self, partition: usize, guide: &'a Guide, at: usize) -> KeyRange<'a> {
        let before = guide.index().key_before(at);
        let after = before.or_else(|| self.partition_keys(partition).after);
        KeyRange { after, to: guide.index().key(at) }
    }

    fn read_block(&self, place: Place) -> Result<Bytes, Wrong> {
        let bytes = read(&*self.file, place.offset, place.length as usize)?;
        open_block(&Bytes::from(bytes), self.facts.number, place.offset)
    }

    /// Reports a damaged block, and makes the error that its reader gets.
    fn refuse(&self, place: Place, keys: KeyRange<'_>, why: Wrong) -> EngineError {
        if matches!(why, Wrong::Bytes(_)) {
            self.report(place.offset, keys);
        }
        why.at(&self.path, place.offset)
    }

    /// Tells the quarantine that what stands at `offset` is damaged, and what keys it may have held.
    fn report(&self, offset: u64, keys: KeyRange<'_>) {
        self.shared.quarantine.report(DamagedRange {
            table: self.facts.number,
            path: self.path.clone(),
            offset,
            after: keys.after.map(Bytes::copy_from_slice),
            to: Bytes::copy_from_slice(keys.to),
            released: false,
        });
    }
}

/// Why a block is not to be had.
#[derive(Debug)]
enum Wrong {
    /// The disk gave other bytes than were written: this is damage, and stays.
    Bytes(&'static str),
    /// The system refused to read, which may pass.
    System(std::io::Error),
}

impl Wrong {
    /// The error for readers of what stands at `offset` of `path`.
    fn at(self, path: &Path, offset: u64) -> EngineError {
        match self {
            Wrong::Bytes(message) => EngineError::damaged(path, offset, message),
            Wrong::System(error) => EngineError::io("read", path)(error),
        }
    }
}

/// Reads `length` bytes. *Requires* a length that was compared with the file's.
fn read(file: &dyn VfsFile, offset: u64, length: usize) -> Result<Vec<u8>, Wrong> {
    let mut bytes = vec![0; length];
    match file.read_at(&mut bytes, offset) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(Wrong::Bytes("the table ends too early"))
        }
        Err(error) => Err(Wrong::System(error)),
    }
}

/// The payload of a block that stood at `offset` of table `number`, checked and unpacked; a share of
/// `block` where it was not compressed.
fn open_block(block: &Bytes, number: u64, offset: u64) -> Result<Bytes, Wrong> {
    let (compression, payload) = unseal(block, number, offset).map_err(Wrong::Bytes)?;
    if compression == Compression::None {
        return Ok(block.slice(..payload.len()));
    }
    let unpacked = unpack(compression, payload).map(Bytes::from);
    unpacked.ok_or(Wrong::Bytes("the block cannot be decompressed"))
}
