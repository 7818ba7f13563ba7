//! This node's own copies: every record it keeps as a primary, over an [`Engine`].
//!
//! A write joins what comes in with what is held and says so only when the result is durable. Two
//! writes to one key must not read the same old copy, but neither should the second wait for the
//! first one's disk: so what was handed to the engine and is not yet durable is kept *in flight*, the
//! next write joins with that, and the engine, which makes batches durable in order, lets a whole
//! crowd of writers to one key share a sync. Readers see the engine alone, and so nothing that a
//! crash could take back.
//!
//! ```text
//! lock stripe -> in flight, or engine.get -> join -> engine.write -> unlock   … done -> trees, reply
//! ```
//!
//! A tombstone is forgotten once nobody can need it ([`Replica::forget`]); what is remembered of all that
//! were is the *floor*, the highest counter among them, above which every new write must count.
//!
//! The siblings' dots, and the counters of server vectors, are given here and nowhere else: what a
//! client's write makes of the copy held is decided by [`Write`], under the lock.
//!
//! Invariants: a sibling dot is durable here before anybody else sees it, so it is never given twice;
//! each of the [`Trees`] tells of exactly the records that are durable here.

mod error;
mod forgetting;
mod listing;
mod plant;
mod serving;
mod standing;
mod trees;
mod walk;

pub use error::ReplicaError;
pub use listing::{Listed, Page};
pub use trees::Trees;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use crate::catch_up::CatchUp;
use crate::clock::{Clock, WallClock};
use crate::engine::{Batch, Engine, EngineError};
use crate::layout;
use crate::placement::{Home, Placement, TreeId};
use crate::version::{Actor, Context, Kind, Record, Write, Written};

use forgetting::Floor;
use standing::Standing;

/// Locks over the keys; two keys share one by accident, and then only for a lookup.
const STRIPES: usize = 1024;

/// This node's own copies.
pub struct Replica {
    actor: Actor,
    /// The longest record a sibling update may make, in bytes.
    record_bytes: usize,
    placement: Arc<Placement>,
    /// For the pairs of server vectors; dots need none.
    clock: Arc<dyn Clock>,
    standing: Standing,
    shared: Arc<Shared>,
}

/// What the engine's thread touches too, when a write has become durable.
struct Shared {
    engine: Arc<dyn Engine>,
    // A plain lock: held for a lookup and a hand-over, never across an await.
    stripes: Vec<Mutex<HashMap<Bytes, Flight>>>,
    trees: Trees,
    live: AtomicI64,
    tombstones: AtomicI64,
    floor: Floor,
    tickets: AtomicU64,
}

/// The newest record of a key handed to the engine, while it is not yet durable.
struct Flight {
    ticket: u64,
    /// `None`: it is removed.
    record: Option<Record>,
}

/// A write handed over: the record it leaves, and where word of its durability will come.
struct Landing {
    record: Option<Record>,
    /// `None` if it is durable already.
    durable: Option<Durability>,
}

/// Where word of a flight's end will come.
struct Durability {
    stored: Bytes,
    ticket: u64,
    told: oneshot::Receiver<Result<(), EngineError>>,
}

impl Replica {
    /// The copies in `engine`, written from now on as `actor`. Looks at every record once, to plant
    /// the trees.
    pub fn open(
        engine: Arc<dyn Engine>,
        placement: Arc<Placement>,
        actor: Actor,
        record_bytes: usize,
    ) -> Result<Replica, ReplicaError> {
        let shared = Arc::new(Shared {
            floor: Floor::load(&*engine)?,
            engine,
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            trees: Trees::new(&placement),
            live: AtomicI64::new(0),
            tombstones: AtomicI64::new(0),
            tickets: AtomicU64::new(0),
        });
        let clock = Arc::new(WallClock);
        let standing = Standing::new(CatchUp::default());
        let replica = Replica { actor, record_bytes, placement, clock, standing, shared };
        replica.plant()?;
        Ok(replica)
    }

    /// The same, with another wall clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Replica {
        Replica { clock, ..self }
    }

    /// The own copy of `key`, as stored.
    pub fn get_encoded(&self, home: &Home, key: &[u8]) -> Result<Option<Bytes>, ReplicaError> {
        Ok(self.shared.engine.get(&layout::data(&home.keyspace, key))?)
    }

    /// The own copy of `key`.
    pub fn get(&self, home: &Home, key: &[u8]) -> Result<Option<Record>, ReplicaError> {
        let encoded = self.get_encoded(home, key)?;
        Ok(encoded.map(|encoded| Record::decode(&encoded)).transpose()?)
    }

    /// Joins `record` with the own copy; returns when the result is durable.
    pub async fn join(&self, home: &Home, key: &Bytes, record: Record) -> Result<(), ReplicaError> {
        self.change(home, key, |own| Ok(Record::join_held(own, Some(record)))).await.map(drop)
    }

    /// Writes `value` (`None` deletes) over the siblings that `context` has seen, numbered by this
    /// node; returns the record once it is durable, and the context with which the writer may go on.
    pub async fn update(
        &self,
        home: &Home,
        key: &Bytes,
        context: &Context,
        value: Option<Bytes>,
    ) -> Result<(Record, Context), ReplicaError> {
        let mut after = Context::default();
        let floor = self.floor();
        let updated = self.change(home, key, |own| {
            own.as_ref().map_or(Ok(()), |own| own_kind(home, own))?;
            let (actor, wall_micros) = (&self.actor, self.clock.micros());
            let write = Write { context, actor, floor, wall_micros, value };
            let written = write.over(own, &home.settings, self.record_bytes);
            let Written { record, context } = written.map_err(ReplicaError::Crowded)?;
            after = context;
            Ok(Some(record))
        });
        Ok((updated.await?.expect("an update leaves a record"), after))
    }

    /// The trees over the own copies.
    pub fn trees(&self) -> &Trees {
        &self.shared.trees
    }

    /// Keys with a value, tombstones left out.
    pub fn live_keys(&self) -> u64 {
        self.shared.live.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }

    /// Deleted keys of which a tombstone is held.
    pub fn tombstones(&self) -> u64 {
        self.shared.tombstones.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }

    /// Makes `next` of the own copy, `None` to remove it; returns that when it is durable.
    async fn change(
        &self,
        home: &Home,
        key: &Bytes,
        next: impl FnOnce(Option<Record>) -> Result<Option<Record>, ReplicaError>,
    ) -> Result<Option<Record>, ReplicaError> {
        let Landing { record, durable } = self.hand_over(home, key, next)?;
        if let Some(Durability { stored, ticket, told }) = durable {
            let closed = |_| EngineError::Closed("it ended with a write in hand".to_owned());
            let told = told.await.map_err(closed).flatten();
            // Not in the callback, which a closed engine calls at once, under the lock of the stripe.
            told.inspect_err(|_| self.shared.remove_flight(&stored, ticket))?;
        }
        Ok(record)
    }

    fn hand_over(
        &self,
        home: &Home,
        key: &Bytes,
        next: impl FnOnce(Option<Record>) -> Result<Option<Record>, ReplicaError>,
    ) -> Result<Landing, ReplicaError> {
        let stored = layout::data(&home.keyspace, key);
        let mut stripe = self.shared.stripe(&stored).lock().unwrap_or_else(PoisonError::into_inner);
        let flying = stripe.get(&stored).map(|flight| flight.record.clone());
        let is_flying = flying.is_some();
        let own = match flying {
            Some(record) => record,
            None => self.get(home, key)?,
        };
        let record = next(own.clone())?;
        if own == record && !is_flying {
            return Ok(Landing { record, durable: None });
        }
        // What is in flight already is handed over once more: its durability is that of the later.
        let ticket = self.shared.tickets.fetch_add(1, Ordering::Relaxed);
        let before = stripe.insert(stored.clone(), Flight { ticket, record: record.clone() });
        let encoded = record.as_ref().map(Record::encode);
        let after = record.as_ref().zip(encoded.as_ref());
        let step = Step::between(home.tree, key, own.as_ref(), after);
        let mut entries = vec![(stored.clone(), encoded)];
        let gone = own.as_ref().filter(|_| record.is_none()).and_then(Record::counter);
        let _turn = gone.map(|counter| {
            let (turn, floor) = self.shared.floor.raise(counter);
            entries.push(floor);
            turn
        });
        let (tell, mut told) = oneshot::channel();
        let (shared, flown) = (self.shared.clone(), stored.clone());
        let batch = Batch { entries };
        // Under the lock, so that the engine gets a key's records in the order they were made.
        self.shared.engine.write(
            batch,
            Box::new(move |result| {
                // After a failed write the engine takes no more, so nobody builds on what fell.
                if result.is_ok() {
                    shared.note(&step);
                    shared.remove_flight(&flown, ticket);
                }
                let _ = tell.send(result);
            }),
        );
        // Refused at once, as by an engine with too much to do: that one goes on, and what never flew
        // must not be joined with by the next writer, nor by the books of its step.
        if let Ok(Err(refused)) = told.try_recv() {
            match before {
                Some(flight) => stripe.insert(stored, flight),
                None => stripe.remove(&stored),
            };
            return Err(refused.into());
        }
        Ok(Landing { record, durable: Some(Durability { stored, ticket, told }) })
    }
}

impl Shared {
    fn stripe(&self, stored: &[u8]) -> &Mutex<HashMap<Bytes, Flight>> {
        &self.stripes[xxh3_64(stored) as usize % STRIPES]
    }

    /// A write is in flight no more, unless a later one of its key is.
    fn remove_flight(&self, stored: &Bytes, ticket: u64) {
        let mut stripe = self.stripe(stored).lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(flight) = stripe.entry(stored.clone())
            && flight.get().ticket == ticket
        {
            flight.remove();
        }
    }

    fn note(&self, step: &Step) {
        self.trees.update(step.tree, &step.key, step.before, step.after);
        self.live.fetch_add(step.live, Ordering::Relaxed);
        self.tombstones.fetch_add(step.tombstones, Ordering::Relaxed);
    }
}

/// Whether `record` is of the kind that its keyspace asks for.
fn own_kind(home: &Home, record: &Record) -> Result<(), ReplicaError> {
    let (kept, asked) = (record.kind(), Kind::of(&home.settings));
    if kept == asked {
        return Ok(());
    }
    Err(ReplicaError::Kind { keyspace: home.keyspace.to_string(), kept, asked })
}

/// What a write changes in the books.
struct Step {
    tree: TreeId,
    key: Bytes,
    before: Option<u64>,
    after: Option<u64>,
    live: i64,
    tombstones: i64,
}

impl Step {
    /// From one record to another, given with its encoding.
    fn between(
        tree: TreeId,
        key: &Bytes,
        own: Option<&Record>,
        after: Option<(&Record, &Bytes)>,
    ) -> Step {
        // As a key with a value, and as a tombstone.
        let counts = |record: Option<&Record>| match record.map(Record::is_tombstone) {
            None => (0, 0),
            Some(is_dead) => (i64::from(!is_dead), i64::from(is_dead)),
        };
        let (before, now) = (counts(own), counts(after.map(|(record, _)| record)));
        Step {
            tree,
            key: key.clone(),
            before: own.map(Record::digest),
            after: after.map(|(_, encoded)| xxh3_64(encoded)),
            live: now.0 - before.0,
            tombstones: now.1 - before.1,
        }
    }
}

#[cfg(test)]
mod tests;
