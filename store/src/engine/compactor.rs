//! The thread that turns full memtables into tables, and many tables into one.
//!
//! Each step ends with a new manifest: a crash before it leaves files nobody names, a crash after it
//! files nobody needs; both are removed at the next start.
//! Departure: all tables are merged at once. That is the simplest schedule that bounds both the tables
//! a read must ask and the space old values take; its price is rewriting everything each time.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::EngineError;
use super::directory::{Directory, remove};
use super::durable::Shared;
use super::manifest::Manifest;
use super::memtable::Memtable;
use super::table::Table;
use super::view::merged;

/// A full memtable, and the first log segment whose writes are not in it.
pub(super) struct Frozen {
    pub(super) memtable: Arc<Memtable>,
    pub(super) next_log: u64,
}

/// The thread that writes tables.
pub(super) struct Compactor {
    pub(super) shared: Arc<Shared>,
    pub(super) directory: Arc<Directory>,
    /// As stored.
    pub(super) manifest: Manifest,
    /// More tables than this are merged into one.
    pub(super) tables_max: usize,
}

impl Compactor {
    /// Works until the committer has ended, or something fails.
    pub(super) fn run(mut self, full: &Receiver<Frozen>) {
        if let Err(error) = full.iter().try_for_each(|frozen| self.compact(&frozen)) {
            tracing::error!(%error, "failed to write a table; the engine takes no more writes");
            self.shared.queue.refuse_all(&format!("it broke: failed to {error}"));
        }
    }

    fn compact(&mut self, frozen: &Frozen) -> Result<(), EngineError> {
        self.flush(frozen)?;
        if self.manifest.tables.len() > self.tables_max { self.merge() } else { Ok(()) }
    }

    /// Writes a memtable as a table; then its log segments are needed no more.
    fn flush(&mut self, frozen: &Frozen) -> Result<(), EngineError> {
        let table = self.write(frozen.memtable.range(b"").map(Ok))?;
        self.manifest.tables.insert(0, table.number());
        let freed = self.manifest.oldest_log..frozen.next_log;
        self.manifest.oldest_log = frozen.next_log;
        self.manifest.store(&self.directory)?;
        self.shared.view.replace_memtable(&frozen.memtable, Arc::new(table));
        self.shared.statistics.count_flush();
        for number in freed {
            remove(&self.directory.log(number))?;
        }
        Ok(())
    }

    fn merge(&mut self) -> Result<(), EngineError> {
        let tables = self.shared.view.tables();
        let table = self.write(merged(&tables))?;
        self.manifest.tables = vec![table.number()];
        self.manifest.store(&self.directory)?;
        self.shared.view.replace_tables(Arc::new(table));
        self.shared.statistics.count_merge();
        for table in tables {
            remove(table.path())?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        entries: impl Iterator<Item = Result<super::Entry, EngineError>>,
    ) -> Result<Table, EngineError> {
        let number = self.manifest.next_table;
        self.manifest.next_table += 1;
        Table::write(&self.directory, number, entries)
    }
}
