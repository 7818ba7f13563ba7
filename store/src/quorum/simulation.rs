//! A register in miniature: coordinators that crash, and messages that are late, lost, doubled or
//! out of turn, around the very values the coordinator uses.
//!
//! Each run is judged by its tags. A register is atomic if they order its operations so that one
//! that began after another had ended never has a lower tag, and a higher one if it is a write; and
//! if one tag means one value. (Lynch, "Distributed Algorithms", 1996, Lemma 13.16.)
//!
//! The healthy register must pass with every seed; each of its unhealthy twins, which lacks one
//! ingredient, must be caught.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::random::Random;
use crate::ring::NodeId;
use crate::version::test_records::node;
use crate::version::{Nonce, Record, Tag};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
const STEPS: usize = 300;

#[derive(Clone, Copy)]
struct Setting {
    r: usize,
    w: usize,
    writes_back: bool,
    has_nonce: bool,
}

const HEALTHY: Setting = Setting { r: 2, w: 2, writes_back: true, has_nonce: true };

enum Phase {
    Asking(ReadQuorum),
    Storing(WriteQuorum, Record),
}

struct Pending {
    coordinator: usize,
    writes: Option<Bytes>,
    began: usize,
    phase: Phase,
}

struct Done {
    is_write: bool,
    began: usize,
    ended: usize,
    record: Option<Record>,
}

impl Done {
    fn tag(&self) -> Option<&Tag> {
        self.record.as_ref().and_then(Record::tag)
    }
}

/// Between an operation (by number) and a replica (by index).
#[derive(Clone)]
enum Message {
    Ask,
    Reply(Option<Record>),
    Store(Record),
    Ack,
}

struct World {
    setting: Setting,
    random: Random,
    now: usize,
    replicas: [Option<Record>; 3],
    epochs: [u64; 3],
    operations: usize,
    pending: BTreeMap<usize, Pending>,
    messages: Vec<(usize, usize, Message)>,
    done: Vec<Done>,
}

impl World {
    fn run(setting: Setting, seed: u64) -> World {
        let mut world = World {
            setting,
            random: Random(seed),
            now: 0,
            replicas: [None, None, None],
            epochs: [1; 3],
            operations: 0,
            pending: BTreeMap::new(),
            messages: Vec::new(),
            done: Vec::new(),
        };
        for now in 0..STEPS {
            world.now = now;
            world.step();
        }
        world
    }

    fn step(&mut self) {
        match self.random.below(60) {
            0 => self.crash(),
            1..=9 if self.pending.len() < 4 => self.begin(),
            _ if self.messages.is_empty() => {}
            _ => {
                let at = self.random.below(self.messages.len());
                let (operation, replica, message) = self.messages.swap_remove(at);
                match self.random.below(15) {
                    0 => return, // Lost.
                    1 => self.messages.push((operation, replica, message.clone())),
                    _ => {}
                }
                self.deliver(operation, replica, message);
            }
        }
    }

    fn begin(&mut self) {
        self.operations += 1;
        let value = Bytes::from(self.operations.to_string());
        let writes = (self.random.below(2) == 0).then_some(value);
        let coordinator = self.random.below(3);
        let phase = Phase::Asking(ReadQuorum::new(NODES.map(node), self.setting.r));
        let began = self.now;
        self.pending.insert(self.operations, Pending { coordinator, writes, began, phase });
        self.send(self.operations, &NODES.map(node), || Message::Ask);
    }

    /// The coordinator forgets what it was doing; what it has sent is still on its way.
    fn crash(&mut self) {
        let crashed = self.random.below(3);
        self.pending.retain(|_, operation| operation.coordinator != crashed);
        self.epochs[crashed] += 1;
    }

    fn send(&mut self, operation: usize, to: &[NodeId], message: impl Fn() -> Message) {
        let replicas = (0..3).filter(|i| to.contains(&node(NODES[*i])));
        self.messages.extend(replicas.map(|replica| (operation, replica, message())));
    }

    fn deliver(&mut self, operation: usize, replica: usize, message: Message) {
        match message {
            Message::Ask => {
                let held = self.replicas[replica].clone();
                self.messages.push((operation, replica, Message::Reply(held)));
            }
            Message::Store(record) => {
                let held = self.replicas[replica].take();
                self.replicas[replica] = Record::join_held(held, Some(record));
                self.messages.push((operation, replica, Message::Ack));
            }
            answer => self.answer(operation, replica, answer),
        }
    }

    fn answer(&mut self, number: usize, replica: usize, answer: Message) {
        let Some(mut operation) = self.pending.remove(&number) else { return };
        let from = node(NODES[replica]);
        let progress = match (&mut operation.phase, answer) {
            (Phase::Asking(quorum), Message::Reply(held)) => quorum.add(&from, held),
            (Phase::Storing(quorum, _), Message::Ack) => quorum.add(&from),
            _ => Progress::Pending, // A late reply to a phase that is over.
        };
        if progress != Progress::Met {
            self.pending.insert(number, operation);
            return;
        }
        match &operation.phase {
            Phase::Asking(quorum) => self.asked(number, &operation, quorum),
            Phase::Storing(_, record) => self.finish(&operation, Some(record.clone())),
        }
    }

    fn asked(&mut self, number: usize, operation: &Pending, read: &ReadQuorum) {
        let (record, quorum) = if operation.writes.is_some() {
            let tag = self.next_tag(number, operation.coordinator, read.highest_tag());
            let record = Record::Register { tag, value: operation.writes.clone() };
            (record, WriteQuorum::new(NODES.map(node), self.setting.w))
        } else {
            let write_back = read.write_back(self.setting.w).filter(|_| self.setting.writes_back);
            match (read.joined().cloned(), write_back) {
                (Some(record), Some(quorum)) => (record, quorum),
                (joined, _) => return self.finish(operation, joined),
            }
        };
        self.send(number, &quorum.silent(), || Message::Store(record.clone()));
        let phase = Phase::Storing(quorum, record);
        self.pending
            .insert(number, Pending { phase, writes: operation.writes.clone(), ..*operation });
    }

    fn next_tag(&self, number: usize, coordinator: usize, highest: Option<&Tag>) -> Tag {
        let nonce = Nonce { epoch: self.epochs[coordinator], sequence: number as u64 };
        let nonce = if self.setting.has_nonce { nonce } else { Nonce { epoch: 0, sequence: 0 } };
        Tag::next(highest, node(NODES[coordinator]), nonce)
    }

    fn finish(&mut self, operation: &Pending, record: Option<Record>) {
        let (is_write, began) = (operation.writes.is_some(), operation.began);
        self.done.push(Done { is_write, began, ended: self.now, record });
    }

    /// What shows that the register was not atomic.
    fn violation(&self) -> Option<&'static str> {
        for later in &self.done {
            for earlier in self.done.iter().filter(|done| done.ended < later.began) {
                if later.tag() < earlier.tag() {
                    return Some(match (earlier.is_write, later.is_write) {
                        (true, false) => "a read missed a write that had ended",
                        (false, false) => "a read went back behind an earlier read",
                        (true, true) => "a write was ordered before one that had ended",
                        (false, true) => "a write was ordered before what had been read",
                    });
                }
                if later.is_write && later.tag() == earlier.tag() {
                    return Some("a write took a tag that was taken");
                }
            }
        }
        let one_value = |a: &Done, b: &Done| a.tag() != b.tag() || a.record == b.record;
        let all_one = self.done.iter().all(|a| self.done.iter().all(|b| one_value(a, b)));
        (!all_one).then_some("two values share a tag")
    }
}

/// Every kind of violation that these seeds show, with how often.
fn violations(setting: Setting, seeds: u64) -> BTreeMap<&'static str, usize> {
    let mut found = BTreeMap::new();
    for violation in (0..seeds).filter_map(|seed| World::run(setting, seed).violation()) {
        *found.entry(violation).or_default() += 1;
    }
    found
}

#[test]
fn a_register_is_atomic_whatever_becomes_of_messages_and_coordinators() {
    for (r, w) in [(2, 2), (1, 3), (3, 1)] {
        let setting = Setting { r, w, ..HEALTHY };
        let mut done = 0;
        for seed in 0..1000 {
            let world = World::run(setting, seed);
            assert_eq!(world.violation(), None, "r={r} w={w} seed={seed}");
            done += world.done.len();
        }
        assert!(done > 2000, "only {done} operations ended: that proves little");
    }
}

#[test]
fn quorums_that_do_not_meet_miss_writes() {
    let found = violations(Setting { r: 1, w: 1, ..HEALTHY }, 300);
    assert!(found.contains_key("a read missed a write that had ended"), "{found:?}");
}

#[test]
fn without_write_back_reads_go_back_in_time_but_miss_no_write_that_ended() {
    let found = violations(Setting { writes_back: false, ..HEALTHY }, 1000);
    let kinds: Vec<&str> = found.keys().copied().collect();
    // Both are of writes in progress, which one has read and the next has not heard of.
    let expected = [
        "a read went back behind an earlier read",
        "a write was ordered before what had been read",
    ];
    assert_eq!(kinds, expected, "{found:?}");
}

#[test]
fn without_a_nonce_two_values_share_a_tag() {
    let found = violations(Setting { has_nonce: false, ..HEALTHY }, 1000);
    assert!(found.contains_key("two values share a tag"), "{found:?}");
}
