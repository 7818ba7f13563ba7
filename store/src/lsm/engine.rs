//! The engine: a tree, and the threads that keep it going.
//!
//! ```text
//! engine-commit  commits what was left with a callback, unless who left it can
//! engine-flush   writes full memtables as tables
//! engine-merge   merges tables; before, brings guides into memory
//! engine-sync    syncs the log when it is due: only where that was promised within an interval
//! ```
//!
//! The last is a thread of its own for one reason: while it waits for the platter, the first commits.
//!
//! Dropping the engine closes it; its directory is locked until then.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use bytes::Bytes;

use super::options::Options;
use super::queue::Woken;
use super::snapshot::Snapshot;
use super::statistics::Statistics;
use super::tree::Tree;
use super::vfs::{SystemDisk, Vfs};
use crate::config::Sync;
use crate::engine::{Batch, Done, Engine, EngineError, Refused};

/// An engine on a directory of its own.
pub struct Lsm {
    tree: Arc<Tree>,
    /// Empty once they were waited for. Held while they are, so that who closes second waits too.
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Which they are: known to a callback while somebody waits for its thread.
    ids: Vec<ThreadId>,
}

impl Lsm {
    /// Opens the engine on `path`, which is made if absent, with everything it held.
    pub fn open(path: &Path, options: Options) -> Result<Lsm, EngineError> {
        Lsm::open_on(Arc::new(SystemDisk), path, options)
    }

    /// The same, on another file system.
    pub fn open_on(vfs: Arc<dyn Vfs>, path: &Path, options: Options) -> Result<Lsm, EngineError> {
        let tree = Arc::new(Tree::open(vfs, path, options)?);
        // Whole before its threads are: should the system refuse one, the others end with it.
        let mut engine = Lsm { tree, threads: Mutex::default(), ids: Vec::new() };
        let mut threads: Vec<(_, Run)> =
            vec![("engine-commit", commit), ("engine-flush", flush), ("engine-merge", merge)];
        if matches!(engine.tree.options.sync, Sync::Every(_)) {
            threads.push(("engine-sync", sync));
        }
        for (name, run) in threads {
            let thread = spawn(name, path, &engine.tree, run)?;
            engine.ids.push(thread.thread().id());
            engine.threads.get_mut().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(engine)
    }

    /// Makes `batch` durable as promised, and visible. Blocks the calling thread; those that call
    /// together share a write and a sync.
    pub fn commit(&self, batch: Batch) -> Result<(), EngineError> {
        self.tree.commit(batch)
    }

    /// Has all that was committed before written as tables, and waits for it: of that a start has
    /// nothing to replay then, and its memory is free.
    pub fn flush(&self) -> Result<(), EngineError> {
        self.tree.freeze()?;
        // Not until nothing waits: others may fill memtables as fast as they are written.
        let Some(last) = self.tree.view.current().frozen.first().map(|full| full.next_log) else {
            return Ok(());
        };
        loop {
            let seen = self.tree.view.generation();
            if self.tree.view.current().frozen.iter().all(|full| full.next_log > last) {
                return Ok(());
            }
            if let Some(reason) = self.tree.queue.ended() {
                return Err(EngineError::Closed(reason));
            }
            self.tree.view.wait(seen, PATIENCE);
        }
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> Snapshot {
        self.tree.snapshot()
    }

    /// What it has done since it was opened, and what it holds.
    pub fn statistics(&self) -> Statistics {
        self.tree.statistics()
    }

    /// The tree, for what only it can tell.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl Engine for Lsm {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.tree.get(key)
    }

    fn expect(&self, keys: &[Bytes]) {
        self.tree.expect(keys);
    }

    fn leave(&self, batch: Batch, done: Done) -> Result<(), Refused> {
        self.tree.leave(batch, done)
    }

    fn lead(&self) {
        self.tree.lead_as_guest();
    }

    fn wake(&self) {
        self.tree.queue.hand_over();
    }

    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
        self.tree.scan(from, limit)
    }

    /// Called by a callback, on a thread of the engine itself, it cannot wait for that thread: the
    /// engine then ends by itself after the callback.
    fn close(&self) -> Result<(), EngineError> {
        self.tree.queue.end(CLOSED);
        self.tree.begin_to_end();
        if self.ids.contains(&std::thread::current().id()) {
            return Ok(());
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            if thread.join().is_err() {
                return Err(EngineError::Closed("a thread of the engine panicked".to_owned()));
            }
        }
        match self.tree.queue.ended() {
            Some(reason) if reason != CLOSED => Err(EngineError::Closed(reason)),
            _ => Ok(()),
        }
    }
}

/// Why writes are refused after an orderly end.
const CLOSED: &str = "it was asked to close";

impl Drop for Lsm {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "failed to close the engine");
        }
    }
}

/// How long a thread with nothing to do waits before it looks again by itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a thread does until the engine ends.
type Run = fn(&Tree) -> Result<(), EngineError>;

fn commit(tree: &Tree) -> Result<(), EngineError> {
    while tree.queue.wait() == Woken::Work {
        tree.lead(&mut tree.writer());
    }
    tree.finish()
}

/// What is not synced when the engine ends, is with all the rest: see [`commit`].
fn sync(tree: &Tree) -> Result<(), EngineError> {
    while tree.platter.wait_until_due(|| tree.is_ending()) {
        tree.sync_log()?;
    }
    Ok(())
}

/// What is full when the engine ends is still written: the next start then has less to replay.
fn flush(tree: &Tree) -> Result<(), EngineError> {
    loop {
        let seen = tree.view.generation();
        if tree.flush_one()? {
            continue;
        }
        if tree.is_ending() {
            return Ok(());
        }
        tree.view.wait(seen, PATIENCE);
    }
}

fn merge(tree: &Tree) -> Result<(), EngineError> {
    tree.warm();
    while !tree.is_ending() {
        let seen = tree.view.generation();
        if !tree.compact_one()? {
            tree.view.wait(seen, PATIENCE);
        }
    }
    Ok(())
}

fn spawn(
    name: &str,
    path: &Path,
    tree: &Arc<Tree>,
    run: Run,
) -> Result<JoinHandle<()>, EngineError> {
    let panic_guard = PanicGuard(tree.clone());
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        if let Err(error) = run(&panic_guard.0) {
            panic_guard.0.break_off(&error);
        }
        drop(panic_guard);
    });
    spawned.map_err(EngineError::io("start a thread for", path))
}

/// Answers those who wait for a thread that panicked. After an orderly end nobody does.
struct PanicGuard(Arc<Tree>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue.refuse_all("a thread of the engine panicked");
            self.0.view.nudge();
        }
    }
}
