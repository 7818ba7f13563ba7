//! The durable map of one node: what is put is there after a crash, as the sync mode promises.
//!
//! An engine knows bytes only. Versions, siblings and tombstones are the business of those above.
//! It has no async in it: a write is left with a callback, which is called once the write is as durable
//! as promised; only then is the write seen by `get` and `scan`, so that under `sync: always` nothing is
//! ever read that a crash could take back.
//!
//! Who has many writes leaves them all, and then says so once: [`Engine::lead`] commits them on the
//! caller's own thread where that waits for nothing, for two changes of threads cost more than such a
//! commit; else a thread of the engine does.
//!
//! Shape: `(leave* (lead | wake))*`, or [`Engine::write`], which is one of each.

use std::io;
use std::path::Path;

use bytes::Bytes;

/// Called once, by whichever thread commits. While it runs no other write is answered: it must not wait
/// for anything.
pub type Done = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// A batch that was not taken, at once: its callback was not called.
pub struct Refused {
    /// Why.
    pub why: EngineError,
    /// Who would have been told.
    pub done: Done,
}

/// Pairs to put or remove, together or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Key, and its value or `None` to remove it; in order, the last for a key wins.
    pub entries: Vec<(Bytes, Option<Bytes>)>,
}

/// The durable map of one node, ordered by key.
pub trait Engine: Send + Sync + 'static {
    /// The value of `key`, as of the last durable write.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError>;
    /// Says that these keys are about to be asked for, so that what is known of them comes near, of all at
    /// once. Changes nothing.
    fn expect(&self, keys: &[Bytes]) {
        let _ = keys;
    }
    /// Leaves `batch` to be made durable, then visible; then `done` is called. Batches become visible in
    /// the order in which they were left. Nobody is told that it waits: that is [`Engine::lead`]'s to do,
    /// or [`Engine::wake`]'s.
    fn leave(&self, batch: Batch, done: Done) -> Result<(), Refused>;
    /// Has what was left committed: by this thread, which calls the callbacks then, where nothing has to
    /// be waited for; else by a thread of the engine. Never blocks for longer than handing bytes to the
    /// system takes.
    fn lead(&self);
    /// Has what was left committed by a thread of the engine: for who holds what a callback may ask for.
    fn wake(&self);
    /// Leaves `batch`, and wakes. A refusal is told to `done`, on this thread.
    fn write(&self, batch: Batch, done: Done) {
        match self.leave(batch, done) {
            Ok(()) => self.wake(),
            Err(Refused { why, done }) => done(Err(why)),
        }
    }
    /// Up to `limit` pairs with keys at or after `from`, ascending.
    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, EngineError>;
    /// Waits until everything handed over is durable, and ends the engine's threads.
    fn close(&self) -> Result<(), EngineError>;
}

/// Why the engine could not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The system refused; after a failed write or sync the engine takes no more writes.
    #[error("{action} {}: {message}", .path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: std::path::PathBuf,
        /// What the system said.
        message: String,
    },
    /// Bytes on disk are not what was written.
    #[error("{} is damaged at byte {offset}: {message}", .path.display())]
    Damaged {
        /// Which file.
        path: std::path::PathBuf,
        /// Offset of the damaged record from the start of the file.
        offset: u64,
        /// What was found.
        message: String,
    },
    /// Another process has the directory.
    #[error("{} is in use by another process", .path.display())]
    InUse {
        /// Which directory.
        path: std::path::PathBuf,
    },
    /// More waits to be written than memory is set aside for; this was not written, and never will be.
    #[error("take more writes: {waiting_bytes} bytes wait already")]
    Overloaded {
        /// What waits, in bytes of memory.
        waiting_bytes: usize,
    },
    /// The engine was closed, or broke earlier.
    #[error("the engine is closed: {0}")]
    Closed(String),
}

impl EngineError {
    /// For `map_err`: an error of the system while doing `action` to `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EngineError {
        let path = path.to_owned();
        move |error| EngineError::Io { action, path, message: error.to_string() }
    }

    pub(crate) fn damaged(path: &Path, offset: u64, message: &str) -> EngineError {
        EngineError::Damaged { path: path.to_owned(), offset, message: message.to_owned() }
    }
}
