//! Any node may coordinate any request: it asks the primaries of the key, waits for a quorum, answers
//! the client, and sees to the rest behind its back.
//!
//! ```text
//! read      ask all N -> R replied -> (register: write back until W hold it) -> reply
//!                                                       … the late replies -> repair who is behind
//! write     version   -> ask all N -> W acknowledged -> reply
//!                                                       … the late ones -> a hint for who is missing
//! version   register  highest tag of a read quorum, and one more
//!           siblings  a dot given by a primary, under the context of the client
//!           lww       the wall clock
//! ```
//!
//! What is met and what is out of reach is decided in [`quorum`](crate::quorum). Quorums are strict: only
//! primaries count, and hints count for nothing. All primaries are asked at once, those believed to
//! be down too, for belief is not knowledge; it only steers forwarding and hints. A call ends by the
//! deadline of its request, so nothing here waits for ever.
//!
//! Invariants: `UNAVAILABLE` is said only where nothing was written anywhere (see [`Failure`]); a
//! register read replies only what W replicas hold.

mod failure;
mod lww;
mod read;
mod register;
mod siblings;
mod write;

pub use failure::{Failure, Shortfall};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::command::Level;
use crate::config::{Limits, Policy};
use crate::gossip::View;
use crate::handoff::Hints;
use crate::peer::{CallError, Peers};
use crate::placement::{Home, Placement};
use crate::replica::Replica;
use crate::ring::NodeId;
use crate::stats::Stats;
use crate::version::{Context, Nonce, Record};

/// Calls under way to replicas, in no order; each ends by the deadline of its request.
type Calls<T> = FuturesUnordered<BoxFuture<'static, (NodeId, Result<T, CallError>)>>;

/// Coordinates requests, on any node for any key.
pub struct Coordinator {
    /// Where keys live.
    pub placement: Arc<Placement>,
    /// This node's own copies, called directly.
    pub replica: Arc<Replica>,
    /// The other nodes.
    pub peers: Arc<Peers>,
    /// Who is believed to be up.
    pub view: Arc<View>,
    /// Writes kept for the absent.
    pub hints: Arc<Hints>,
    /// What is counted.
    pub stats: Arc<Stats>,
    /// The wall clock, for `lww`.
    pub clock: Arc<dyn Clock>,
    /// What makes each write of this node unlike all others.
    pub nonces: Nonces,
    /// How long and how large a request may be.
    pub limits: Limits,
    /// What goes on after the client has its reply: late answers, repairs, hints.
    pub late: TaskTracker,
}

/// Gives every write of this node a nonce of its own.
pub struct Nonces {
    boot: u64,
    next: AtomicU64,
}

impl Nonces {
    /// The nonces of this `boot`. *Requires* that no start of the node had it before.
    pub fn new(boot: u64) -> Nonces {
        Nonces { boot, next: AtomicU64::new(0) }
    }

    fn next(&self) -> Nonce {
        Nonce { epoch: self.boot, sequence: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

/// What a client asks to be written to a key.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The new value; `None` deletes.
    pub value: Option<Bytes>,
    /// The past the client has read, as it was handed out; empty for none.
    pub context: Bytes,
    /// Replies a read phase waits for, if not as the keyspace says.
    pub r: Option<Level>,
    /// Acknowledgements to wait for, if not as the keyspace says.
    pub w: Option<Level>,
}

/// A key, where it lives, and until when.
#[derive(Clone)]
struct Target {
    key: Bytes,
    home: Arc<Home>,
    deadline: Instant,
}

impl Coordinator {
    /// What a quorum of `r` holds of `key`.
    pub async fn read(
        self: &Arc<Self>,
        key: Bytes,
        r: Option<Level>,
    ) -> Result<Option<Record>, Failure> {
        let target = self.target(key);
        let r = level(r, target.home.settings.r, &target.home)?;
        self.stats.reads.add();
        let read = match target.home.settings.policy {
            Policy::Register => self.read_register(&target, r).await,
            Policy::Siblings | Policy::Lww => self.read_joined(&target, r).await,
        };
        read.inspect_err(|_| self.stats.quorum_failures.add())
    }

    /// Writes to `key`; returns the context after it.
    pub async fn write(self: &Arc<Self>, key: Bytes, change: Change) -> Result<Context, Failure> {
        self.fits(&key, change.value.as_ref())?;
        let target = self.target(key);
        let r = level(change.r, target.home.settings.r, &target.home)?;
        let w = level(change.w, target.home.settings.w, &target.home)?;
        let context = parse(&change.context, &target.key)?;
        self.stats.writes.add();
        let wrote = match target.home.settings.policy {
            Policy::Siblings => self.write_siblings(&target, &change, context, w).await,
            _ if !context.vector().is_empty() => {
                Err(Failure::Refused("only keys of a siblings keyspace take a context".into()))
            }
            Policy::Register => self.write_register(&target, change.value, r, w).await,
            Policy::Lww => self.write_lww(&target, change.value, w).await,
        };
        wrote.inspect_err(|_| self.stats.quorum_failures.add())
    }

    /// Deletes `key`; returns whether there was a value.
    pub async fn delete(self: &Arc<Self>, key: Bytes) -> Result<bool, Failure> {
        let Some(record) = self.read(key.clone(), None).await? else { return Ok(false) };
        if record.values().is_empty() {
            return Ok(false);
        }
        let context = match &record {
            Record::Siblings(siblings) => siblings.context().to_text(&key).into(),
            Record::Register { .. } | Record::Lww { .. } => Bytes::new(),
        };
        self.write(key, Change { context, ..Change::default() }).await?;
        Ok(true)
    }

    /// This node's own copy of `key`.
    pub fn own_copy(&self, key: &[u8]) -> Result<Option<Record>, Failure> {
        let home = self.placement.home(key);
        if !home.is_mine {
            let names: Vec<&str> = home.primaries.iter().map(NodeId::as_str).collect();
            return Err(Failure::NotReplica(names.join(",")));
        }
        self.replica.get(home, key).map_err(|error| Failure::Relayed(error.to_string()))
    }

    fn me(&self) -> &NodeId {
        self.placement.me()
    }

    fn target(&self, key: Bytes) -> Target {
        let deadline = Instant::now() + Duration::from_millis(self.limits.deadline_ms);
        Target { home: self.placement.home(&key).clone(), key, deadline }
    }

    fn fits(&self, key: &Bytes, value: Option<&Bytes>) -> Result<(), Failure> {
        let bytes = key.len() + value.map_or(0, Bytes::len);
        let limit = self.limits.pair_bytes;
        if bytes > limit { Err(Failure::TooBig(bytes, limit)) } else { Ok(()) }
    }
}

fn level(asked: Option<Level>, usual: usize, home: &Home) -> Result<usize, Failure> {
    let n = home.primaries.len();
    let Some(asked) = asked else { return Ok(usual) };
    asked.of(n).ok_or_else(|| {
        let Home { keyspace, .. } = home;
        Failure::Refused(format!("keys of `{keyspace}` have {n} replicas, ask for 1 to {n}"))
    })
}

fn parse(context: &[u8], key: &[u8]) -> Result<Context, Failure> {
    if context.is_empty() {
        return Ok(Context::default());
    }
    Context::from_text(context, key).map_err(|error| Failure::Refused(error.to_string()))
}

#[cfg(test)]
mod tests;
