//! What readers see: the memtables and tables that count at this moment, newest first.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::memtable::Memtable;
use super::merge::{Merge, Source};
use super::table::Table;
use super::{Batch, EngineError, Entry};

/// What counts at one moment.
#[derive(Default)]
pub(super) struct State {
    /// Takes the batches of the committer.
    pub(super) active: Memtable,
    /// Full, and on their way into tables; newest first.
    pub(super) frozen: Vec<Arc<Memtable>>,
    /// Newest first.
    pub(super) tables: Vec<Arc<Table>>,
}

/// What readers see.
#[derive(Default)]
pub(super) struct View {
    /// Readers share it; the committer excludes them for as long as it applies a group, the
    /// compactor for the exchange of a few handles.
    state: RwLock<State>,
}

impl View {
    /// The value of `key`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let state = self.read();
        let memtables = std::iter::once(&state.active).chain(state.frozen.iter().map(|it| &**it));
        if let Some(found) = memtables.into_iter().find_map(|memtable| memtable.get(key)) {
            return Ok(found.value());
        }
        let tables = state.tables.clone();
        drop(state);
        for table in tables {
            if let Some(found) = table.get(key)? {
                return Ok(found.value());
            }
        }
        Ok(None)
    }

    /// Calls `visit` with the live pairs from `from` on, ascending, until it returns false.
    ///
    /// Writers wait meanwhile: visit a page, not the world.
    pub(super) fn visit(
        &self,
        from: &[u8],
        mut visit: impl FnMut(Bytes, Bytes) -> bool,
    ) -> Result<(), EngineError> {
        let state = self.read();
        let active: Source<'_> = Box::new(state.active.range(from).map(Ok));
        let frozen = state.frozen.iter().map(|it| Box::new(it.range(from).map(Ok)) as Source<'_>);
        let tables = state.tables.iter().map(|it| Box::new(it.range(from)) as Source<'_>);
        for entry in Merge::new(std::iter::once(active).chain(frozen).chain(tables)) {
            if let (key, Some(value)) = entry?
                && !visit(key, value)
            {
                break;
            }
        }
        Ok(())
    }

    /// Makes the entries of `batches` visible, in order; how large the active memtable is then.
    pub(super) fn apply<'a>(&self, batches: impl Iterator<Item = &'a Batch>) -> usize {
        let mut state = self.write();
        for (key, value) in batches.flat_map(|batch| &batch.entries) {
            state.active.put(key, value.as_deref());
        }
        state.active.bytes()
    }

    /// Begins a new memtable; returns the full one, which stays visible.
    pub(super) fn freeze(&self) -> Arc<Memtable> {
        let mut state = self.write();
        let full = Arc::new(std::mem::take(&mut state.active));
        state.frozen.insert(0, full.clone());
        full
    }

    /// The tables, newest first.
    pub(super) fn tables(&self) -> Vec<Arc<Table>> {
        self.read().tables.clone()
    }

    /// Puts `table` in the place of the memtable it was written from.
    pub(super) fn replace_memtable(&self, memtable: &Arc<Memtable>, table: Arc<Table>) {
        let mut state = self.write();
        state.frozen.retain(|other| !Arc::ptr_eq(other, memtable));
        state.tables.insert(0, table);
    }

    /// Puts `table` in the place of all tables. Only the thread that adds tables may call this.
    pub(super) fn replace_tables(&self, table: Arc<Table>) {
        self.write().tables = vec![table];
    }

    /// What is there when an engine is opened.
    pub(super) fn from_state(state: State) -> View {
        View { state: RwLock::new(state) }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every entry of `tables`, merged; tombstones, which have nothing left to hide, are dropped.
pub(super) fn merged(
    tables: &[Arc<Table>],
) -> impl Iterator<Item = Result<Entry, EngineError>> + '_ {
    let sources = tables.iter().map(|table| Box::new(table.range(b"")) as Source<'_>);
    Merge::new(sources).filter(|entry| !matches!(entry, Ok((_, None))))
}
