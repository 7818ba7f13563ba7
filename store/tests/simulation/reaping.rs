//! Tombstones that are forgotten: the store's [`Reaping`] decides when.
//!
//! Each key is a tree of its own here, and its first replica has it reaped. A comparison brings the
//! tombstone to a fellow replica, which is all that a comparison is good for in this. Whether a node has
//! settled is seen from above: none of its requests, calls and letters is left that it began before it
//! was asked, and it reaches all others. What is forgotten is sent as any letter is, and may be late, or
//! lost.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;

use store::anti_entropy::{Reaping, Step};
use store::peer::CallError;
use store::peer::message::Calm;
use store::request::{Call, Reply};
use store::ring::NodeId;
use store::version::Record;

use crate::agenda::{Event, MS, Micros};
use crate::disk::{Change, Then};
use crate::flaw::Flaw;
use crate::letter::{Ask, Key};
use crate::node::{Errand, Node};
use crate::plan::{DEADLINE, KEYS};
use crate::world::World;

/// Between looks at the rounds.
const TICK: Micros = 10 * MS;
/// A round that takes longer is given up.
const PATIENCE: Micros = 3_000 * MS;

/// A round in which the tombstone of a key is to be forgotten.
pub(crate) struct Round {
    reaping: Reaping,
    tombstone: Record,
    /// Who leads it, and in which of its lives.
    leader: (usize, u64),
    began: Micros,
    /// With whom a comparison is under way.
    comparing: BTreeSet<usize>,
    /// Who was asked to settle, and which number was the next then.
    settling: BTreeMap<usize, u64>,
}

impl World {
    /// Begins rounds, and lets those under way go on.
    pub(crate) fn reap(&mut self) {
        self.agenda.enter(TICK, Event::Reap);
        for key in 0..KEYS.len() {
            match self.rounds.remove(&key) {
                Some(round) => self.go_on(key, round),
                None if self.reapers.random_range(0..4) == 0 => self.begin_round(key),
                None => {}
            }
        }
    }

    fn begin_round(&mut self, key: Key) {
        let leader = self.plan.primaries(key).next().expect("a key has replicas");
        let node = &self.nodes[leader];
        let Some(tombstone) = node.disk.copies.get(&key).filter(|copy| copy.is_tombstone()) else {
            return;
        };
        if !node.is_up {
            return;
        }
        let tombstone = tombstone.clone();
        if self.has(Flaw::ReapsAtOnce) {
            return self.forget_everywhere(leader, key, &tombstone);
        }
        let fellows = self.plan.primaries(key).skip(1).map(Node::name).collect();
        let members = (0..self.plan.nodes).map(Node::name).collect();
        let round = Round {
            reaping: Reaping::begin(fellows, members),
            tombstone,
            leader: (leader, node.life),
            began: self.agenda.now(),
            comparing: BTreeSet::new(),
            settling: BTreeMap::new(),
        };
        self.go_on(key, round);
    }

    /// Does what the round needs next. It is given up where that is not put back.
    fn go_on(&mut self, key: Key, mut round: Round) {
        let (leader, life) = round.leader;
        let is_led = self.nodes[leader].is_up && self.nodes[leader].life == life;
        if !is_led || self.agenda.now() > round.began + PATIENCE {
            return;
        }
        match round.reaping.step() {
            Step::Compare(fellows) => {
                for fellow in fellows.iter().map(Node::place) {
                    if round.comparing.insert(fellow) {
                        let ask = Ask::Call(Call::Store(round.tombstone.clone()));
                        let deadline = self.agenda.now() + DEADLINE;
                        let errand = Errand::Compare(key, round.began);
                        self.call((leader, errand), fellow, (key, ask), deadline);
                    }
                }
            }
            Step::Settle(members) => {
                if !self.settle(&mut round, &members) {
                    return;
                }
            }
            Step::Forget => return self.forget_everywhere(leader, key, &round.tombstone),
        }
        self.rounds.insert(key, round);
    }

    /// A fellow replica has taken what it was brought, or has not.
    pub(crate) fn compared(
        &mut self,
        (leader, began): (usize, Micros),
        fellow: usize,
        key: Key,
        heard: &Result<Reply, CallError>,
    ) {
        let is_it = |round: &&mut Round| (round.leader.0, round.began) == (leader, began);
        match (self.rounds.get_mut(&key).filter(is_it), heard) {
            (Some(round), Ok(Reply::Done)) => round.reaping.compared(&Node::name(fellow)),
            (Some(_), _) => drop(self.rounds.remove(&key)),
            (None, _) => {}
        }
    }

    /// Asks who was not asked yet, hears who has settled. *Returns* whether the round goes on.
    fn settle(&mut self, round: &mut Round, members: &BTreeSet<NodeId>) -> bool {
        for member in members {
            let place = Node::place(member);
            let next = self.next_number();
            let asked = *round.settling.entry(place).or_insert(next);
            if !self.has_settled(place, asked) {
                continue;
            }
            let calm = self.calm(place);
            if round.reaping.settled(member, calm).is_err() {
                return false;
            }
        }
        // Whoever is asked again is asked anew.
        if !matches!(round.reaping.step(), Step::Settle(left) if left.len() < self.plan.nodes) {
            round.settling.clear();
        }
        true
    }

    fn calm(&self, place: usize) -> Calm {
        let node = &self.nodes[place];
        if self.has(Flaw::ReapsDespiteHints) {
            return Calm { hints_kept: 0, hints_taken: 0, boot: node.life };
        }
        let hints_kept = node.hints.len() as u64;
        Calm { hints_kept, hints_taken: node.hints_taken(), boot: node.life }
    }

    /// Whether nothing of `node` is left that it began before this number.
    fn has_settled(&self, place: usize, asked: u64) -> bool {
        let node = &self.nodes[place];
        let mut others = (0..self.plan.nodes).filter(|other| *other != place);
        if !node.is_up || !others.all(|other| self.reach(place, other)) {
            return false;
        }
        if self.has(Flaw::ReapsDespiteMessages) {
            return true;
        }
        let is_under_way = node.running.keys().chain(node.waiting.keys()).any(|it| *it < asked);
        let sent = |event: &Event| match event {
            Event::Ask(letter) => letter.from.node == place && letter.from.call < asked,
            _ => false,
        };
        !is_under_way && !self.agenda.events().any(sent)
    }

    fn forget_everywhere(&mut self, leader: usize, key: Key, tombstone: &Record) {
        self.note(|| format!("n{} has {} forgotten", leader + 1, tombstone.version()));
        let deadline = self.agenda.now() + DEADLINE;
        let replicas: Vec<usize> = self.plan.primaries(key).collect();
        for replica in replicas {
            let ask = (key, Ask::Forget(tombstone.digest()));
            self.call((leader, Errand::Push), replica, ask, deadline);
        }
    }

    /// Forgets the tombstone with this digest, if that is still what is held.
    pub(crate) fn forget(&mut self, me: usize, key: Key, digest: u64) {
        let node = &mut self.nodes[me];
        let newest = node.disk.newest(key).filter(|own| own.digest() == digest);
        if let Some(tombstone) = newest.filter(|own| own.is_tombstone()).cloned() {
            let counter = tombstone.counter().expect("no server vectors are simulated");
            if self.plan.flaw != Some(Flaw::FloorForgotten) {
                node.floor = node.floor.max(counter);
            }
            let floor = node.floor;
            self.witness.forgets(me, key, tombstone);
            self.write(me, Change::Forgotten(key, floor), Then::Nothing);
        }
    }
}
