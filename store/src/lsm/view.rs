//! Which state counts now, and the word that it changed.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::pressure::Load;
use super::state::State;

/// Which state counts now.
pub(super) struct View {
    /// What of the current state writers must mind, beside it, so that each of them need not share it.
    frozen: AtomicUsize,
    level0: AtomicUsize,
    /// Held for as long as it takes to share a handle, or to put another in its place.
    current: RwLock<Arc<State>>,
    /// Goes up with every change. A mutex of its own: who waits for changes must not hold up readers.
    generation: Mutex<u64>,
    changed: Condvar,
}

impl View {
    pub(super) fn new(state: State) -> View {
        let (frozen, level0) = (AtomicUsize::new(0), AtomicUsize::new(state.levels.level(0).len()));
        let current = RwLock::new(Arc::new(state));
        View { frozen, level0, current, generation: Mutex::new(0), changed: Condvar::new() }
    }

    /// The state that counts now.
    pub(super) fn current(&self) -> Arc<State> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts what `edit` makes of the state in its place, and tells those who wait for it.
    pub(super) fn edit(&self, edit: impl FnOnce(&State) -> State) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(edit(&current));
        self.frozen.store(current.frozen.len(), Relaxed);
        self.level0.store(current.levels.level(0).len(), Relaxed);
        drop(current);
        self.nudge();
    }

    /// What writers must mind; perhaps a moment old.
    pub(super) fn load(&self) -> Load {
        Load { frozen: self.frozen.load(Relaxed), level0: self.level0.load(Relaxed) }
    }

    /// How many changes there were: to be asked before the state that one may have to wait on.
    pub(super) fn generation(&self) -> u64 {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait to look again.
    pub(super) fn nudge(&self) {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits until there were more changes than `seen`, or for `patience`.
    pub(super) fn wait(&self, seen: u64, patience: Duration) {
        let generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
        let unchanged = |generation: &mut u64| *generation == seen;
        // Who waits looks at the state again, whatever ended the wait.
        drop(self.changed.wait_timeout_while(generation, patience, unchanged));
    }
}
