//! What counts at one moment: memtables and tables, newest first. It never changes; it is replaced.
//!
//! ```text
//! active | frozen, newest first | level 0, newest first | level 1 | … | level 6
//! ```
//!
//! Whoever read it goes on reading it: tables taken out of it since are removed from the directory, but
//! stay readable while they are held.

use std::sync::Arc;

use bytes::Bytes;

use super::Found;
use super::cursor::Cursor;
use super::filter;
use super::levels::{LEVELS, Levels};
use super::memtable::Memtable;
use super::merge::Merge;
use super::run::RunCursor;
use super::table::{Access, Table};
use crate::engine::EngineError;

/// What counts at one moment.
#[derive(Clone)]
pub(super) struct State {
    /// Takes what is committed.
    pub(super) active: Arc<Memtable>,
    /// Full, and on their way into tables; newest first.
    pub(super) frozen: Vec<Frozen>,
    pub(super) levels: Arc<Levels<Arc<Table>>>,
}

/// A full memtable, and the first log segment with writes that came after it.
#[derive(Clone)]
pub(super) struct Frozen {
    pub(super) memtable: Arc<Memtable>,
    pub(super) next_log: u64,
}

impl State {
    /// The value of `key`, as written last.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        if let Some(found) = self.memtables().find_map(|memtable| memtable.get(key)) {
            return Ok(found.value());
        }
        Ok(self.search_tables(key)?.and_then(Found::value))
    }

    /// The value of `key` as it was at `sequence`, which is pinned in the active memtable.
    pub(super) fn get_at(&self, key: &[u8], sequence: u64) -> Result<Option<Bytes>, EngineError> {
        let mut memtables = self.memtables();
        if let Some(found) = memtables.find_map(|memtable| memtable.get_at(key, sequence)) {
            return Ok(found.value());
        }
        Ok(self.search_tables(key)?.and_then(Found::value))
    }

    /// A place among all entries as they were at `sequence`, tombstones included.
    pub(super) fn cursor(&self, sequence: u64) -> Merge<'static> {
        let memtables = self.memtables();
        let memtables = memtables.map(|it| Box::new(it.cursor(sequence)) as Box<dyn Cursor + Send>);
        Merge::new(memtables.chain(table_cursors(&self.levels, Access::Scan)).collect())
    }

    /// How much memory its memtables take.
    pub(super) fn memtable_bytes(&self) -> usize {
        self.memtables().map(|memtable| memtable.bytes()).sum()
    }

    fn memtables(&self) -> impl Iterator<Item = &Arc<Memtable>> {
        std::iter::once(&self.active).chain(self.frozen.iter().map(|frozen| &frozen.memtable))
    }

    fn search_tables(&self, key: &[u8]) -> Result<Option<Found>, EngineError> {
        let hash = filter::hash(key);
        for table in self.levels.level(0) {
            let facts = table.facts();
            if facts.smallest <= key
                && key <= facts.largest
                && let Some(found) = table.get(key, hash)?
            {
                return Ok(Some(found));
            }
        }
        for level in 1..LEVELS {
            if let Some(table) = self.levels.find(level, key)
                && let Some(found) = table.get(key, hash)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// A cursor for each table of level 0 and for each level below it, newest first.
fn table_cursors(
    levels: &Levels<Arc<Table>>,
    access: Access,
) -> impl Iterator<Item = Box<dyn Cursor + Send>> + '_ {
    let above = levels.level(0).iter().map(move |table| vec![table.clone()]);
    let below = (1..LEVELS).map(|level| levels.level(level).to_vec());
    let runs = above.chain(below.filter(|tables| !tables.is_empty()));
    runs.map(move |tables| Box::new(RunCursor::new(tables, access)) as Box<dyn Cursor + Send>)
}
