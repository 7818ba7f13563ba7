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
//! lock stripe -> in flight, or engine.get -> join -> engine.leave -> unlock   … done -> trees, reply
//! ```
//!
//! Whoever changes copies then says [`Replica::lead`], once for all that it began together.
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

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use crate::catch_up::CatchUp;
use crate::clock::{Clock, WallClock};
use crate::engine::{Batch, Engine, EngineError};
use crate::layout;
use crate::placement::{Home, Placement, TreeId};
use crate::version::{Actor, Context, Encoded, Kind, Record, Write, Written};

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
    // A plain lock: held for a lookup and a hand-over, never across an await. A list, for few keys of a
    // stripe are in flight at once.
    stripes: Vec<Mutex<Vec<Flight>>>,
    trees: Trees,
    live: AtomicI64,
    tombstones: AtomicI64,
    floor: Floor,
    tickets: AtomicU64,
}

/// The newest record of a key left with the engine, while it is not yet durable.
struct Flight {
    stored: Bytes,
    ticket: u64,
    /// `None`: it is removed.
    held: Option<Encoded>,
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
        Ok(self.copy(home, key)?.map(Encoded::into_record))
    }

    /// The own copy of `key`, with its encoding.
    pub fn copy(&self, home: &Home, key: &[u8]) -> Result<Option<Encoded>, ReplicaError> {
        Ok(self.get_encoded(home, key)?.map(Encoded::read).transpose()?)
    }

    /// Says that these keys are about to be asked for, or written: worth it where they are several.
    pub fn expect<'a>(&self, keys: impl IntoIterator<Item = &'a [u8]>) {
        let stored = |key| layout::data(&self.placement.home(key).keyspace, key);
        let stored: SmallVec<[Bytes; 16]> = keys.into_iter().map(stored).collect();
        if stored.len() > 1 {
            self.shared.engine.expect(&stored);
        }
    }

    /// Has what was begun committed: here and now, where that waits for nothing.
    pub fn lead(&self) {
        self.shared.engine.lead();
    }

    /// Has what was begun committed by a thread of the engine.
    pub fn wake(&self) {
        self.shared.engine.wake();
    }

    /// Joins `record` with the own copy; returns when the result is durable.
    pub async fn join(&self, home: &Home, key: &Bytes, record: Record) -> Result<(), ReplicaError> {
        let (tell, told) = oneshot::channel();
        self.begin_join(home, key, Encoded::of(record), |result| drop(tell.send(result)));
        self.landed(told).await
    }

    /// Begins to join `record` with the own copy; `done` is told, perhaps at once, when the result is
    /// durable, or why it is not.
    pub fn begin_join(
        &self,
        home: &Home,
        key: &Bytes,
        record: Encoded,
        done: impl FnOnce(Result<(), ReplicaError>) + Send + 'static,
    ) {
        let next = |own: Option<Encoded>| {
            let joined = match own {
                Some(own) => own.join(record),
                None => record,
            };
            Ok((Some(joined), ()))
        };
        self.change(home, key, next, done);
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
        let (tell, told) = oneshot::channel();
        self.begin_update(home, key, context, value, |result| drop(tell.send(result)));
        self.landed(told).await
    }

    /// Begins to write so; `done` is told, perhaps at once.
    pub fn begin_update(
        &self,
        home: &Home,
        key: &Bytes,
        context: &Context,
        value: Option<Bytes>,
        done: impl FnOnce(Result<(Record, Context), ReplicaError>) + Send + 'static,
    ) {
        let next = |own: Option<Encoded>| {
            let own = own.map(Encoded::into_record);
            own.as_ref().map_or(Ok(()), |own| own_kind(home, own))?;
            let (actor, wall_micros) = (&self.actor, self.clock.micros());
            let floor = self.floor();
            let write = Write { context, actor, floor, wall_micros, value };
            let written = write.over(own, &home.settings, self.record_bytes);
            let Written { record, context } = written.map_err(ReplicaError::Crowded)?;
            Ok((Some(Encoded::of(record.clone())), (record, context)))
        };
        self.change(home, key, next, done);
    }

    /// The trees over the own copies.
    pub fn trees(&self) -> &Trees {
        &self.shared.trees
    }

    /// Keys with a value, tombstones left out.
    pub fn live_keys(&self) -> u64 {
        self.shared.live.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }

    /// Deleted keys of which a tombstone is held that may be forgotten some day.
    pub fn tombstones(&self) -> u64 {
        self.shared.tombstones.load(Ordering::Relaxed).try_into().unwrap_or(0)
    }

    /// Waits for the end of a change.
    async fn landed<T>(
        &self,
        told: oneshot::Receiver<Result<T, ReplicaError>>,
    ) -> Result<T, ReplicaError> {
        self.lead();
        let closed = |_| EngineError::Closed("it ended with a write in hand".to_owned());
        told.await.map_err(closed)?
    }

    /// Leaves with the engine the record that `next` makes of the own copy, `None` to remove it. What it
    /// makes beside that, `done` gets when that is durable.
    fn change<T: Send + 'static>(
        &self,
        home: &Home,
        key: &Bytes,
        next: impl FnOnce(Option<Encoded>) -> Result<(Option<Encoded>, T), ReplicaError>,
        done: impl FnOnce(Result<T, ReplicaError>) + Send + 'static,
    ) {
        if let Err((done, told)) = self.hand_over(home, key, next, done) {
            done(told);
        }
    }

    /// The same, but for what can be told without the engine: that is given back, for here a lock is held.
    fn hand_over<T: Send + 'static, D: FnOnce(Result<T, ReplicaError>) + Send + 'static>(
        &self,
        home: &Home,
        key: &Bytes,
        next: impl FnOnce(Option<Encoded>) -> Result<(Option<Encoded>, T), ReplicaError>,
        done: D,
    ) -> Result<(), (D, Result<T, ReplicaError>)> {
        let stored = layout::data(&home.keyspace, key);
        let mut stripe = self.shared.stripe(&stored);
        let flying = stripe.iter().position(|flight| flight.stored == stored);
        let own = match flying {
            Some(at) => Ok(stripe[at].held.clone()),
            None => self.shared.durable_copy(&stored),
        };
        let made = own.and_then(|own| Ok((next(own.clone())?, own)));
        let ((held, beside), own) = match made {
            Ok(made) => made,
            Err(error) => return Err((done, Err(error))),
        };
        if flying.is_none() && own == held {
            return Err((done, Ok(beside)));
        }
        let step = Step::between(home.tree, key, own.as_ref(), held.as_ref());
        let ticket = self.shared.tickets.fetch_add(1, Ordering::Relaxed);
        let (shared, flown) = (self.shared.clone(), stored.clone());
        let landed = move |result: Result<(), EngineError>| {
            // After a failed write the engine takes no more, so nobody builds on what fell.
            if result.is_ok() {
                shared.note(&step);
            }
            shared.remove_flight(&flown, ticket);
            done(result.map(|()| beside).map_err(ReplicaError::from));
        };
        let mut entries = vec![(stored.clone(), held.as_ref().map(|held| held.bytes().clone()))];
        let gone = own.filter(|_| held.is_none()).and_then(|own| own.record().counter());
        let turn = gone.map(|counter| {
            let (turn, floor) = self.shared.floor.raise(counter);
            entries.push(floor);
            turn
        });
        let batch = Batch { entries };
        // Under the lock, so that the engine gets a key's records in the order they were made.
        if let Err(refused) = self.shared.engine.leave(batch, Box::new(landed)) {
            // As by an engine with too much to do. It never flew, so that nobody joins with it.
            drop((stripe, turn));
            (refused.done)(Err(refused.why));
            return Ok(());
        }
        // What is in flight already is left once more: its durability is that of the later.
        let flight = Flight { stored, ticket, held };
        match flying {
            Some(at) => stripe[at] = flight,
            None => stripe.push(flight),
        }
        Ok(())
    }
}

impl Shared {
    fn stripe(&self, stored: &[u8]) -> MutexGuard<'_, Vec<Flight>> {
        let stripe = &self.stripes[xxh3_64(stored) as usize % STRIPES];
        stripe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn durable_copy(&self, stored: &[u8]) -> Result<Option<Encoded>, ReplicaError> {
        Ok(self.engine.get(stored)?.map(Encoded::read).transpose()?)
    }

    /// Whether a write of the key is not yet durable, and told to its tree.
    fn is_flying(&self, stored: &[u8]) -> bool {
        self.stripe(stored).iter().any(|flight| flight.stored == stored)
    }

    /// A write is in flight no more, unless a later one of its key is.
    fn remove_flight(&self, stored: &Bytes, ticket: u64) {
        let mut stripe = self.stripe(stored);
        if let Some(at) = stripe.iter().position(|flight| flight.ticket == ticket) {
            stripe.swap_remove(at);
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
    fn between(tree: TreeId, key: &Bytes, own: Option<&Encoded>, held: Option<&Encoded>) -> Step {
        // As a key with a value, and as a tombstone that may go some day.
        let counts = |held: Option<&Encoded>| match held.map(Encoded::record) {
            None => (0, 0),
            Some(record) if record.has_value() => (1, 0),
            Some(record) => (0, i64::from(record.counter().is_some())),
        };
        let (before, now) = (counts(own), counts(held));
        Step {
            tree,
            key: key.clone(),
            before: own.map(Encoded::digest),
            after: held.map(Encoded::digest),
            live: now.0 - before.0,
            tombstones: now.1 - before.1,
        }
    }
}

#[cfg(test)]
mod tests;
