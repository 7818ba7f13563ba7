//! Any node may coordinate any request: a [`Request`] decides, and here is done what it decides.
//!
//! ```text
//! begin -> actions -> calls to replicas … heard -> actions -> … -> the client is told
//!                                         late answers, repairs, hints go on behind its back
//! ```
//!
//! Calls to this node itself go straight to its own copies; those to others over their link. Each ends
//! by the deadline of its request, so nothing here waits for ever. To begin a request waits for nothing:
//! who has several begins them all, has the own engine commit what they left ([`Replica::lead`]), and
//! then waits for those that are not over ([`Begun`]).

mod begun;
mod calls;
mod errand;
mod post;

pub use begun::{Begun, UnderWay};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::command::Level;
use crate::config::{Limits, Policy};
use crate::gossip::View;
use crate::grace::Grace;
use crate::handoff::Hints;
use crate::peer::Peers;
use crate::peer::message::ReplicaUpdate;
use crate::placement::{Home, Placement};
use crate::replica::Replica;
use crate::request::{Failure, Goal, Outcome, Request, Target, Write};
use crate::ring::NodeId;
use crate::stats::Stats;
use crate::version::{Context, Nonce, Record};

use errand::Errand;

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
    /// Requests under way, until the last thing is done for them.
    pub grace: Arc<Grace>,
    /// Places for requests under way, until the last thing is done for them.
    pub places: Arc<Semaphore>,
}

/// Requests under way at once; beyond that they are refused. A request whose replica is silent stays
/// for its whole deadline, so that this is what a node coordinates in a second while one other is
/// frozen; each takes some kilobytes.
pub const PLACES: usize = 32 << 10;

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

    /// Of which start they are.
    pub fn boot(&self) -> u64 {
        self.boot
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

impl Coordinator {
    /// What a quorum of `r` holds of `key`.
    pub async fn read(
        self: &Arc<Self>,
        key: Bytes,
        r: Option<Level>,
    ) -> Result<Option<Record>, Failure> {
        found(self.begin_read(key, r).end().await)
    }

    /// Writes to `key`; returns the context after it.
    pub async fn write(self: &Arc<Self>, key: Bytes, change: Change) -> Result<Context, Failure> {
        written(self.begin_write(key, change).end().await)
    }

    /// Begins to read what a quorum of `r` holds of `key`; it comes to an [`Outcome::Read`].
    pub fn begin_read(self: &Arc<Self>, key: Bytes, r: Option<Level>) -> Begun {
        let home = self.placement.home(&key).clone();
        let r = match level(r, home.settings.r, &home) {
            Ok(r) => r,
            Err(failure) => return Begun::refused(failure),
        };
        self.stats.reads.add();
        let target = self.target(&home, r, home.settings.w);
        self.begin(key, home, target, Goal::Read, self.deadline())
    }

    /// Begins to write to `key`; it comes to an [`Outcome::Written`].
    pub fn begin_write(self: &Arc<Self>, key: Bytes, change: Change) -> Begun {
        let home = self.placement.home(&key).clone();
        let (target, goal) = match self.meant(&key, &home, change) {
            Ok(meant) => meant,
            Err(failure) => return Begun::refused(failure),
        };
        self.stats.writes.add();
        self.begin(key, home, target, goal, self.deadline())
    }

    /// What a change asks for, if it can be meant so.
    fn meant(&self, key: &Bytes, home: &Home, change: Change) -> Result<(Target, Goal), Failure> {
        self.fits(key, change.value.as_ref())?;
        let r = level(change.r, home.settings.r, home)?;
        let w = level(change.w, home.settings.w, home)?;
        let context = parse(&change.context, key)?;
        if home.settings.policy != Policy::Siblings && !context.vector().is_empty() {
            let why = "only keys of a siblings keyspace take a context";
            return Err(Failure::Refused(why.into()));
        }
        Ok((self.target(home, r, w), self.goal(change.value, context)))
    }

    /// Deletes `key`; returns whether there was a value.
    pub async fn delete(self: &Arc<Self>, key: Bytes) -> Result<bool, Failure> {
        let Some(record) = self.read(key.clone(), None).await? else { return Ok(false) };
        let existed = record.has_value();
        // Of a register a quorum holds what was read. Of others the tombstone may be on one replica
        // alone, and who is told that the key is gone must not see it again.
        if !existed && matches!(record, Record::Register { .. }) {
            return Ok(false);
        }
        let context = match &record {
            Record::Siblings(_) | Record::Branches(_) => record.context().to_text(&key).into(),
            Record::Register { .. } | Record::Lww { .. } => Bytes::new(),
        };
        self.write(key, Change { context, ..Change::default() }).await?;
        Ok(existed)
    }

    /// Serves an update that another node forwarded.
    pub(crate) async fn serve_update(
        self: &Arc<Self>,
        update: ReplicaUpdate,
    ) -> Result<Context, Failure> {
        let home = self.placement.home(&update.key).clone();
        let left = Duration::from_millis(update.left_ms);
        let deadline = self.deadline().min(Instant::now() + left);
        let context = parse(&update.context, &update.key)?;
        let target = self.target(&home, home.settings.r, update.w as usize);
        let goal = self.goal(update.value, context);
        written(self.begin(update.key, home, target, goal, deadline).end().await)
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

    /// Begins a request: everything is done for it that waits for nothing.
    fn begin(
        self: &Arc<Self>,
        key: Bytes,
        home: Arc<Home>,
        target: Target,
        goal: Goal,
        deadline: Instant,
    ) -> Begun {
        match self.places.try_acquire() {
            // The errand gives it back.
            Ok(place) => place.forget(),
            Err(_) => return Begun::refused(Failure::Overloaded(PLACES)),
        }
        let (request, actions) = Request::begin(target, goal);
        let mut errand = Errand::new(self.clone(), key, home, deadline, request);
        let told = errand.carry_out(actions);
        Begun::new(errand, told)
    }

    fn goal(&self, value: Option<Bytes>, context: Context) -> Goal {
        let (nonce, wall_micros) = (self.nonces.next(), self.clock.micros());
        Goal::Write(Write { value, context, nonce, wall_micros })
    }

    fn target(&self, home: &Home, r: usize, w: usize) -> Target {
        let asked = home.primaries.iter().chain(&*home.stand_ins);
        let down = self.view.down_among(asked.filter(|node| *node != self.me()));
        Target {
            me: self.me().clone(),
            policy: home.settings.policy,
            causality: home.settings.causality,
            primaries: home.primaries.clone(),
            stand_ins: home.stand_ins.clone(),
            down,
            r,
            w,
        }
    }

    fn me(&self) -> &NodeId {
        self.placement.me()
    }

    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.limits.deadline_ms)
    }

    fn fits(&self, key: &Bytes, value: Option<&Bytes>) -> Result<(), Failure> {
        let bytes = key.len() + value.map_or(0, Bytes::len);
        let limit = self.limits.pair_bytes;
        if bytes > limit { Err(Failure::TooBig(bytes, limit)) } else { Ok(()) }
    }
}

fn found(result: Result<Outcome, Failure>) -> Result<Option<Record>, Failure> {
    match result? {
        Outcome::Read(record) => Ok(record),
        Outcome::Written(_) => unreachable!("a read comes to what was read"),
    }
}

fn written(result: Result<Outcome, Failure>) -> Result<Context, Failure> {
    match result? {
        Outcome::Written(context) => Ok(context),
        Outcome::Read(_) => unreachable!("a write comes to the context after it"),
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
