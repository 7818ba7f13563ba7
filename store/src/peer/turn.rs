//! Whose turn it is to be read: of the connections of one node, the newest alone.
//!
//! A node asks over one connection at a time, in order, and dials another only when it has given up the
//! one before. What it sent over that may still lie unread on our side, and must not be taken up after
//! what it sends now: a copy of a record, late by an outage, could bring back what was deleted since.
//! So a newer connection ends the reading of the older before it is read itself; what was not read by
//! then never is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Seat, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

/// Turns to be read, one for each node.
#[derive(Debug, Default)]
pub(super) struct Turns {
    // A plain lock: held for a lookup, never across an await. As many as there are members.
    newest: Mutex<HashMap<Arc<str>, Newest>>,
}

/// The newest connection of a node.
#[derive(Debug, Default)]
struct Newest {
    /// Told when there is a newer.
    over: CancellationToken,
    /// Taken by whoever is read.
    seat: Arc<Seat<()>>,
}

/// The right to be read, until [`Turn::over`]; given up when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    over: CancellationToken,
    _seat: OwnedMutexGuard<()>,
}

impl Turns {
    /// Waits until no older connection of `node` is read any more.
    pub(super) async fn take(&self, node: &Arc<str>) -> Turn {
        let over = CancellationToken::new();
        let seat = {
            let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            let newest = newest.entry(node.clone()).or_default();
            std::mem::replace(&mut newest.over, over.clone()).cancel();
            newest.seat.clone()
        };
        Turn { over, _seat: seat.lock_owned().await }
    }
}

impl Turn {
    /// Returns when a newer connection wants to be read.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_newest_is_read_once_those_before_have_stopped() {
        let (turns, n1) = (Turns::default(), Arc::from("n1"));
        let oldest = turns.take(&n1).await;
        assert!(oldest.over().now_or_never().is_none());
        let mut older = Box::pin(turns.take(&n1));
        assert!(older.as_mut().now_or_never().is_none());
        oldest.over().await;
        let mut newest = Box::pin(turns.take(&n1));
        assert!(newest.as_mut().now_or_never().is_none());
        drop(oldest);
        assert!(newest.as_mut().now_or_never().is_none(), "one after the other");
        let older = older.await;
        older.over().await;
        drop(older);
        assert!(newest.await.over().now_or_never().is_none());
    }

    #[tokio::test]
    async fn one_node_does_not_wait_for_another() {
        let turns = Turns::default();
        let first = turns.take(&Arc::from("n1")).await;
        turns.take(&Arc::from("n2")).await;
        assert!(first.over().now_or_never().is_none());
    }
}
