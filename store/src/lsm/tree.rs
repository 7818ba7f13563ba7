//! The tree itself: what its parts share, and every step it can take, but no thread.
//!
//! A commit, a sync, a flush, a merge are steps that somebody calls. The engine has threads that do; a
//! test calls them one by one, on a modelled disk, and finds the same operations in the same order each
//! time.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use bytes::Bytes;

use super::commit::Writer;
use super::compression::Compression;
use super::directory::Directory;
use super::led::Led;
use super::levels::{Edit, LEVELS};
use super::log::Platter;
use super::manifest::Manifest;
use super::options::Options;
use super::pace::Pace;
use super::quarantine::DamagedRange;
use super::queue::{Queue, Waiting};
use super::restore::{Restored, restore};
use super::snapshot::Snapshot;
use super::state::{Frozen, State};
use super::statistics::{Counters, Statistics};
use super::table::{Shared, Table, TableShape, TableWriter};
use super::vfs::Vfs;
use super::view::View;
use crate::engine::{Batch, Done, EngineError, Refused};

/// A log-structured merge tree without threads of its own.
pub struct Tree {
    pub(super) options: Options,
    pub(super) directory: Directory,
    pub(super) queue: Queue,
    pub(super) view: View,
    pub(super) counters: Counters,
    /// What tables share: cached blocks, and the damaged ones.
    pub(super) shared: Arc<Shared>,
    pub(super) opened: Instant,
    /// What of the log is on the platter. Beside the writer: who syncs must not hold up who writes, and
    /// who flushes forgets some of it, for which the writer may be waiting.
    pub(super) platter: Platter,
    /// The end of the log. Who holds it leads a commit, and under [`Sync::Always`](crate::Sync::Always)
    /// syncs it.
    writer: Mutex<Writer>,
    /// As stored, but for the number of the next file. Held while it is stored, so that flushes and
    /// merges follow each other.
    manifest: Mutex<Manifest>,
    /// Storing the manifest failed: nobody knows which of the two is there, and so none is stored any
    /// more that builds on either. Written while the manifest is held.
    is_manifest_unsure: AtomicBool,
    /// A mutex for the compiler: only the thread that merges spends.
    pace: Mutex<Pace>,
    /// Merges give up, for the engine ends.
    is_ending: AtomicBool,
}

impl Tree {
    /// Opens the tree in `path`, which is made if absent, with everything it held.
    pub fn open(vfs: Arc<dyn Vfs>, path: &Path, options: Options) -> Result<Tree, EngineError> {
        let directory = Directory::open(vfs, path)?;
        let shared = Arc::new(Shared::new(options.cache_bytes, options.guide_bytes));
        let Restored { manifest, state, recovered } = restore(&directory, &shared)?;
        let writer = Writer::new(recovered);
        Ok(Tree {
            directory,
            queue: Queue::new(options.queue_bytes),
            view: View::new(state),
            counters: Counters::default(),
            shared,
            opened: Instant::now(),
            platter: writer.platter(),
            writer: Mutex::new(writer),
            manifest: Mutex::new(manifest),
            is_manifest_unsure: AtomicBool::new(false),
            pace: Mutex::new(Pace::new(options.merge_bytes_per_second)),
            is_ending: AtomicBool::new(false),
            options,
        })
    }

    /// The value of `key`, as written last.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.view.current().get(key)
    }

    /// Says that these keys are about to be asked for; see [`Engine::expect`](crate::engine::Engine::expect).
    pub fn expect(&self, keys: &[Bytes]) {
        self.view.current().active.expect(keys);
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take(&self.view)
    }

    /// Up to `limit` pairs with keys at or after `from`, ascending, as they are at one moment.
    pub fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
        let mut page = Vec::new();
        let snapshot = self.snapshot();
        let mut range = snapshot.range(from)?;
        while let Some((key, _)) = range.pair().filter(|_| page.len() < limit) {
            let key = Bytes::copy_from_slice(key);
            page.push((key, range.value().expect("a pair has a value")));
            // Not a step further than asked: there may be damage, which is not this page's.
            if page.len() < limit {
                range.advance()?;
            }
        }
        Ok(page)
    }

    /// Leaves `batch` for whoever leads the next commit.
    pub(super) fn leave(&self, batch: Batch, done: Done) -> Result<(), Refused> {
        let left = self.queue.add(Waiting { batch, done, owner: None });
        left.map_err(|(why, Waiting { done, .. })| Refused { why, done })
    }

    /// What is known to be damaged: offered to who has replicas. A snapshot may still meet damage in a
    /// table that was merged away; nobody else needs that.
    pub fn damaged(&self) -> Vec<DamagedRange> {
        let levels = self.view.current().levels.clone();
        let counts = |number| levels.iter().any(|(_, table)| table.facts().number == number);
        let mut ranges = self.shared.quarantine.list();
        ranges.retain(|range| counts(range.table));
        ranges
    }

    /// Says that what `range` held is in the tree again, or nowhere: the next merge leaves its block
    /// out, and the table goes.
    pub fn release(&self, range: &DamagedRange) {
        self.shared.quarantine.release(range.table, range.offset);
        self.view.nudge();
    }

    /// What it has done since it was opened, and what it holds.
    pub fn statistics(&self) -> Statistics {
        let state = self.view.current();
        let Shared { blocks, guides, .. } = &*self.shared;
        let levels = || 0..LEVELS;
        Statistics {
            cache_hits: blocks.hits() + guides.hits(),
            cache_misses: blocks.misses() + guides.misses(),
            cache_bytes: blocks.bytes() + guides.bytes(),
            memtable_bytes: state.memtable_bytes() as u64,
            tables: levels().map(|level| state.levels.level(level).len()).collect(),
            table_bytes: levels().map(|level| state.levels.bytes(level)).collect(),
            damaged_blocks: self.damaged().iter().filter(|range| !range.released).count(),
            ..self.counters.read()
        }
    }

    /// Ends the log so that whatever is damaged later cannot pass for a torn tail.
    pub fn finish(&self) -> Result<(), EngineError> {
        self.mark_synced(&mut self.writer())
    }

    /// Takes no more writes, for the engine broke.
    pub(super) fn break_off(&self, error: &EngineError) {
        tracing::error!(%error, "the engine takes no more writes");
        self.queue.refuse_all(&format!("it broke: failed to {error}"));
        self.view.nudge();
    }

    pub(super) fn begin_to_end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.view.nudge();
        self.platter.nudge();
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    pub(super) fn writer(&self) -> Led<'_> {
        Led::new(self.writer.lock().unwrap_or_else(PoisonError::into_inner), &self.queue)
    }

    /// The end of the log, unless somebody leads.
    pub(super) fn try_writer(&self) -> Option<Led<'_>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(Led::new(writer, &self.queue)),
            Err(TryLockError::Poisoned(poisoned)) => {
                Some(Led::new(poisoned.into_inner(), &self.queue))
            }
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn manifest(&self) -> MutexGuard<'_, Manifest> {
        self.manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn compression_of(&self, level: usize, is_bottom: bool) -> Compression {
        let stays = is_bottom && level > 1;
        if stays { self.options.bottom_compression } else { self.options.compression }
    }

    /// Begins a table; its number, and its writer.
    pub(super) fn create_table(
        &self,
        compression: Compression,
    ) -> Result<(u64, TableWriter), EngineError> {
        let number = {
            let mut manifest = self.manifest();
            manifest.next_table += 1;
            manifest.next_table - 1
        };
        let shape = TableShape { compression, ..self.options.table };
        let path = self.directory.table(number);
        Ok((number, TableWriter::create(&**self.directory.vfs(), path, number, shape)?))
    }

    /// Ends a table and opens it; its name is made durable before the manifest names it.
    pub(super) fn finish_table(&self, writer: TableWriter) -> Result<Arc<Table>, EngineError> {
        let number = writer.finish()?.number;
        let path = self.directory.table(number);
        let table = Table::open(&**self.directory.vfs(), path, number, self.shared.clone())?;
        table.warm(|| !self.is_ending());
        Ok(Arc::new(table))
    }

    /// Brings guides into memory while there is room, newest tables first: a start found none there.
    pub fn warm(&self) {
        let levels = self.view.current().levels.clone();
        let mut tables = levels.iter().map(|(_, table)| table);
        while tables.next().is_some_and(|table| table.warm(|| !self.is_ending())) {}
    }

    /// Removes a file that nothing names any more. Should it stay, the next start removes it.
    pub(super) fn discard(&self, path: &Path) {
        if let Err(error) = self.directory.remove(path) {
            tracing::warn!(%error, "a file nobody needs stays");
        }
    }

    /// Puts the tables of a flush in the place of its memtable; the log segments no longer needed.
    pub(super) fn publish_flush(
        &self,
        edit: &Edit<Arc<Table>>,
        flushed: &Frozen,
    ) -> Result<std::ops::Range<u64>, EngineError> {
        let mut manifest = self.manifest();
        let freed = manifest.oldest_log..flushed.next_log;
        self.store(&mut manifest, edit, flushed.next_log)?;
        self.view.edit(|state| {
            let is_left = |it: &&Frozen| !Arc::ptr_eq(&it.memtable, &flushed.memtable);
            let frozen = state.frozen.iter().filter(is_left).cloned().collect();
            State {
                active: state.active.clone(),
                frozen,
                levels: Arc::new(state.levels.apply(edit)),
            }
        });
        Ok(freed)
    }

    /// Puts the tables of a merge in the place of its inputs.
    pub(super) fn publish_merge(&self, edit: &Edit<Arc<Table>>) -> Result<(), EngineError> {
        let mut manifest = self.manifest();
        let oldest_log = manifest.oldest_log;
        self.store(&mut manifest, edit, oldest_log)?;
        self.view
            .edit(|state| State { levels: Arc::new(state.levels.apply(edit)), ..state.clone() });
        Ok(())
    }

    /// Names of new tables become durable before the manifest that has them: the standard orders no
    /// two changes of a directory.
    fn store(
        &self,
        manifest: &mut Manifest,
        edit: &Edit<Arc<Table>>,
        oldest_log: u64,
    ) -> Result<(), EngineError> {
        let added = edit.added.iter().map(|(place, table)| (*place, table.facts().clone()));
        let facts = Edit { removed: edit.removed.clone(), added: added.collect() };
        let next = Manifest {
            next_table: manifest.next_table,
            oldest_log,
            levels: manifest.levels.apply(&facts),
        };
        let path = self.directory.manifest();
        if self.is_manifest_unsure.load(Ordering::Relaxed) {
            return Err(EngineError::Closed(format!("{} could not be stored", path.display())));
        }
        let named = if edit.added.is_empty() { Ok(()) } else { self.directory.sync() };
        let stored = named.and_then(|()| self.directory.publish(&path, &next.encode()));
        self.is_manifest_unsure.store(stored.is_err(), Ordering::Relaxed);
        stored?;
        *manifest = next;
        Ok(())
    }
}
