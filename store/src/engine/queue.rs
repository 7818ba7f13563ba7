//! Batches on their way to the committer, and the word that no more may come.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Batch, Done, EngineError};

/// Batches waiting for the committer.
#[derive(Default)]
pub(super) struct Queue {
    /// A plain mutex: it is held to push or to take, never while anything is waited for.
    state: Mutex<State>,
    /// Tells the committer that batches came, or that none will.
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<(Batch, Done)>,
    /// Why no more batches are taken.
    ended: Option<String>,
}

/// What the committer finds.
pub(super) enum Taken {
    /// Everything that waited, in order; at least one.
    Batches(Vec<(Batch, Done)>),
    /// The deadline came first.
    Due,
    /// Nothing waits, and nothing will come.
    Ended,
}

impl Queue {
    /// Hands a batch over, or calls `done` at once where no more are taken.
    pub(super) fn push(&self, batch: Batch, done: Done) {
        let mut state = self.lock();
        if let Some(reason) = &state.ended {
            let error = EngineError::Closed(reason.clone());
            drop(state);
            return done(Err(error));
        }
        state.waiting.push((batch, done));
        drop(state);
        self.arrived.notify_one();
    }

    /// Waits for batches, until `deadline` if there is one.
    pub(super) fn take(&self, deadline: Option<Instant>) -> Taken {
        let mut state = self.lock();
        loop {
            if !state.waiting.is_empty() {
                return Taken::Batches(std::mem::take(&mut state.waiting));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match left {
                Some(left) if left.is_zero() => return Taken::Due,
                _ if state.ended.is_some() => return Taken::Ended,
                Some(left) => {
                    let waited = self.arrived.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => {
                    let waited = self.arrived.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Takes no more batches, for `reason`; the first reason stays. What waits is still committed.
    pub(super) fn end(&self, reason: &str) {
        self.lock().ended.get_or_insert_with(|| reason.to_owned());
        self.arrived.notify_all();
    }

    /// Takes no more batches, and refuses those that wait.
    pub(super) fn refuse_all(&self, reason: &str) {
        self.end(reason);
        let waiting = std::mem::take(&mut self.lock().waiting);
        for (_, done) in waiting {
            done(Err(EngineError::Closed(reason.to_owned())));
        }
    }

    /// Why no more batches are taken, if none are.
    pub(super) fn ended(&self) -> Option<String> {
        self.lock().ended.clone()
    }

    /// State is a list and a word, valid after every statement: a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
