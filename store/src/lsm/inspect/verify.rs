//! Every byte that matters, read and compared with its checksum: `inspect`, and then the blocks.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::super::directory::Directory;
use super::super::quarantine::DamagedRange;
use super::super::restore::load_manifest;
use super::super::table::Table;
use super::super::vfs::Vfs;
use super::tables::{alone, open};
use super::{Facts, Inspection, Owner, TableSummary, inspect};
use crate::engine::EngineError;

/// What was read, and what of it is wrong.
#[derive(Clone, Debug)]
pub struct Verification {
    /// What lies there.
    pub inspection: Inspection,
    /// What is wrong: of the manifest, the tables in read order, the log.
    pub problems: Vec<Problem>,
    /// What was read and found sound.
    pub tally: Tally,
}

/// Something that is not as it was written.
#[derive(Clone, Debug)]
pub struct Problem {
    /// File, offset, and what was found.
    pub error: EngineError,
    /// The keys that may be missing or old with it; `None` where nobody can say.
    pub keys: Option<Keys>,
}

/// A range of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Where it begins.
    pub from: Bound<Bytes>,
    /// Its last key.
    pub to: Bytes,
}

/// What was read and found sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tables without a fault.
    pub tables: u64,
    /// Their data blocks, and those of damaged tables that are sound.
    pub blocks: u64,
    /// Keys in those blocks, tombstones among them.
    pub entries: u64,
    /// Records of the log.
    pub records: u64,
}

/// How far a verification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Tables read.
    pub tables_done: u64,
    /// Tables to read.
    pub tables: u64,
    /// Bytes of tables read.
    pub bytes_done: u64,
    /// Bytes of tables to read.
    pub bytes: u64,
}

impl Verification {
    /// Whether all is as it was written.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether something was found damaged, and not only unreadable for now.
    pub fn is_damaged(&self) -> bool {
        let damaged = |problem: &Problem| matches!(problem.error, EngineError::Damaged { .. });
        self.problems.iter().any(damaged)
    }
}

/// Reads everything in the directory `path`, telling `progress` now and then. Fails only where
/// [`inspect`] does.
///
/// That levels are disjoint follows from what is compared: the manifest's tables are (or it is refused),
/// each table says the same of itself, and none of its keys lies outside of what it says.
pub fn verify(
    vfs: Arc<dyn Vfs>,
    path: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verification, EngineError> {
    let inspection = inspect(vfs.clone(), path)?;
    let directory = Directory::open_unlocked(vfs, path);
    let replayed = inspection.segments.iter().filter(|segment| !segment.is_dropped);
    let records = replayed.filter_map(|segment| segment.facts);
    let records = records.map(|facts| facts.records()).sum();
    let tally = Tally { records, ..Tally::default() };
    let manifest = inspection.manifest.as_ref().err().cloned();
    let mut verifier = Verifier {
        directory: &directory,
        is_alive: inspection.owner == Owner::Another,
        problems: manifest.map(|error| Problem { error, keys: None }).into_iter().collect(),
        tally,
        told: to_read(&inspection.tables),
        progress,
    };
    verifier.tables(&inspection.tables);
    let Verifier { mut problems, tally, .. } = verifier;
    let log = inspection.segments.iter().filter_map(|segment| segment.damage.clone());
    problems.extend(log.map(|error| Problem { error, keys: None }));
    Ok(Verification { inspection, problems, tally })
}

fn to_read(tables: &[TableSummary]) -> Progress {
    let readable = tables.iter().filter(|table| table.damage.is_none());
    let bytes = readable.clone().filter_map(|table| table.facts.as_ref()).map(|facts| facts.bytes);
    Progress { tables_done: 0, tables: readable.count() as u64, bytes_done: 0, bytes: bytes.sum() }
}

struct Verifier<'a> {
    directory: &'a Directory,
    /// An engine is at work: tables go when a merge has replaced them.
    is_alive: bool,
    problems: Vec<Problem>,
    tally: Tally,
    told: Progress,
    progress: &'a mut dyn FnMut(Progress),
}

impl Verifier<'_> {
    fn tables(&mut self, tables: &[TableSummary]) {
        for table in tables {
            if let Some(error) = &table.damage {
                let keys = table.facts.as_ref().map(all_keys);
                self.problems.push(Problem { error: error.clone(), keys });
                continue;
            }
            match open(self.directory, table.number, alone()) {
                Ok(table) => self.table(&table),
                Err(_) if self.is_alive && self.is_gone(table.number) => {}
                Err(error) => {
                    let keys = table.facts.as_ref().map(all_keys);
                    self.problems.push(Problem { error, keys });
                }
            }
            self.told.tables_done += 1;
            (self.progress)(self.told);
        }
    }

    fn table(&mut self, table: &Table) {
        let (told, progress) = (&mut self.told, &mut *self.progress);
        let audit = table.audit(|bytes| {
            told.bytes_done += bytes;
            progress(*told);
        });
        self.tally.tables += u64::from(audit.wrong.is_empty());
        self.tally.blocks += audit.blocks;
        self.tally.entries += audit.entries;
        let ranges = table.quarantine().list();
        let facts = Facts::from(table.facts());
        let wrong = audit.wrong.into_iter();
        self.problems.extend(wrong.map(|error| problem(error, &ranges, &facts)));
    }

    /// Whether a merge has taken a table away since it was looked at.
    fn is_gone(&self, number: u64) -> bool {
        let manifest = load_manifest(self.directory);
        let named = |manifest: &super::super::manifest::Manifest| {
            manifest.levels.iter().any(|(_, facts)| facts.number == number)
        };
        matches!(manifest, Ok(Some(manifest)) if !named(&manifest))
    }
}

/// An error of a table, with the keys of the block or guide it speaks of.
fn problem(error: EngineError, ranges: &[DamagedRange], facts: &Facts) -> Problem {
    let EngineError::Damaged { offset, .. } = &error else {
        return Problem { error, keys: Some(all_keys(facts)) };
    };
    let range = ranges.iter().find(|range| range.offset == *offset);
    let keys = range.map(|range| Keys {
        from: range.after.clone().map_or(Bound::Included(facts.smallest.clone()), Bound::Excluded),
        to: range.to.clone(),
    });
    Problem { error, keys: keys.or_else(|| Some(all_keys(facts))) }
}

fn all_keys(facts: &Facts) -> Keys {
    Keys { from: Bound::Included(facts.smallest.clone()), to: facts.largest.clone() }
}
