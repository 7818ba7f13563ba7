//! How this node's copies lose their tombstones, once it is known that nothing can need them.
//!
//! What must outlive a tombstone is how high its counters went. A register whose next write counted
//! from one again would be below the tombstone that another replica still holds; a sibling would get a
//! dot that others know to be dead. So each node keeps a *floor*, the highest counter it has forgotten
//! of any key, and says it wherever it holds nothing: whoever writes goes on above. One number for all
//! keys is enough, for counters need only rise, and 64 bits are enough for that.
//!
//! Invariant: the floor is durable no later than that the tombstones below it are gone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::walk::Walk;
use super::{Listed, Page, Replica, ReplicaError};
use crate::engine::{Batch, Engine, EngineError};
use crate::layout;
use crate::placement::TreeId;
use crate::version::{Encoded, Record};

/// The highest counter forgotten.
#[derive(Default)]
pub(super) struct Floor {
    counter: AtomicU64,
    /// Held while it rises and is handed to the engine, lest a lower one overtake a higher.
    rising: Mutex<()>,
}

impl Floor {
    /// As the engine remembers it.
    pub(super) fn load(engine: &dyn Engine) -> Result<Floor, EngineError> {
        let kept = engine.get(&layout::meta(layout::FLOOR))?;
        let counter = kept.and_then(|bytes| Some(u64::from_be_bytes(bytes[..].try_into().ok()?)));
        Ok(Floor { counter: AtomicU64::new(counter.unwrap_or(0)), rising: Mutex::default() })
    }

    pub(super) fn get(&self) -> u64 {
        self.counter.load(Ordering::Acquire)
    }

    /// Raises it, and says what the engine is to remember, before the lock it returns is let go.
    pub(super) fn raise(&self, counter: u64) -> (MutexGuard<'_, ()>, (Bytes, Option<Bytes>)) {
        let turn = self.rising.lock().unwrap_or_else(PoisonError::into_inner);
        let floor = self.counter.fetch_max(counter, Ordering::AcqRel).max(counter);
        let kept = Bytes::copy_from_slice(&floor.to_be_bytes());
        (turn, (layout::meta(layout::FLOOR), Some(kept)))
    }
}

impl Replica {
    /// The highest counter of all tombstones that this node, or one it has compared with, has forgotten.
    pub fn floor(&self) -> u64 {
        self.shared.floor.get()
    }

    /// Goes on above what another replica has forgotten.
    pub fn raise_floor(&self, counter: u64) {
        if counter > self.floor() {
            let (_turn, entry) = self.shared.floor.raise(counter);
            let told = |result| {
                if let Err(error) = result {
                    tracing::warn!("failed to remember what others have forgotten: {error}");
                }
            };
            self.shared.engine.write(Batch { entries: vec![entry] }, Box::new(told));
        }
    }

    /// Tombstones of a tree that may be forgotten some day, after `after`, with their digests; looks at
    /// every record of its keyspace from there on.
    ///
    /// # Errors
    ///
    /// Where the engine fails, or a record cannot be read.
    pub async fn list_tombstones(
        &self,
        tree: TreeId,
        after: Option<&Bytes>,
    ) -> Result<Page, ReplicaError> {
        let keyspace = self.placement.trees()[tree].keyspace.clone();
        let mut page = Page::default();
        let mut bytes = 0;
        let mut walk = Walk::everywhere(&*self.shared.engine, &keyspace, after);
        while let Some(records) = walk.next()? {
            for (key, encoded) in records {
                let record = Record::decode(&encoded)?;
                let is_dead = record.is_tombstone() && record.counter().is_some();
                if !is_dead || self.placement.home(&key).tree != tree {
                    continue;
                }
                // While it flies the tree may not tell of it yet, and a comparison would pass over it.
                if self.shared.is_flying(&layout::data(&keyspace, &key)) {
                    continue;
                }
                if page.keys.len() == Page::KEYS_MAX || bytes >= Page::KEY_BYTES {
                    return Ok(Page { more: true, ..page });
                }
                bytes += key.len();
                page.keys.push((key, xxh3_64(&encoded)));
            }
            tokio::task::yield_now().await;
        }
        Ok(page)
    }

    /// Forgets these tombstones where they are still what is held; returns how many, once that is
    /// durable.
    ///
    /// *Requires* that nothing is left anywhere that they superseded, see
    /// [`Reaping`](crate::anti_entropy::Reaping).
    ///
    /// # Errors
    ///
    /// Where the engine fails; some may be forgotten then, and others not.
    pub async fn forget(&self, tree: TreeId, tombstones: &[Listed]) -> Result<u64, ReplicaError> {
        let mut flights = Vec::new();
        for (key, digest) in tombstones {
            let home = self.placement.home(key);
            if home.tree != tree {
                continue;
            }
            let (tell, told) = oneshot::channel();
            let next = |own: Option<Encoded>| {
                let is_it = |own: &Encoded| own.digest() == *digest && own.record().is_tombstone();
                let is_kept = |own: &Encoded| !is_it(own) || own.record().counter().is_none();
                let is_gone = own.as_ref().is_some_and(|own| !is_kept(own));
                Ok((own.filter(is_kept), is_gone))
            };
            self.change(home, key, next, |result| drop(tell.send(result)));
            flights.push(told);
        }
        let mut forgotten = 0;
        for told in flights {
            forgotten += u64::from(self.landed(told).await?);
        }
        Ok(forgotten)
    }
}
