//! The engine itself: a queue, a view, and two threads between them.
//!
//! ```text
//! write -> Queue -> committer (log, memtable) -> compactor (tables, manifest)
//! get, scan <- View <------------+-----------------------+
//! ```
//!
//! Dropping the engine closes it; its directory is locked until then.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::committer::Committer;
use super::compactor::Compactor;
use super::directory::Directory;
use super::queue::Queue;
use super::restore::restore;
use super::statistics::{Counters, Statistics};
use super::view::View;
use super::{Batch, Done, Engine, EngineError};
use crate::config::Sync;

/// How an engine works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// When a write counts as durable.
    pub sync: Sync,
    /// A memtable of more bytes is written as a table.
    pub memtable_bytes: usize,
    /// More tables than this are merged into one.
    pub tables_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { sync: Sync::default(), memtable_bytes: 8 << 20, tables_max: 4 }
    }
}

/// An engine on a directory of its own.
pub struct Durable {
    shared: Arc<Shared>,
    /// Committer and compactor; empty once they were waited for.
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Keeps the directory's lock until the engine is dropped.
    _directory: Arc<Directory>,
}

/// What readers, writers and both threads share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) view: View,
    pub(super) statistics: Counters,
}

impl Durable {
    /// Opens the engine on `path`, which is made if absent, with everything it held.
    pub fn open(path: &Path, options: Options) -> Result<Durable, EngineError> {
        let directory = Arc::new(Directory::open(path)?);
        let (manifest, state, recovered) = restore(&directory)?;
        let shared = Arc::new(Shared { view: View::from_state(state), ..Shared::default() });
        let (full, to_write) = sync_channel(1);
        let limits = (options.sync, options.memtable_bytes);
        let committer = Committer::new(shared.clone(), directory.clone(), recovered, limits, full);
        let compactor = Compactor {
            shared: shared.clone(),
            directory: directory.clone(),
            manifest,
            tables_max: options.tables_max,
        };
        let threads = vec![
            spawn("engine-committer", path, &shared, move || committer.run())?,
            spawn("engine-compactor", path, &shared, move || compactor.run(&to_write))?,
        ];
        Ok(Durable { shared, threads: Mutex::new(threads), _directory: directory })
    }

    /// What it has done since it was opened.
    pub fn statistics(&self) -> Statistics {
        self.shared.statistics.read()
    }
}

impl Engine for Durable {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.shared.view.get(key)
    }

    fn write(&self, batch: Batch, done: Done) {
        self.shared.queue.push(batch, done);
    }

    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
        let mut page = Vec::new();
        if limit == 0 {
            return Ok(page);
        }
        self.shared.view.visit(from, |key, value| {
            page.push((key, value));
            page.len() < limit
        })?;
        Ok(page)
    }

    /// Counted by walking all keys, a page at a time lest writers wait; damage ends the walk, is
    /// logged, and shortens the count.
    fn len(&self) -> usize {
        let mut count = 0;
        let mut from = Vec::new();
        loop {
            let page = match self.scan(&from, COUNT_PAGE) {
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(%error, counted = count, "failed to count all keys");
                    return count;
                }
            };
            count += page.len();
            let Some((last, _)) = page.last().filter(|_| page.len() == COUNT_PAGE) else {
                return count;
            };
            // The least key after `last`.
            from = [last, &b"\0"[..]].concat();
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self.scan(b"", 1), Ok(page) if page.is_empty())
    }

    /// Called by a callback, on a thread of the engine itself, it cannot wait for that thread: the
    /// engine then ends by itself after the callback.
    fn close(&self) -> Result<(), EngineError> {
        self.shared.queue.end(CLOSED);
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.iter().any(|thread| thread.thread().id() == std::thread::current().id()) {
            return Ok(());
        }
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                return Err(EngineError::Closed("a thread of the engine panicked".to_owned()));
            }
        }
        match self.shared.queue.ended() {
            Some(reason) if reason != CLOSED => Err(EngineError::Closed(reason)),
            _ => Ok(()),
        }
    }
}

/// Keys counted before writers get their turn.
const COUNT_PAGE: usize = 1024;

/// Why writes are refused after an orderly end.
const CLOSED: &str = "it was asked to close";

impl Drop for Durable {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "failed to close the engine");
        }
    }
}

fn spawn(
    name: &str,
    path: &Path,
    shared: &Arc<Shared>,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, EngineError> {
    let panic_guard = PanicGuard(shared.clone());
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        run();
        drop(panic_guard);
    });
    spawned.map_err(EngineError::io("start a thread for", path))
}

/// Answers those who wait for a thread that panicked. After an orderly end nobody does.
struct PanicGuard(Arc<Shared>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue.refuse_all("a thread of the engine panicked");
        }
    }
}
