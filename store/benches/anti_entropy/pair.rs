//! Two nodes without a network: their replicas on real engines, and every message between them
//! encoded and decoded as on the wire.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::time::ClockId;
use prost::Message;
use store::anti_entropy::{Answers, Other, Session, SessionError, Tally};
use store::engine::Batch;
use store::layout;
use store::lsm::{Lsm, Options};
use store::peer::CallError;
use store::peer::message::{Answer, Ask, Request, Response};
use store::placement::Placement;
use store::replica::Replica;
use store::ring::NodeId;
use store::stats::Stats;
use store::version::{Actor, Nonce, Record, Stamp};

/// Keys written in one batch.
const BATCH: u64 = 1_000;

/// One of two nodes.
pub(crate) struct Side {
    pub(crate) me: NodeId,
    placement: Arc<Placement>,
    engine: Arc<Lsm>,
    stats: Arc<Stats>,
}

/// A node that answers, and how long its thread worked for that.
pub(crate) struct Beside {
    answers: Answers,
    from: NodeId,
    worked_ns: AtomicU64,
}

/// What an exchange cost.
pub(crate) struct Cost {
    pub(crate) tally: Tally,
    /// Of processor, at the side that began.
    pub(crate) ours: Duration,
    /// Of processor, at the other side.
    pub(crate) theirs: Duration,
    pub(crate) elapsed: Duration,
}

impl Side {
    /// The node of this name, with `keys` records of `value_bytes` in a new directory below `path`.
    pub(crate) fn fill(path: &Path, name: &str, keys: u64, value_bytes: usize) -> Side {
        let config = format!(
            "{{cluster: pair, node: {name}, data: /nowhere, default: {{policy: lww, n: 2, r: 1, \
             w: 1}}, members: [{{node: n1, client: '127.0.0.1:1', peer: '127.0.0.1:2'}}, \
             {{node: n2, client: '127.0.0.1:3', peer: '127.0.0.1:4'}}]}}"
        );
        let config = serde_yaml::from_str(&config).expect("the configuration above");
        let placement = Arc::new(Placement::new(&config).expect("the names above"));
        let options = Options { sync: store::Sync::Never, ..Options::default() };
        let engine = Lsm::open(&path.join(name), options).expect("an empty directory opens");
        let side = Side {
            me: NodeId::new(name).expect("a name"),
            placement,
            engine: Arc::new(engine),
            stats: Arc::default(),
        };
        for first in (0..keys).step_by(BATCH as usize) {
            side.put(first..keys.min(first + BATCH), 1, value_bytes);
        }
        side
    }

    /// Writes a record of that time to each of these keys, here only.
    pub(crate) fn put(&self, keys: impl IntoIterator<Item = u64>, time: u64, value_bytes: usize) {
        let entry = |i: u64| {
            let key = format!("user:{i:010}");
            let keyspace = &self.placement.home(key.as_bytes()).keyspace;
            let value: Bytes = (0..value_bytes).map(|at| (i as usize * 7 + at) as u8).collect();
            let nonce = Nonce { epoch: 1, sequence: i };
            let node = NodeId::new("n1").expect("a name");
            let stamp = Stamp { wall_micros: time, node, nonce };
            let record = Record::Lww { stamp, value: Some(value) };
            (layout::data(keyspace, key.as_bytes()), Some(record.encode()))
        };
        let batch = Batch { entries: keys.into_iter().map(entry).collect() };
        self.engine.commit(batch).expect("the engine takes it");
    }

    /// The copies, with their trees planted from all records.
    pub(crate) fn open(&self) -> Arc<Replica> {
        let actor = Actor::new(self.me.clone(), 1);
        let engine = self.engine.clone();
        let replica = Replica::open(engine, self.placement.clone(), actor, 1 << 20);
        Arc::new(replica.expect("all records can be read"))
    }

    /// What answers to `from` with these copies.
    pub(crate) fn beside(&self, replica: &Arc<Replica>, from: &NodeId) -> Beside {
        let (placement, stats) = (self.placement.clone(), self.stats.clone());
        let answers = Answers { placement, replica: replica.clone(), stats };
        Beside { answers, from: from.clone(), worked_ns: AtomicU64::new(0) }
    }

    /// Waits until everything lies in tables, as it would long after it was written.
    pub(crate) fn flush(&self) {
        self.engine.flush().expect("the engine writes its tables");
    }

    /// Bytes of all tables.
    pub(crate) fn table_bytes(&self) -> u64 {
        self.engine.statistics().table_bytes.iter().sum()
    }
}

impl Other for Beside {
    async fn ask(&self, ask: Ask) -> Result<Answer, CallError> {
        let sent = Request { id: 1, ask: Some(ask) }.encode_to_vec();
        let start = worked();
        let request = Request::decode(Bytes::from(sent)).map_err(|_| CallError::Confused)?;
        let ask = request.ask.ok_or(CallError::Confused)?;
        let answer = Some(self.answers.answer(&self.from, ask).await);
        let sent = Response { id: 1, answer }.encode_to_vec();
        let worked = worked().saturating_sub(start);
        self.worked_ns.fetch_add(worked.as_nanos() as u64, Ordering::Relaxed);
        let response = Response::decode(Bytes::from(sent)).map_err(|_| CallError::Confused)?;
        match response.answer {
            Some(Answer::Refused(refused)) => Err(CallError::Refused(refused.error)),
            answer => answer.ok_or(CallError::Confused),
        }
    }
}

/// One session that `ours` begins, all on this thread. What the engines' own threads do for the
/// records that arrive is left out.
pub(crate) async fn exchange(ours: (&Side, &Replica), theirs: (&Side, &Arc<Replica>)) -> Cost {
    let beside = theirs.0.beside(theirs.1, &ours.0.me);
    let (start, start_worked) = (Instant::now(), worked());
    let tally = session(ours, theirs.0, &beside).await.expect("nothing fails here");
    let all = worked().saturating_sub(start_worked);
    let theirs = Duration::from_nanos(beside.worked_ns.load(Ordering::Relaxed));
    Cost { tally, ours: all.saturating_sub(theirs), theirs, elapsed: start.elapsed() }
}

/// The same, with whatever answers for the other side.
pub(crate) async fn session(
    (side, replica): (&Side, &Replica),
    theirs: &Side,
    other: impl Other,
) -> Result<Tally, SessionError> {
    Session::new(&side.placement, replica, &side.stats, &theirs.me, other).run().await
}

impl Other for &Beside {
    async fn ask(&self, ask: Ask) -> Result<Answer, CallError> {
        (*self).ask(ask).await
    }
}

/// Time this thread has spent on a processor.
pub(crate) fn worked() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().map(Duration::from).unwrap_or_default()
}
