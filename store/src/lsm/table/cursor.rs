//! A place in a table, for scans and for merges.
//!
//! Both walk entry by entry through blocks and partitions; they differ in where blocks come from. A
//! *scan* goes through the cache, as its blocks may be asked again, until it looks like a long one:
//! then the rest of the partition is read at once, past the cache, which would only lose what others
//! keep in it. A *merge* visits each block once and last: it reads whole partitions, and caches none.
//!
//! A merge may leave out a damaged block, or a table nothing leads into, whose range was repaired (see
//! [`quarantine`](crate::lsm::quarantine)); a scan never does.

use std::sync::Arc;

use bytes::Bytes;

use super::block::{BlockCursor, Malformed};
use super::guide::Guide;
use super::{Table, open_block, read};
use crate::engine::EngineError;
use crate::lsm::cursor::{Cursor, EntryRef};

/// So many blocks of a partition in a row that were not cached make a long scan.
const MISSES_MAX: usize = 2;

/// What a table is walked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// For a reader.
    Scan,
    /// For a table that will replace this one.
    Merge,
}

/// A place in a table.
#[derive(Debug)]
pub(crate) struct TableCursor {
    table: Arc<Table>,
    access: Access,
    /// The partition it is in, with its number; none before the first `seek` and past the end.
    partition: Option<(usize, Guide)>,
    /// The block it is in, by its number in the partition.
    block: usize,
    entries: BlockCursor,
    /// Part of the partition, read at once.
    run: Option<Run>,
    /// How many blocks were read one by one in this partition, one after another.
    misses: usize,
}

/// Bytes of a table from `offset` on.
#[derive(Debug)]
struct Run {
    offset: u64,
    bytes: Bytes,
}

impl TableCursor {
    pub(super) fn new(table: Arc<Table>, access: Access) -> TableCursor {
        let entries = BlockCursor::default();
        TableCursor { table, access, partition: None, block: 0, entries, run: None, misses: 0 }
    }

    /// Stands nowhere.
    fn leave(&mut self) {
        self.entries.leave();
        (self.partition, self.run, self.misses) = (None, None, 0);
    }

    /// Enters `partition`, or one behind it if it may be left out; stands in no block of it yet.
    fn enter(&mut self, mut partition: usize) -> Result<(), EngineError> {
        self.leave();
        while partition < self.table.top().len() {
            let guide = match self.access {
                Access::Scan => self.table.guide(partition),
                Access::Merge => self.table.guide_from_disk(partition),
            };
            if let Some(guide) = self.unless_released(guide)? {
                self.partition = Some((partition, guide));
                break;
            }
            partition += 1;
        }
        self.block = 0;
        Ok(())
    }

    /// Goes to the first entry of the block it is at, or of the first after it that has one.
    fn settle(&mut self) -> Result<(), EngineError> {
        while let Some((partition, guide)) = &self.partition {
            if self.block == guide.index().len() {
                let next = partition + 1;
                self.enter(next)?;
                continue;
            }
            self.load(BlockCursor::seek_first)?;
            if self.entries.stands() {
                break;
            }
            self.block += 1;
        }
        Ok(())
    }

    /// Loads the block it is at, and goes to where `place` says; nowhere if the block is left out.
    fn load(
        &mut self,
        place: impl FnOnce(&mut BlockCursor, Bytes) -> Result<(), Malformed>,
    ) -> Result<(), EngineError> {
        self.entries.leave();
        let Some((partition, guide)) = self.partition.clone() else { return Ok(()) };
        let block = self.fetch(partition, &guide);
        let placed = block.and_then(|block| {
            let placed = place(&mut self.entries, block);
            placed.map_err(|Malformed| self.table.malformed(partition, &guide, self.block))
        });
        self.unless_released(placed).map(|_| ())
    }

    /// `read`, or `None` where it failed on a damaged block that a merge may leave out.
    fn unless_released<T>(&self, read: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
        let quarantine = &self.table.shared.quarantine;
        match read {
            Err(EngineError::Damaged { offset, .. })
                if self.access == Access::Merge
                    && quarantine.is_released(self.table.facts.number, offset) =>
            {
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// The block it is at, from wherever is best.
    fn fetch(&mut self, partition: usize, guide: &Guide) -> Result<Bytes, EngineError> {
        let (at, number) = (self.block, self.table.facts.number);
        let place = guide.index().place(at);
        if self.access == Access::Scan {
            if let Some(block) = self.table.shared.blocks.get(number, place.offset) {
                self.misses = 0;
                return Ok(block);
            }
            if self.run.is_none() && self.misses < MISSES_MAX {
                self.misses += 1;
                return self.table.block_uncached(partition, guide, at);
            }
        }
        if let Some(bytes) = self.run_at(partition, place.offset, place.length as usize)
            && let Ok(block) = open_block(&bytes, number, place.offset)
        {
            return Ok(block);
        }
        // Whatever is wrong with the run, alone the block gets its own error, or is fine.
        self.table.block_from_disk(partition, guide, at)
    }

    /// Bytes of the run; one is read from `offset` to the end of the partition where there is none.
    fn run_at(&mut self, partition: usize, offset: u64, length: usize) -> Option<Bytes> {
        if self.run.is_none() {
            let end = self.table.top().place(partition).offset;
            let bytes =
                read(&*self.table.file, offset, usize::try_from(end - offset).ok()?).ok()?;
            self.run = Some(Run { offset, bytes: Bytes::from(bytes) });
        }
        let run = self.run.as_ref()?;
        let begin = usize::try_from(offset.checked_sub(run.offset)?).ok()?;
        let end = begin.checked_add(length)?;
        (end <= run.bytes.len()).then(|| run.bytes.slice(begin..end))
    }

    /// After an error it stands nowhere.
    fn or_leave<T>(&mut self, result: Result<T, EngineError>) -> Result<T, EngineError> {
        if result.is_err() {
            self.leave();
        }
        result
    }

    fn try_seek(&mut self, from: &[u8]) -> Result<(), EngineError> {
        self.leave();
        if let Some(damage) = self.table.damage() {
            let is_behind = *from > *self.table.facts.largest;
            let read = if is_behind { Ok(()) } else { Err(damage.clone()) };
            return self.unless_released(read).map(|_| ());
        }
        let Some(partition) = self.table.top().find(from) else { return Ok(()) };
        self.enter(partition)?;
        let Some((entered, guide)) = &self.partition else { return Ok(()) };
        if *entered == partition {
            self.block = guide.index().find(from).unwrap_or(guide.index().len());
            if self.block < guide.index().len() {
                self.load(|entries, block| entries.seek(block, from))?;
                if self.entries.stands() {
                    return Ok(());
                }
                self.block += 1;
            }
        }
        self.settle()
    }

    /// Goes on behind a block that was left: at its end, or where its entries end to make sense.
    fn go_on(&mut self, left: Result<(), Malformed>) -> Result<(), EngineError> {
        if let Err(Malformed) = left {
            self.skip_malformed()?;
        }
        self.block += 1;
        self.settle()
    }

    /// The rest of the block is no entries: an error, unless a merge may leave it out.
    fn skip_malformed(&self) -> Result<(), EngineError> {
        let Some((partition, guide)) = &self.partition else { return Ok(()) };
        let error = self.table.malformed(*partition, guide, self.block);
        self.unless_released::<()>(Err(error)).map(|_| ())
    }
}

impl Cursor for TableCursor {
    fn seek(&mut self, from: &[u8]) -> Result<(), EngineError> {
        let sought = self.try_seek(from);
        self.or_leave(sought)
    }

    #[inline]
    fn advance(&mut self) -> Result<(), EngineError> {
        assert!(self.entries.stands(), "a cursor goes on from an entry");
        let advanced = self.entries.advance();
        if self.entries.stands() {
            return Ok(());
        }
        let advanced = self.go_on(advanced);
        self.or_leave(advanced)
    }

    #[inline]
    fn entry(&self) -> Option<EntryRef<'_>> {
        self.entries.entry()
    }

    fn value(&self) -> Option<Bytes> {
        self.entries.value()
    }
}
