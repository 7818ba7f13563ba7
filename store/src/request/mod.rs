//! One request, from its first message to the last thing done for its sake: a pure value.
//!
//! A coordinator hands a [`Request`] every answer and every error it gets, and carries out the
//! [`Action`]s that come back. No socket, no clock and no randomness is in here, so the same value
//! serves clients on real nodes, and runs in a simulated cluster where messages are late, lost and
//! doubled and thousands of seeds take a minute.
//!
//! ```text
//! read       ask the replicas -> R replied -> (register: write back until W hold it) -> reply
//!                                                        … the late replies -> repair who is behind
//! write      version -> ask the replicas -> W acknowledged -> reply
//!                                                        … the late ones -> a hint for who is missing
//! version    register  highest tag of a read quorum, and one more
//!            siblings  a dot given by a primary, under the context of the client
//!            lww       the wall clock
//! ```
//!
//! *A write goes to all replicas at once*, those believed to be down too, for belief is not knowledge.
//! *A read asks R of them*, those believed up first, and spares the rest: a question is two messages and
//! the work of a node, and R answers are all that the client may wait for. Whoever fails, and whoever is
//! silent for a little, has the spared asked in its stead ([`Patience::Hedge`]): the slowest never sets
//! the latency of a quorum. What it costs is that a read mends only whom it asked; anti-entropy mends
//! the rest. A primary that coordinates looks at its own copy first and tells the others its digest: who
//! holds the same says just that, and the record itself does not travel.
//!
//! *Strict quorums* count primaries alone. *Sloppy* ones take a stand-in for each primary that
//! cannot be reached, is believed down, or is silent for long: the next node of the preference list,
//! which keeps the write in the primary's stead until it is back, and answers reads with what it
//! keeps. An acknowledgement in a primary's stead counts as the primary's would, and once. What that
//! buys is an answer on both sides of a partition; what it costs is that a read quorum need not meet
//! a write quorum any more.
//!
//! *What is done again, and why that is safe.* A store is a join: done twice, late, or after the
//! client gave up, it changes nothing that it did not change before. So stand-ins, hints and repairs
//! may repeat what was perhaps done. An update, which gives a value its dot, is no join: it is
//! handed to one primary, and to a second only if the first was certainly not reached; if none was, a
//! sloppy quorum takes it with a dot of the coordinator's (see `forwarding`). Nothing is
//! sent again after the client was told: only its record is kept, in hints.
//!
//! Invariants: a client is told exactly once; `UNAVAILABLE` is said only where nothing was written
//! anywhere (see [`Failure`]); a register read of a strict quorum replies only what W replicas hold; a
//! primary that has neither acknowledged a write nor a stand-in has a hint at its coordinator, once all
//! calls have ended (but for the coordinator itself, which keeps no hints for itself). They are tried in
//! every order by `tests`, and in a whole cluster by `tests/simulation`.
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.5 and §4.6; Attiya, Bar-Noy and Dolev, JACM 1995
//! (registers); Preguiça et al., PODC 2012 (dots); Dean and Barroso, "The Tail at Scale", CACM 2013
//! (hedged requests).

mod call;
mod failure;
mod forwarding;
mod reading;
mod stand_ins;
mod storing;

pub use call::{Action, Call, CallId, Event, Outcome, Patience, Purpose, Reply};
pub use failure::{Failure, Shortfall};

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::{Causality, Policy};
use crate::peer::CallError;
use crate::ring::NodeId;
use crate::version::{Context, Nonce, Record, Stamp, Tag};

use forwarding::Forwarding;
use reading::Reading;
use storing::Storing;

/// What a request is about, and how it is to be served.
#[derive(Clone, Debug)]
pub struct Target {
    /// This node, which coordinates.
    pub me: NodeId,
    /// How conflicts of the keyspace end.
    pub policy: Policy,
    /// How siblings are told apart.
    pub causality: Causality,
    /// The nodes that hold the key, nearest first.
    pub primaries: Arc<[NodeId]>,
    /// Who stands in for them, in order; none where quorums are strict.
    pub stand_ins: Arc<[NodeId]>,
    /// Nodes believed to be down.
    pub down: BTreeSet<NodeId>,
    /// Replies a read phase waits for.
    pub r: usize,
    /// Acknowledgements a write phase waits for.
    pub w: usize,
}

/// What the client wants.
#[derive(Clone, Debug)]
pub enum Goal {
    /// What a quorum holds.
    Read,
    /// A write.
    Write(Write),
}

/// A write, with all that may go into its version.
#[derive(Clone, Debug)]
pub struct Write {
    /// The new value; `None` deletes.
    pub value: Option<Bytes>,
    /// The past its client has read; only of a `siblings` keyspace.
    pub context: Context,
    /// What no other write of this node has.
    pub nonce: Nonce,
    /// Microseconds since 1970 by this node's wall clock.
    pub wall_micros: u64,
}

/// One request at its coordinator.
#[derive(Debug)]
pub struct Request {
    target: Target,
    goal: Goal,
    reading: Option<Reading>,
    forwarding: Option<Forwarding>,
    storing: Option<Storing>,
    /// Calls begun and not yet heard of.
    open: usize,
    is_answered: bool,
    /// What was left over is seen to.
    is_settled: bool,
    actions: Vec<Action>,
}

impl Request {
    /// A request, and the first things to do for it.
    pub fn begin(target: Target, goal: Goal) -> (Request, Vec<Action>) {
        let mut request = Request {
            target,
            goal,
            reading: None,
            forwarding: None,
            storing: None,
            open: 0,
            is_answered: false,
            is_settled: false,
            actions: Vec::new(),
        };
        request.start();
        request.settle();
        let actions = std::mem::take(&mut request.actions);
        (request, actions)
    }

    /// What became of a call; what to do now. *Requires* that of each call this is told once.
    pub fn hear(&mut self, id: &CallId, heard: Result<Reply, CallError>) -> Vec<Action> {
        self.open -= 1;
        match &id.purpose {
            Purpose::Read => self.hear_copy(&id.to, heard),
            Purpose::ReadFor(owner) => self.hear_held(owner, &id.to, heard),
            Purpose::Update => self.hear_updated(heard),
            Purpose::Forward => self.hear_forwarded(&id.to, heard),
            Purpose::Store => self.hear_stored(&id.to, heard),
            Purpose::HoldFor(owner) => self.hear_taken(owner, &id.to, heard),
            Purpose::Repair if heard.is_ok() => self.count(Event::Repaired),
            Purpose::Repair => {}
        }
        self.settle();
        std::mem::take(&mut self.actions)
    }

    /// It takes long: the spared are asked, or who is silent gets a stand-in. Asked for by
    /// [`Action::Wake`].
    pub fn wake(&mut self, patience: Patience) -> Vec<Action> {
        match patience {
            _ if self.is_answered => {}
            Patience::Hedge => self.ask_spared(),
            Patience::StandIn => self.stand_in_for_silent(),
        }
        std::mem::take(&mut self.actions)
    }

    /// Whether nothing is left to be heard or done.
    pub fn is_over(&self) -> bool {
        self.open == 0 && self.is_answered
    }

    fn start(&mut self) {
        let Goal::Write(write) = &self.goal else { return self.ask_copies() };
        match self.target.policy {
            Policy::Register => self.ask_copies(),
            Policy::Siblings if self.is_primary() => {
                let (context, value) = (write.context.clone(), write.value.clone());
                let id = CallId { to: self.target.me.clone(), purpose: Purpose::Update };
                self.call(id, Call::Update { context, value });
            }
            Policy::Siblings => self.forward(),
            Policy::Lww => {
                let stamp = Stamp {
                    wall_micros: write.wall_micros,
                    node: self.target.me.clone(),
                    nonce: write.nonce,
                };
                let record = Record::Lww { stamp, value: write.value.clone() };
                self.store_everywhere(&record, Outcome::Written(Context::default()));
            }
        }
    }

    /// The read phase has its quorum.
    fn read_is_met(&mut self) {
        let reading = self.reading.as_ref().expect("a read phase was met");
        match &self.goal {
            Goal::Write(write) => {
                let (me, highest) = (self.target.me.clone(), reading.quorum.highest_counter());
                let tag = Tag::above(highest, me, write.nonce);
                let record = Record::Register { tag, value: write.value.clone() };
                self.store_everywhere(&record, Outcome::Written(Context::default()));
            }
            Goal::Read => {
                let joined = reading.quorum.joined().cloned();
                let is_register = self.target.policy == Policy::Register;
                let write_back =
                    is_register.then(|| reading.quorum.write_back(self.target.w)).flatten();
                match (joined, write_back) {
                    (Some(record), Some(quorum)) => {
                        self.count(Event::WroteBack);
                        self.store(&record, quorum, Outcome::Read(Some(record.clone())));
                    }
                    (joined, _) => self.answer(Ok(Outcome::Read(joined))),
                }
            }
        }
    }

    /// Once all calls have ended: repairs for who was behind a read, hints for who missed a write.
    fn settle(&mut self) {
        if !self.is_over() || self.is_settled {
            return;
        }
        self.is_settled = true;
        match self.goal {
            Goal::Read => self.repair(),
            Goal::Write(_) => self.hint(),
        }
    }

    /// Asks for stand-ins for all who are silent.
    fn stand_in_for_silent(&mut self) {
        for owner in self.silent_readers() {
            self.stand_in_for_reader(&owner);
        }
        for owner in self.silent_writers() {
            self.stand_in_for_writer(&owner);
        }
    }

    /// Asks to be woken, where waking changes anything.
    fn wake_if_stand_ins(&mut self) {
        if !self.target.stand_ins.is_empty() {
            self.actions.push(Action::Wake(Patience::StandIn));
        }
    }

    /// The primaries but this node.
    fn others(&self) -> impl Iterator<Item = &NodeId> {
        self.target.primaries.iter().filter(|node| **node != self.target.me)
    }

    fn believed_down(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        nodes.iter().filter(|node| self.target.down.contains(*node)).cloned().collect()
    }

    fn is_primary(&self) -> bool {
        self.target.primaries.contains(&self.target.me)
    }

    fn call(&mut self, id: CallId, call: Call) {
        self.open += 1;
        self.actions.push(Action::Call(id, call));
    }

    fn answer(&mut self, result: Result<Outcome, Failure>) {
        if !self.is_answered {
            self.is_answered = true;
            self.actions.push(Action::Answer(result));
        }
    }

    fn count(&mut self, event: Event) {
        self.actions.push(Action::Count(event));
    }
}

#[cfg(test)]
mod tests;
