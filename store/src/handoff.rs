//! Hinted handoff: writes kept on disk for nodes that missed them, and the loop that brings them.
//!
//! What is kept and in what order is decided in [`HintQueue`]; here it is made durable and sent. The
//! engine makes batches durable in order, so a hint is never removed before it was put. After a
//! restart the queue is filled again from the disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::engine::{Batch, Done, Engine, EngineError};
use crate::gossip::View;
use crate::hint::{Hint, HintId, HintQueue};
use crate::layout;
use crate::peer::message::{Answer, Ask, ReplicaWrite};
use crate::peer::{CallError, Peers};
use crate::ring::NodeId;
use crate::stats::Stats;
use crate::version::{Crowd, RECORD_BYTES, Record};

/// Between looks at who has returned.
const TICK: Duration = Duration::from_millis(100);
/// Looks between two for hints that were kept too long, each of which goes through all.
const EXPIRY_TICKS: u32 = 10;
/// For one hint to be acknowledged.
const PATIENCE: Duration = Duration::from_secs(1);
/// Hints on their way to one owner at once.
const WINDOW: usize = 32;
/// Hints taken from the queue in one go.
const ROUND: usize = 512;

/// Why a write is not kept in the stead of another node.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HoldError {
    /// Hints take all the room they may.
    #[error("ERR there is no room for more hints")]
    Full,
    /// Siblings nobody merges have grown over a limit.
    #[error("TOOBIG {0}")]
    Crowded(#[from] Crowd),
    /// The engine refused.
    #[error("ERR the engine failed: {0}")]
    Engine(#[from] EngineError),
}

/// The hints of this node, durable.
pub struct Hints {
    engine: Arc<dyn Engine>,
    stats: Arc<Stats>,
    leaving: Arc<Mutex<Leaving>>,
    start: Instant,
    /// How long a hint is kept.
    age: Duration,
    // A plain lock: held for a decision and a hand-over to the engine, never across an await.
    kept: Mutex<Kept>,
}

/// Hints that are kept no more, and may still be on disk: after a crash they would be kept again.
#[derive(Default)]
struct Leaving {
    /// Whose removal is with the engine.
    under_way: usize,
    /// Whose removal is to be tried once more.
    refused: Vec<Bytes>,
}

struct Kept {
    queue: HintQueue,
    /// Where each hint lies on disk.
    stored: HashMap<HintId, Bytes>,
    /// Found on disk at the start, and not kept: unreadable, or too many.
    strange: Vec<Bytes>,
    /// Of the next hint on disk; rises over restarts, so that hints keep their order.
    sequence: u64,
}

impl Hints {
    /// The hints in `engine` for these `owners`, in the order they were taken.
    pub fn open(
        engine: Arc<dyn Engine>,
        stats: Arc<Stats>,
        owners: impl IntoIterator<Item = NodeId>,
        limits: &Limits,
    ) -> Result<Hints, EngineError> {
        let queue = HintQueue::new(limits.hint_bytes);
        let mut kept = Kept { queue, stored: HashMap::new(), strange: Vec::new(), sequence: 0 };
        for owner in owners {
            kept.load(&*engine, &owner)?;
        }
        let age = Duration::from_millis(limits.hint_age_ms);
        let refused = std::mem::take(&mut kept.strange);
        let leaving = Arc::new(Mutex::new(Leaving { under_way: 0, refused }));
        Ok(Hints { engine, stats, leaving, start: Instant::now(), age, kept: Mutex::new(kept) })
    }

    /// Keeps `record` for `owner`, if there is room.
    pub fn take(&self, owner: &NodeId, key: &Bytes, record: &Record) {
        let told = Box::new(|result: Result<(), EngineError>| {
            if let Err(error) = result {
                tracing::error!("failed to keep hints: {error}");
            }
        });
        self.put(owner, key, record, told);
    }

    /// Keeps `record` in the stead of `owner`; returns when that is durable. Of siblings what is kept of a
    /// key, joined, is bounded as what a primary holds is: where no primary is in reach, nobody else is
    /// there to refuse.
    pub async fn hold(
        &self,
        owner: &NodeId,
        key: &Bytes,
        record: &Record,
        allowed: usize,
    ) -> Result<(), HoldError> {
        if matches!(record, Record::Siblings(_) | Record::Branches(_)) {
            let held = self.held(owner, key);
            let before = held.as_ref().map_or(0, Record::siblings);
            let joined = held.map_or_else(|| record.clone(), |held| held.join(record.clone()));
            Crowd::look(&joined, before, allowed, RECORD_BYTES)?;
        }
        let (tell, told) = oneshot::channel();
        let tell = Box::new(move |result| {
            let _ = tell.send(result);
        });
        if !self.put(owner, key, record, tell) {
            return Err(HoldError::Full);
        }
        let closed = |_| EngineError::Closed("it ended with a hint in hand".to_owned());
        Ok(told.await.map_err(closed).flatten()?)
    }

    /// What is kept of `key` in the stead of `owner`, joined.
    pub fn held(&self, owner: &NodeId, key: &Bytes) -> Option<Record> {
        self.lock().queue.held(owner, key)
    }

    /// Whether there was room; only then is `told` called.
    fn put(&self, owner: &NodeId, key: &Bytes, record: &Record, told: Done) -> bool {
        let hint = Hint { owner: owner.clone(), key: key.clone(), record: record.clone() };
        let value = encode(&hint);
        let mut kept = self.lock();
        let Some(id) = kept.queue.take(hint, self.start.elapsed()) else {
            self.stats.hints_dropped.add();
            return false;
        };
        self.stats.hints_taken.add();
        let stored = layout::hint(owner.as_str(), kept.sequence);
        kept.sequence += 1;
        kept.stored.insert(id, stored.clone());
        self.engine.write(Batch { entries: vec![(stored, Some(value))] }, told);
        true
    }

    /// Drops those that were kept too long.
    pub fn expire(&self) {
        let Some(then) = self.start.elapsed().checked_sub(self.age) else { return };
        let mut kept = self.lock();
        let expired = kept.queue.expire(then);
        if !expired.is_empty() {
            tracing::warn!(hints = expired.len(), "dropped hints that nobody came for");
        }
        for id in expired {
            let stored = kept.stored.remove(&id).expect("every kept hint lies somewhere");
            self.remove(stored);
            self.stats.hints_dropped.add();
        }
    }

    /// How many are kept, or may be once more after a crash.
    pub fn pending(&self) -> usize {
        // In this order: one that leaves meanwhile is counted twice rather than not at all.
        let kept = self.lock().queue.len();
        let leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        kept + leaving.under_way + leaving.refused.len()
    }

    /// How many are kept, by owner, and the bytes of all.
    pub fn kept(&self) -> (BTreeMap<NodeId, usize>, usize) {
        let kept = self.lock();
        (kept.queue.count_by_owner(), kept.queue.bytes())
    }

    /// Nodes for whom hints are kept, ascending.
    pub fn owners(&self) -> Vec<NodeId> {
        self.lock().queue.owners().cloned().collect()
    }

    /// The first hints of `owner`, in order.
    fn first(&self, owner: &NodeId) -> Vec<(HintId, Hint)> {
        let kept = self.lock();
        kept.queue.of(owner).take(ROUND).map(|(id, hint)| (id, hint.clone())).collect()
    }

    fn acknowledge(&self, owner: &NodeId, id: HintId) {
        let mut kept = self.lock();
        if kept.queue.acknowledge(owner, id) {
            let stored = kept.stored.remove(&id).expect("every kept hint lies somewhere");
            self.remove(stored);
            self.stats.hints_replayed.add();
        }
    }

    fn postpone(&self, owner: &NodeId, id: HintId) {
        let mut kept = self.lock();
        if let Some(later) = kept.queue.postpone(owner, id) {
            let stored = kept.stored.remove(&id).expect("every kept hint lies somewhere");
            kept.stored.insert(later, stored);
        }
    }

    fn remove(&self, stored: Bytes) {
        let leaving = self.leaving.clone();
        leaving.lock().unwrap_or_else(PoisonError::into_inner).under_way += 1;
        let entries = vec![(stored.clone(), None)];
        let told = Box::new(move |result: Result<(), EngineError>| {
            let mut leaving = leaving.lock().unwrap_or_else(PoisonError::into_inner);
            leaving.under_way -= 1;
            if let Err(error) = result {
                tracing::error!("failed to drop a hint: {error}");
                leaving.refused.push(stored);
            }
        });
        self.engine.write(Batch { entries }, told);
    }

    /// Tries once more to remove from disk what could not be removed.
    fn retry_removals(&self) {
        let refused = {
            let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut leaving.refused)
        };
        for stored in refused {
            self.remove(stored);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn load(&mut self, engine: &dyn Engine, owner: &NodeId) -> Result<(), EngineError> {
        let mut from = layout::hint(owner.as_str(), 0);
        loop {
            let page = engine.scan(&from, ROUND)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            from = layout::after(last);
            for (stored, value) in page {
                let Some(sequence) = layout::hint_sequence(owner.as_str(), &stored) else {
                    return Ok(());
                };
                self.sequence = self.sequence.max(sequence + 1);
                if let Some(id) =
                    decode(owner, value).and_then(|hint| self.queue.take(hint, Duration::ZERO))
                {
                    self.stored.insert(id, stored);
                } else {
                    tracing::warn!("dropped a hint for {owner} that cannot be kept");
                    self.strange.push(stored);
                }
            }
        }
    }
}

fn encode(hint: &Hint) -> Bytes {
    let record = hint.record.encode();
    let mut value = BytesMut::with_capacity(4 + hint.key.len() + record.len());
    value.put_u32(u32::try_from(hint.key.len()).expect("keys are within the limit of a pair"));
    value.put_slice(&hint.key);
    value.put_slice(&record);
    value.freeze()
}

fn decode(owner: &NodeId, mut value: Bytes) -> Option<Hint> {
    let length = value.try_get_u32().ok()? as usize;
    if length > value.len() {
        return None;
    }
    let key = value.split_to(length);
    Some(Hint { owner: owner.clone(), key, record: Record::decode(&value).ok()? })
}

/// Brings hints to their owners until `shutdown`.
pub async fn run(
    hints: Arc<Hints>,
    view: Arc<View>,
    peers: Arc<Peers>,
    shutdown: CancellationToken,
) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let rounds = async {
        for round in 0_u32.. {
            tick.tick().await;
            if round % EXPIRY_TICKS == 0 {
                hints.expire();
                hints.retry_removals();
            }
            let owners = hints.owners();
            let present = owners.iter().filter(|node| view.is_up(node) && peers.is_connected(node));
            futures_util::future::join_all(present.map(|node| replay(&hints, &peers, node))).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = rounds => {}
    }
}

/// Sends hints of `owner` in order, a window at a time, until none is left or one fails. One that was
/// refused is put off, and the rest wait for the next tick: the owner's disk may be full.
async fn replay(hints: &Hints, peers: &Peers, owner: &NodeId) {
    loop {
        let round = hints.first(owner);
        if round.is_empty() {
            return;
        }
        let sent = stream::iter(round).map(|(id, Hint { key, record, .. })| async move {
            let ask = Ask::Write(ReplicaWrite { key, record: record.encode(), held_for: None });
            (id, peers.call(owner, ask, Instant::now() + PATIENCE).await)
        });
        let mut sent = sent.buffered(WINDOW);
        while let Some((id, result)) = sent.next().await {
            match result {
                Ok(Answer::Done(_)) => hints.acknowledge(owner, id),
                Err(CallError::Refused(why)) => {
                    tracing::warn!("{owner} refused a hint: {why}");
                    hints.postpone(owner, id);
                    return;
                }
                Ok(other) => {
                    tracing::warn!("{owner} answered a hint with {other:?}");
                    return;
                }
                Err(error) => {
                    tracing::debug!("replay of hints to {owner} paused: {error}");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::lsm::{Lsm, Options};
    use crate::peer::frame::Hello;
    use crate::peer::message::Done;
    use crate::peer::{Handler, Timing, listen};
    use crate::version::{Actor, Context, Nonce, Siblings, Stamp};

    fn record(wall_micros: u64) -> Record {
        let (node, nonce) = (owner(), Nonce { epoch: 1, sequence: 1 });
        let stamp = Stamp { wall_micros, node, nonce };
        Record::Lww { stamp, value: Some("v".into()) }
    }

    fn owner() -> NodeId {
        NodeId::new("n2").unwrap()
    }

    fn open(engine: &Arc<Lsm>, limit_bytes: usize) -> Hints {
        let limits = Limits { hint_bytes: limit_bytes, ..Limits::default() };
        Hints::open(engine.clone(), Arc::default(), [owner()], &limits).unwrap()
    }

    fn keys(hints: &Hints) -> Vec<Bytes> {
        hints.first(&owner()).into_iter().map(|(_, hint)| hint.key).collect()
    }

    #[test]
    fn hints_come_back_in_order_after_a_restart_without_those_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        let start = || Arc::new(Lsm::open(directory.path(), Options::default()).unwrap());
        let engine = start();
        let hints = open(&engine, 1 << 20);
        for key in ["c", "a", "b"] {
            hints.take(&owner(), &Bytes::from(key), &record(1));
        }
        let (first, _) = hints.first(&owner())[0];
        hints.acknowledge(&owner(), first);
        hints.acknowledge(&owner(), first);
        engine.close().unwrap();
        assert_eq!((hints.pending(), hints.stats.hints_replayed.get()), (2, 1));
        drop((engine, hints));

        let engine = start();
        let hints = open(&engine, 1 << 20);
        hints.take(&owner(), &Bytes::from("0"), &record(2));
        assert_eq!(keys(&hints), ["a", "b", "0"]);
        assert_eq!(hints.first(&owner())[2].1.record, record(2));
        engine.close().unwrap();
    }

    #[tokio::test]
    async fn siblings_held_in_the_stead_of_another_are_bounded_as_its_own_are() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Arc::new(Lsm::open(directory.path(), Options::default()).unwrap());
        let hints = open(&engine, 1 << 20);
        let written = |context: &Context, epoch: u64| {
            let mut siblings = Siblings::default();
            siblings.update(context, Actor::new(owner(), epoch), Some("v".into()));
            Record::Siblings(siblings)
        };
        let (key, blind) = (Bytes::from("k"), Context::default());
        let (owner, allowed) = (owner(), 2);
        for epoch in [1, 2] {
            hints.hold(&owner, &key, &written(&blind, epoch), allowed).await.unwrap();
        }
        let refused = hints.hold(&owner, &key, &written(&blind, 3), allowed).await;
        let refused = refused.expect_err("one too many").to_string();
        assert!(refused.starts_with("TOOBIG the siblings of this key are 2"), "{refused}");
        let seen = hints.held(&owner, &key).unwrap().context();
        hints.hold(&owner, &key, &written(&seen, 4), allowed).await.unwrap();
        assert_eq!(hints.held(&owner, &key).unwrap().siblings(), 1, "a merge is taken");
        engine.close().unwrap();
    }

    #[test]
    fn a_hint_without_room_is_dropped_and_counted() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Arc::new(Lsm::open(directory.path(), Options::default()).unwrap());
        let hints = open(&engine, 0);
        hints.take(&owner(), &Bytes::from("a"), &record(1));
        assert_eq!((hints.pending(), hints.stats.hints_dropped.get()), (0, 1));
        engine.close().unwrap();
        assert_eq!(engine.scan(b"", 1).unwrap(), []);
    }

    #[test]
    fn a_hint_nobody_came_for_is_dropped_also_on_disk_and_counted() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Arc::new(Lsm::open(directory.path(), Options::default()).unwrap());
        let limits = Limits { hint_age_ms: 0, ..Limits::default() };
        let hints = Hints::open(engine.clone(), Arc::default(), [owner()], &limits).unwrap();
        hints.take(&owner(), &Bytes::from("a"), &record(1));
        hints.expire();
        engine.close().unwrap();
        assert_eq!((hints.pending(), hints.stats.hints_dropped.get()), (0, 1));
        assert_eq!(engine.scan(b"", 1).unwrap(), []);
    }

    #[test]
    fn a_hint_is_gone_when_its_removal_is_durable_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let start = || Arc::new(Lsm::open(directory.path(), Options::default()).unwrap());
        let engine = start();
        let hints = open(&engine, 1 << 20);
        hints.take(&owner(), &Bytes::from("a"), &record(1));
        let (id, _) = hints.first(&owner())[0];
        engine.close().unwrap();
        hints.acknowledge(&owner(), id);
        hints.retry_removals();
        assert_eq!((hints.pending(), hints.owners().len()), (1, 0), "a start would find it again");
        drop((engine, hints));

        let engine = start();
        assert_eq!(open(&engine, 1 << 20).pending(), 1, "as it does");
        let cramped = open(&engine, 0);
        assert_eq!((cramped.pending(), cramped.owners().len()), (1, 0), "not kept, and on disk");
        cramped.retry_removals();
        engine.close().unwrap();
        assert_eq!((cramped.pending(), engine.scan(b"h", 1).unwrap().len()), (0, 0));
    }

    /// An owner that says no until it is willing, and never takes the key `poison`. Remembers what it
    /// took.
    #[derive(Default)]
    struct Owner {
        is_willing: AtomicBool,
        taken: Mutex<Vec<Bytes>>,
    }

    impl Handler for Owner {
        fn judge(&self, _: &Hello) -> Option<String> {
            None
        }

        async fn handle(&self, _: &str, ask: Ask) -> Answer {
            let Ask::Write(write) = ask else { return Answer::refused("ERR only hints") };
            if !self.is_willing.load(Ordering::Relaxed) || write.key == "poison" {
                return Answer::refused("ERR the disk is full");
            }
            self.taken.lock().unwrap().push(write.key);
            Answer::Done(Done {})
        }
    }

    /// An owner at the other end of a connection.
    async fn reach_owner() -> (Arc<Owner>, Peers) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = format!(
            "{{cluster: demo, node: n1, data: /nowhere, members: [\
             {{node: n1, client: '127.0.0.1:1', peer: '127.0.0.1:2'}}, \
             {{node: n2, client: '127.0.0.1:3', peer: '{}'}}]}}",
            listener.local_addr().unwrap()
        );
        let far = Arc::new(Owner::default());
        tokio::spawn(listen(listener, far.clone(), CancellationToken::new()));
        let peers =
            Peers::dial(&serde_yaml::from_str(&config).unwrap(), Timing::default()).unwrap();
        let connected = async {
            while !peers.is_connected(&owner()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), connected).await.expect("connected in 10 s");
        (far, peers)
    }

    #[tokio::test]
    async fn a_hint_is_dropped_only_after_its_owner_has_acked() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Arc::new(Lsm::open(directory.path(), Options::default()).unwrap());
        let hints = open(&engine, 1 << 20);
        hints.take(&owner(), &Bytes::from("a"), &record(1));
        let (far, peers) = reach_owner().await;
        replay(&hints, &peers, &owner()).await;
        assert_eq!(hints.pending(), 1, "the owner said no");
        far.is_willing.store(true, Ordering::Relaxed);
        for key in ["c", "b"] {
            hints.take(&owner(), &Bytes::from(key), &record(1));
        }
        replay(&hints, &peers, &owner()).await;
        assert_eq!(*far.taken.lock().unwrap(), ["a", "c", "b"], "in the order they were taken");
        engine.close().unwrap();
        assert_eq!(hints.pending(), 0);
        assert!(engine.scan(b"h", 1).unwrap().is_empty(), "and none on disk");
    }

    #[tokio::test]
    async fn a_hint_its_owner_never_takes_does_not_hold_up_those_behind_it() {
        let directory = tempfile::tempdir().unwrap();
        let engine = Arc::new(Lsm::open(directory.path(), Options::default()).unwrap());
        let hints = open(&engine, 1 << 20);
        for key in ["poison", "a", "b"] {
            hints.take(&owner(), &Bytes::from(key), &record(1));
        }
        let (far, peers) = reach_owner().await;
        far.is_willing.store(true, Ordering::Relaxed);
        for _ in 0..3 {
            replay(&hints, &peers, &owner()).await;
        }
        assert_eq!(keys(&hints), ["poison"]);
        hints.take(&owner(), &Bytes::from("c"), &record(1));
        for _ in 0..2 {
            replay(&hints, &peers, &owner()).await;
        }
        assert_eq!(keys(&hints), ["poison"], "it is kept, also on disk");
        engine.close().unwrap();
        assert_eq!(engine.scan(b"h", 9).unwrap().len(), 1);
    }

    #[test]
    fn a_damaged_hint_is_none() {
        let hint = Hint { owner: owner(), key: "k".into(), record: record(1) };
        let value = encode(&hint);
        assert_eq!(decode(&owner(), value.clone()), Some(hint));
        for cut in 0..value.len() {
            assert_eq!(decode(&owner(), value.slice(..cut)), None, "cut at {cut}");
        }
    }
}
