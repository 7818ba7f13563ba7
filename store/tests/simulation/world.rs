//! A cluster in one process: nodes around the store's pure values, and all that happens to them.
//!
//! Everything that happens is an [`Event`] of the agenda; whatever chance decides is drawn from streams
//! of the seed. So a seed is a run.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::rngs::ChaCha8Rng;

use store::peer::CallError;

use crate::agenda::{Agenda, Event, MS, Micros};
use crate::clients::Clients;
use crate::flaw::Flaw;
use crate::journal::Journal;
use crate::letter::Key;
use crate::nemesis::Nemesis;
use crate::network::Network;
use crate::node::Node;
use crate::plan::{self, KEYS, Plan, Stream, stream};
use crate::reaping::Round;
use crate::witness::Witness;

/// Between looks of a node at its links, its hints and its fellow replicas.
pub(crate) const TICK: Micros = 100 * MS;

/// A cluster in one process.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) agenda: Agenda,
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    pub(crate) clients: Clients,
    pub(crate) nemesis: Nemesis,
    pub(crate) witness: Witness,
    pub(crate) journal: Journal,
    /// By key, the round in which its tombstone is to be forgotten.
    pub(crate) rounds: BTreeMap<Key, Round>,
    /// When rounds begin.
    pub(crate) reapers: ChaCha8Rng,
    /// The names of the keys.
    pub(crate) keys: Vec<Bytes>,
    /// What chance decides at nodes.
    pub(crate) random: ChaCha8Rng,
    /// How long disks take.
    pub(crate) disks: ChaCha8Rng,
    /// Names requests and calls.
    numbers: u64,
}

impl World {
    /// A cluster at rest, with all that `plan` has in store for it.
    pub(crate) fn new(plan: Plan, journal: Journal) -> World {
        let mut world = World {
            agenda: Agenda::default(),
            nodes: (0..plan.nodes).map(|at| Node::new(at, plan.nodes)).collect(),
            network: Network::new(&plan),
            clients: Clients::new(&plan),
            nemesis: Nemesis::new(&plan),
            witness: Witness::default(),
            journal,
            keys: (0..KEYS.len()).map(|key| plan::name(key).into()).collect(),
            rounds: BTreeMap::new(),
            reapers: stream(plan.seed, Stream::Reapers),
            random: stream(plan.seed, Stream::Nodes),
            disks: stream(plan.seed, Stream::Disks),
            numbers: 0,
            plan,
        };
        for node in 0..world.plan.nodes {
            world.agenda.enter(node as u64 * 7 * MS, Event::Tick(node));
        }
        // Where nothing but hints brings replicas together, one that is not told to forget never would.
        if world.plan.has_crashes {
            world.agenda.enter(0, Event::Reap);
        }
        world
    }

    /// Lets the next event happen.
    pub(crate) fn step(&mut self) {
        match self.agenda.next().expect("nodes tick for ever") {
            Event::Ask(letter) => self.deliver(letter),
            Event::Answer(from, back, heard) => self.carry_back(from, back, heard),
            Event::Heard(back, heard) => self.hear(back, heard),
            Event::Durable { node, life } => self.land(node, life),
            Event::Wake { node, life, request, patience } => {
                self.wake(node, life, request, patience);
            }
            Event::Tick(node) => self.tick(node),
            Event::Reap => self.reap(),
            Event::Client(client) => self.client_speaks(client),
            Event::Strike => self.strike(),
            Event::Mend => self.mend(),
            Event::Start(node) => self.start(node),
        }
    }

    /// The name that a request or a call will have next.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers + 1
    }

    /// A name for a request or a call.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Whether the store is its twin with this flaw.
    pub(crate) fn has(&self, flaw: Flaw) -> bool {
        self.plan.flaw == Some(flaw)
    }

    /// Notes what happens, if anybody will read it.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        self.journal.note(self.agenda.now(), line);
    }

    /// Whether messages pass between two nodes that are up, in both directions.
    pub(crate) fn reach(&self, one: usize, other: usize) -> bool {
        let is_up = self.nodes[one].is_up && self.nodes[other].is_up;
        is_up && self.network.passes(one, other) && self.network.passes(other, one)
    }

    /// A node looks at its links, its hints and its fellow replicas.
    fn tick(&mut self, node: usize) {
        self.agenda.enter(TICK, Event::Tick(node));
        if self.nodes[node].is_up {
            self.look_at_links(node);
            self.replay_hints(node);
            self.compare(node);
        }
    }

    fn look_at_links(&mut self, node: usize) {
        for other in (0..self.plan.nodes).filter(|other| *other != node) {
            let (reaches, life) = (self.reach(node, other), self.nodes[other].life);
            match self.nodes[node].links[other] {
                Some(linked) if reaches && linked == life => {}
                // Whoever started anew says so at once; silence is noticed in time.
                Some(_) if reaches || self.network.is_noticed() => self.lose_link(node, other),
                None if reaches => self.nodes[node].links[other] = Some(life),
                _ => {}
            }
        }
    }

    fn lose_link(&mut self, node: usize, other: usize) {
        self.note(|| format!("n{} loses its connection to n{}", node + 1, other + 1));
        self.nodes[node].links[other] = None;
        let waiting = self.nodes[node].waiting.iter();
        let lost: Vec<u64> =
            waiting.filter(|(_, call)| call.to == other).map(|(number, _)| *number).collect();
        for call in lost {
            let back = self.back(node, call);
            self.hear(back, Err(CallError::Lost));
        }
    }
}
