//! A table read from end to end, each of its promises looked at.
//!
//! Reading goes on behind what is damaged: a bad block costs its own keys, a bad guide those of its
//! partition. Beyond the checksums, this looks at what only a fault of the program could break: keys
//! ascend, lie where the indexes have them and inside the table's facts, pass their own filter, are
//! found from the restarts of their block, and are as many as was said.
//!
//! Whatever is wrong with a guide or block is reported to the quarantine as any reader would, so that
//! the keys it may have held are known there by its offset.

use super::super::filter;
use super::block::{self, BlockCursor};
use super::guide::Guide;
use super::{KeyRange, Table, Wrong};
use crate::engine::EngineError;

/// What was found in a table that was read from end to end.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Data blocks found sound.
    pub(crate) blocks: u64,
    /// Entries in them, tombstones among them.
    pub(crate) entries: u64,
    /// How many of those say that their key was removed.
    pub(crate) tombstones: u64,
    /// What is wrong, in order of the file.
    pub(crate) wrong: Vec<EngineError>,
}

/// What a sound block holds.
struct Counted {
    entries: u64,
    tombstones: u64,
}

impl Table {
    /// Reads every guide and data block, and says after each how many bytes of the file that were.
    pub(crate) fn audit(&self, mut read: impl FnMut(u64)) -> Audit {
        let mut audit = Audit::default();
        let mut last = None;
        for partition in 0..self.top().len() {
            match self.guide_from_disk(partition) {
                Ok(guide) => {
                    for at in 0..guide.index().len() {
                        let counted = self.audit_block(partition, &guide, at, &mut last);
                        audit.add(counted);
                        read(u64::from(guide.index().place(at).length));
                    }
                }
                Err(error) => audit.wrong.push(error),
            }
            read(u64::from(self.top().place(partition).length));
        }
        if audit.wrong.is_empty() {
            let amiss = self.amiss(&audit, last.as_deref());
            let damaged = |message: String| EngineError::damaged(self.path(), 0, &message);
            audit.wrong.extend(amiss.map(damaged));
        }
        audit
    }

    fn audit_block(
        &self,
        partition: usize,
        guide: &Guide,
        at: usize,
        last: &mut Option<Vec<u8>>,
    ) -> Result<Counted, EngineError> {
        let block = self.block_from_disk(partition, guide, at)?;
        let keys = self.block_keys(partition, guide, at);
        let mut counted = Counted { entries: 0, tombstones: 0 };
        let walked = entries_of(&block, |key, is_tombstone| {
            self.doubt(guide, keys, key, last.as_deref())?;
            if !matches!(block::find(&block, key), Ok(Some(_))) {
                return Err("a key of the block is not found from its restarts");
            }
            counted.entries += 1;
            counted.tombstones += u64::from(is_tombstone);
            let last = last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(key);
            Ok(())
        });
        let place = guide.index().place(at);
        walked.map_err(|why| self.refuse(place, keys, Wrong::Bytes(why)))?;
        Ok(counted)
    }

    /// Fails where `key` cannot stand in a block of these keys, after `last`.
    fn doubt(
        &self,
        guide: &Guide,
        keys: KeyRange<'_>,
        key: &[u8],
        last: Option<&[u8]>,
    ) -> Result<(), &'static str> {
        if last.is_some_and(|last| key <= last) {
            return Err("the keys of the block do not ascend");
        }
        if keys.after.is_some_and(|after| key <= after) || key > keys.to {
            return Err("a key of the block is not where the index has it");
        }
        if *key < *self.facts.smallest || *key > *self.facts.largest {
            return Err("a key of the block lies outside of the table");
        }
        if !guide.may_hold(filter::hash(key)) {
            return Err("the filter denies a key of the block");
        }
        Ok(())
    }

    /// How a table whose blocks are all sound differs from its facts. No key was below the smallest:
    /// so it is the first if it is there at all.
    fn amiss(&self, audit: &Audit, last: Option<&[u8]>) -> Option<String> {
        let (entries, tombstones) = (self.facts.entries, self.facts.tombstones);
        if (audit.entries, audit.tombstones) != (entries, tombstones) {
            return Some(format!(
                "the table has {} entries and {} tombstones, and says {entries} and {tombstones}",
                audit.entries, audit.tombstones,
            ));
        }
        let ends_there = last == Some(&self.facts.largest[..]);
        let smallest = &self.facts.smallest;
        let begins_there = matches!(self.get(smallest, filter::hash(smallest)), Ok(Some(_)));
        (!ends_there || !begins_there)
            .then(|| "the table does not begin and end with the keys it says".to_owned())
    }
}

impl Audit {
    fn add(&mut self, block: Result<Counted, EngineError>) {
        match block {
            Ok(Counted { entries, tombstones }) => {
                self.blocks += 1;
                self.entries += entries;
                self.tombstones += tombstones;
            }
            Err(error) => self.wrong.push(error),
        }
    }
}

/// Hands every key of a block to `each`, with whether it was removed.
fn entries_of(
    block: &bytes::Bytes,
    mut each: impl FnMut(&[u8], bool) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    let malformed = |block::Malformed| "the block is not made of entries";
    let mut cursor = BlockCursor::default();
    cursor.seek_first(block.clone()).map_err(malformed)?;
    while let Some((key, value)) = cursor.entry() {
        each(key, value.is_none())?;
        cursor.advance().map_err(malformed)?;
    }
    Ok(())
}
