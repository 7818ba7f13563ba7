//! Whether this node answers reads, or has yet to hear what it may have held in a former life: the
//! shell around [`CatchUp`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Replica, ReplicaError};
use crate::catch_up::CatchUp;
use crate::engine::Batch;
use crate::layout;
use crate::placement::Home;
use crate::ring::NodeId;

/// Whether this node answers reads.
pub(super) struct Standing {
    start: Instant,
    /// As [`CatchUp::left`] says: whoever lost nothing need not take the lock.
    left: AtomicUsize,
    catch_up: Mutex<CatchUp>,
}

impl Standing {
    /// Of a node that starts now.
    pub(super) fn new(catch_up: CatchUp) -> Standing {
        let left = AtomicUsize::new(catch_up.left());
        Standing { start: Instant::now(), left, catch_up: Mutex::new(catch_up) }
    }

    fn lock(&self) -> MutexGuard<'_, CatchUp> {
        self.catch_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replica {
    /// The same, that answers no read before this is done.
    #[must_use]
    pub fn catching_up(self, catch_up: CatchUp) -> Replica {
        Replica { standing: Standing::new(catch_up), ..self }
    }

    /// Refuses reads of keys of `home` that a former life may have known better.
    pub fn answers(&self, home: &Home) -> Result<(), ReplicaError> {
        if self.standing.left.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let catch_up = self.standing.lock();
        let owed: Vec<&str> = catch_up.owed(&home.primaries).map(NodeId::as_str).collect();
        if owed.is_empty() { Ok(()) } else { Err(ReplicaError::CatchingUp(owed.join(", "))) }
    }

    /// With how many other nodes it has yet to exchange before it answers all reads.
    pub fn catching_up_with(&self) -> usize {
        self.standing.left.load(Ordering::Acquire)
    }

    /// With whom an exchange begun now would bring it on.
    pub fn owed_exchanges(&self) -> Vec<NodeId> {
        self.standing.lock().due(self.age()).cloned().collect()
    }

    /// How long ago it was opened.
    pub fn age(&self) -> Duration {
        self.standing.start.elapsed()
    }

    /// Nothing that `with` held at this age of ours is missing here. Remembers when nothing is left to
    /// be heard, so that the next start answers at once.
    pub fn has_exchanged(&self, with: &NodeId, began: Duration) {
        let mut catch_up = self.standing.lock();
        let left = catch_up.left();
        catch_up.exchanged(with, began);
        self.standing.left.store(catch_up.left(), Ordering::Release);
        if left > 0 && catch_up.left() == 0 {
            tracing::info!("caught up: reads are answered");
            self.remember_whole();
        }
    }

    /// Makes durable that this directory lacks nothing, what others have forgotten among it; who never
    /// hears of that starts over.
    fn remember_whole(&self) {
        let (_turn, floor) = self.shared.floor.raise(0);
        let whole = (layout::meta(layout::WHOLE), Some(Bytes::from_static(&[1])));
        let told = |result| {
            if let Err(error) = result {
                tracing::warn!("failed to remember that this node has caught up: {error}");
            }
        };
        self.shared.engine.write(Batch { entries: vec![floor, whole] }, Box::new(told));
    }
}
