//! Batches on their way to the log, and the word that no more may come.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

use crate::engine::{Batch, Done, EngineError};

/// Batches waiting for somebody to commit them.
pub(super) struct Queue {
    /// A plain mutex: it is held to push or to take, never while anything is waited for.
    state: Mutex<State>,
    /// Tells the thread that commits for others that batches came, or that none will.
    arrived: Condvar,
    /// More bytes than this do not wait here: who brings more is told so, instead of memory running
    /// away.
    bytes_max: usize,
}

/// What a batch costs beside its entries: its place here, its list, its callback.
const BATCH_OVERHEAD_BYTES: usize = 256;
/// What an entry costs beside its bytes: two handles, two allocations.
const ENTRY_OVERHEAD_BYTES: usize = 128;

/// A batch, and who is to be told.
pub(super) struct Waiting {
    pub(super) batch: Batch,
    pub(super) done: Done,
    /// The thread that waits for the answer, and commits itself if nobody else does; `None` where a
    /// thread of the engine must.
    pub(super) owner: Option<Thread>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    /// What the waiting ones cost.
    bytes: usize,
    /// There is work for the committing thread that is no batch.
    is_nudged: bool,
    /// Why no more batches are taken.
    ended: Option<String>,
}

/// Why a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Batches wait, or somebody nudged.
    Work,
    /// Nothing waits, and nothing will come.
    Ended,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Queue {
        Queue { state: Mutex::default(), arrived: Condvar::new(), bytes_max }
    }

    /// Takes a batch in, and wakes nobody; gives it back where no more are taken.
    pub(super) fn add(&self, one: Waiting) -> Result<(), (EngineError, Waiting)> {
        let bytes = bytes_of(&one.batch);
        let mut state = self.lock();
        let refused = match &state.ended {
            Some(reason) => Some(EngineError::Closed(reason.clone())),
            // One batch is always taken, however large.
            None if state.bytes > 0 && state.bytes + bytes > self.bytes_max => {
                Some(EngineError::Overloaded { waiting_bytes: state.bytes })
            }
            None => None,
        };
        if let Some(error) = refused {
            return Err((error, one));
        }
        state.bytes += bytes;
        state.waiting.push(one);
        Ok(())
    }

    /// Wakes whoever can commit what waits, if anything does: who led must not leave it to nobody.
    pub(super) fn hand_over(&self) {
        match self.lock().waiting.first() {
            Some(Waiting { owner: Some(owner), .. }) => owner.unpark(),
            Some(Waiting { owner: None, .. }) => self.arrived.notify_one(),
            None => {}
        }
    }

    /// How many batches wait.
    pub(super) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Everything that waits, in order; and why no more is taken, if so.
    pub(super) fn take(&self) -> (Vec<Waiting>, Option<String>) {
        let mut state = self.lock();
        state.bytes = 0;
        (std::mem::take(&mut state.waiting), state.ended.clone())
    }

    /// Waits for batches, or for a nudge.
    pub(super) fn wait(&self) -> Woken {
        let mut state = self.lock();
        loop {
            if !state.waiting.is_empty() || std::mem::take(&mut state.is_nudged) {
                return Woken::Work;
            }
            if state.ended.is_some() {
                return Woken::Ended;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes the waiting thread look, though nothing waits.
    pub(super) fn nudge(&self) {
        self.lock().is_nudged = true;
        self.arrived.notify_one();
    }

    /// Takes no more batches, for `reason`; the first reason stays. What waits is still committed.
    pub(super) fn end(&self, reason: &str) {
        self.lock().ended.get_or_insert_with(|| reason.to_owned());
        self.arrived.notify_all();
    }

    /// Takes no more batches, and refuses those that wait.
    pub(super) fn refuse_all(&self, reason: &str) {
        self.end(reason);
        for Waiting { done, .. } in self.take().0 {
            answer(done, Err(EngineError::Closed(reason.to_owned())));
        }
    }

    /// Why no more batches are taken, if none are.
    pub(super) fn ended(&self) -> Option<String> {
        self.lock().ended.clone()
    }

    /// State is a list and a few words, valid after every statement: a panic elsewhere leaves it
    /// usable.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls `done`. Should it panic, that is its owner's loss: the others are answered too.
pub(super) fn answer(done: Done, result: Result<(), EngineError>) {
    if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
        tracing::error!("a callback of a write panicked");
    }
}

/// What a batch costs while it waits. Were its bytes alone counted, batches of a few bytes each would
/// take many times the memory set aside, and empty ones any.
fn bytes_of(batch: &Batch) -> usize {
    let bytes = |(key, value): &(_, _)| {
        let (key, value): (&bytes::Bytes, &Option<bytes::Bytes>) = (key, value);
        ENTRY_OVERHEAD_BYTES + key.len() + value.as_ref().map_or(0, bytes::Bytes::len)
    };
    BATCH_OVERHEAD_BYTES + batch.entries.iter().map(bytes).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[test]
    fn a_callback_that_panics_keeps_nobody_else_from_being_refused() {
        let queue = Queue::new(1 << 20);
        let told = Arc::new(AtomicUsize::new(0));
        let second = told.clone();
        let dones: [Done; 2] = [
            Box::new(|_| panic!("a planted panic")),
            Box::new(move |result| {
                assert!(matches!(result, Err(EngineError::Closed(_))), "{result:?}");
                second.fetch_add(1, Relaxed);
            }),
        ];
        for done in dones {
            let added = queue.add(Waiting { batch: Batch::default(), done, owner: None });
            assert!(added.is_ok());
        }
        queue.refuse_all("it broke");
        assert_eq!(told.load(Relaxed), 1);
    }

    #[test]
    fn batches_of_no_bytes_fill_the_queue_too() {
        let queue = Queue::new(10 * BATCH_OVERHEAD_BYTES);
        let waiting = || Waiting { batch: Batch::default(), done: Box::new(|_| ()), owner: None };
        let refused: Vec<EngineError> =
            (0..100).filter_map(|_| queue.add(waiting()).err()).map(|(why, _)| why).collect();
        assert_eq!((queue.len(), refused.len()), (10, 90));
        for why in refused {
            assert!(matches!(why, EngineError::Overloaded { .. }), "{why:?}");
        }
    }
}
