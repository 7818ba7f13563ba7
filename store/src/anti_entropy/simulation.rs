//! Three replicas in miniature: exchanges that begin at any time, messages that are late or lost,
//! writes that go on meanwhile, nodes that restart or lose their disk, around the very values the
//! shell uses.
//!
//! What must hold: an exchange without loss, with nobody writing, leaves both sides with the join of
//! what they held; trees kept write by write are the trees of what is held; nothing that was written
//! is gone unless every disk that had it is; every exchange ends. Unhealthy twins, each with one mistake,
//! must be caught.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;

use super::exchange::{Exchange, Found, Need};
use crate::merkle::{Bucket, MerkleTree, Span};
use crate::random::Random;
use crate::replica::Page;
use crate::version::test_records::{lww, node};
use crate::version::{Actor, Context, Record, Siblings};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
const STEPS: usize = 1_500;
/// Small, so that few keys are many pages.
const PAGE: usize = 3;
/// More than any exchange here can need.
const NEEDS_MAX: usize = 5_000;

/// Sixty keys in few buckets: six crowded ones, and some with neighbours.
static KEYS: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let mut buckets: BTreeMap<Bucket, Vec<Bytes>> = BTreeMap::new();
    for name in (0..60_000).map(|i| Bytes::from(format!("k{i}"))) {
        buckets.entry(Bucket::of(&name)).or_default().push(name);
    }
    let mut groups: Vec<Vec<Bytes>> = buckets.into_values().take(400).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups.into_iter().flatten().take(60).collect()
});

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mistake {
    None,
    /// A record that comes in replaces the own one.
    Replaces,
    /// What another node brings is not told to the tree.
    ForgetsTheTree,
    /// The list of a bucket ends with its first page.
    ListsOnePage,
}

#[derive(Default)]
pub(super) struct Replica {
    pub(super) held: BTreeMap<Bytes, Record>,
    pub(super) tree: MerkleTree,
    lives: u64,
}

impl Replica {
    pub(super) fn put(&mut self, key: &Bytes, record: Record, tells_the_tree: bool) {
        let digest = record.digest();
        let before = self.held.insert(key.clone(), record).map(|before| before.digest());
        if tells_the_tree {
            self.tree.update(key, before, Some(digest));
        }
    }

    pub(super) fn join(&mut self, key: &Bytes, record: Record, mistake: Mistake) {
        let own = self.held.get(key).cloned().filter(|_| mistake != Mistake::Replaces);
        let joined = Record::join_held(own, Some(record)).expect("one is held");
        self.put(key, joined, mistake != Mistake::ForgetsTheTree);
    }

    /// The tree of what is held, as a start plants it.
    fn planted(&self) -> MerkleTree {
        let mut tree = MerkleTree::new();
        for (key, record) in &self.held {
            tree.update(key, None, Some(record.digest()));
        }
        tree
    }

    pub(super) fn hashes(&self, spans: &[Span]) -> Vec<u64> {
        spans.iter().flat_map(|span| self.tree.children(*span)).collect()
    }

    pub(super) fn page(&self, buckets: &[Bucket], after: Option<&Bytes>, mistake: Mistake) -> Page {
        let mut keys: Vec<_> = self
            .held
            .iter()
            .map(|(key, record)| (Bucket::of(key), key.clone(), record.digest()))
            .filter(|(bucket, key, _)| {
                let is_after =
                    after.is_none_or(|after| (Bucket::of(after), after) < (*bucket, key));
                buckets.contains(bucket) && is_after
            })
            .collect();
        keys.sort_unstable();
        let more = keys.len() > PAGE && mistake != Mistake::ListsOnePage;
        keys.truncate(PAGE);
        Page { keys: keys.into_iter().map(|(_, key, digest)| (key, digest)).collect(), more }
    }
}

/// On its way, of one session between two nodes.
struct Flight {
    session: usize,
    ours: usize,
    theirs: usize,
    leg: Leg,
}

enum Leg {
    Ask(Need),
    Hashes(Vec<Span>, Vec<u64>),
    Page(Vec<Bucket>, Option<Bytes>, Page),
    Answer(Found),
}

struct Session {
    ours: usize,
    theirs: usize,
    exchange: Exchange,
    needs: usize,
}

struct World {
    mistake: Mistake,
    random: Random,
    replicas: [Replica; 3],
    sessions: BTreeMap<usize, Session>,
    flights: Vec<Flight>,
    begun: usize,
    finished: usize,
    writes: u64,
    /// What some disk has held ever since it was written.
    kept: BTreeMap<Bytes, Record>,
}

impl World {
    fn new(mistake: Mistake, seed: u64) -> World {
        World {
            mistake,
            random: Random(seed),
            replicas: Default::default(),
            sessions: BTreeMap::new(),
            flights: Vec::new(),
            begun: 0,
            finished: 0,
            writes: 0,
            kept: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        match self.random.below(200) {
            0 => self.restart(),
            1 => self.wipe(),
            2..=3 => self.begin(),
            4..=24 => self.write(),
            _ if self.flights.is_empty() => {}
            draw => {
                let at = self.random.below(self.flights.len());
                let flight = self.flights.swap_remove(at);
                // Who misses an answer gives the session up; what it had sent is still on its way.
                if draw == 25 && self.random.below(4) == 0 {
                    self.sessions.remove(&flight.session);
                } else {
                    self.deliver(flight);
                }
            }
        }
    }

    fn write(&mut self) {
        let (at, key) = (self.random.below(3), KEYS[self.random.below(KEYS.len())].clone());
        self.writes += 1;
        let (name, value) = (NODES[at], self.writes.to_string());
        let replica = &mut self.replicas[at];
        let record = if key.len() % 2 == 0 {
            lww(self.writes, name, self.writes, Some(&value))
        } else {
            let mut siblings = match replica.held.get(&key) {
                Some(Record::Siblings(siblings)) => siblings.clone(),
                _ => Siblings::default(),
            };
            let blind = self.random.below(2) == 0;
            let context = if blind { Context::default() } else { siblings.context() };
            let actor = Actor::new(node(name), replica.lives);
            siblings.update(&context, actor, Some(value.into()));
            Record::Siblings(siblings)
        };
        replica.put(&key, record.clone(), true);
        let kept = Record::join_held(self.kept.remove(&key), Some(record));
        self.kept.insert(key, kept.expect("one is held"));
    }

    fn begin(&mut self) {
        let ours = self.random.below(3);
        let theirs = (ours + 1 + self.random.below(2)) % 3;
        self.begin_between(ours, theirs);
    }

    fn begin_between(&mut self, ours: usize, theirs: usize) {
        self.begun += 1;
        let root = |at: usize| self.replicas[at].tree.root();
        let exchange = Exchange::new(root(ours), root(theirs));
        self.sessions.insert(self.begun, Session { ours, theirs, exchange, needs: 0 });
        self.go_on(self.begun);
    }

    /// The trees grow anew from what is held; what was under way here is forgotten.
    fn restart(&mut self) {
        let at = self.random.below(3);
        self.sessions.retain(|_, session| session.ours != at);
        let replica = &mut self.replicas[at];
        replica.tree = replica.planted();
    }

    fn wipe(&mut self) {
        let at = self.random.below(3);
        self.sessions.retain(|_, session| session.ours != at);
        self.replicas[at] = Replica { lives: self.replicas[at].lives + 1, ..Replica::default() };
        self.kept.clear();
        for (key, record) in self.replicas.iter().flat_map(|replica| &replica.held) {
            let kept = Record::join_held(self.kept.remove(key), Some(record.clone()));
            self.kept.insert(key.clone(), kept.expect("one is held"));
        }
    }

    /// Sends what a session needs; ends it when it needs nothing.
    fn go_on(&mut self, number: usize) {
        let Some(session) = self.sessions.get_mut(&number) else { return };
        while let Some(need) = session.exchange.need() {
            session.needs += 1;
            assert!(session.needs < NEEDS_MAX, "an exchange goes on for ever");
            let (ours, theirs, leg) = (session.ours, session.theirs, Leg::Ask(need));
            self.flights.push(Flight { session: number, ours, theirs, leg });
        }
        if self.flights.iter().all(|flight| flight.session != number) {
            self.sessions.remove(&number);
            self.finished += 1;
        }
    }

    fn deliver(&mut self, Flight { session, ours, theirs, leg }: Flight) {
        let found = match leg {
            Leg::Ask(need) => {
                let leg = self.answer(ours, theirs, need);
                return self.flights.push(Flight { session, ours, theirs, leg });
            }
            Leg::Hashes(spans, hashes) => {
                let own = self.replicas[ours].hashes(&spans);
                Found::Hashes(spans, own, hashes)
            }
            Leg::Page(buckets, after, page) => {
                let own = self.replicas[ours].page(&buckets, after.as_ref(), self.mistake);
                Found::Keys(own, page)
            }
            Leg::Answer(found) => found,
        };
        // Who began it may be gone; the other side has answered all the same.
        if let Some(begun) = self.sessions.get_mut(&session) {
            begun.exchange.take(found).expect("replicas talk no nonsense");
            self.go_on(session);
        }
    }

    fn answer(&mut self, ours: usize, theirs: usize, need: Need) -> Leg {
        let mistake = self.mistake;
        match need {
            Need::Hashes(spans) => {
                let hashes = self.replicas[theirs].hashes(&spans);
                Leg::Hashes(spans, hashes)
            }
            Need::Keys(buckets, after) => {
                let page = self.replicas[theirs].page(&buckets, after.as_ref(), mistake);
                Leg::Page(buckets, after, page)
            }
            Need::Copy(key) => {
                let record = self.replicas[theirs].held.get(&key).cloned();
                Leg::Answer(Found::Copy(key, record))
            }
            Need::Join(key, record) => {
                if let Some(record) = record {
                    self.replicas[ours].join(&key, record, mistake);
                }
                let own = self.replicas[ours].held.get(&key).cloned();
                Leg::Answer(Found::Joined(key, own))
            }
            Need::Push(key, record) => {
                self.replicas[theirs].join(&key, record, mistake);
                Leg::Answer(Found::Pushed(key))
            }
        }
    }

    /// Nobody writes, nothing is lost: each exchange makes its two equal, and three make all equal.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.sessions.clear();
        self.flights.clear();
        for (ours, theirs) in [(0, 1), (1, 2), (2, 0)] {
            self.begin_between(ours, theirs);
            while let Some(flight) = self.flights.pop() {
                self.deliver(flight);
            }
            let [one, other] = [ours, theirs].map(|at| &self.replicas[at]);
            for replica in [one, other] {
                if replica.tree != replica.planted() {
                    return Err("a tree is not that of what is held".to_owned());
                }
            }
            if one.held != other.held {
                return Err("an exchange left its sides different".to_owned());
            }
        }
        let all = &self.replicas[0].held;
        let is_there = |(key, kept): (&Bytes, &Record)| {
            let own = all.get(key).cloned();
            own == Record::join_held(own.clone(), Some(kept.clone()))
        };
        if self.kept.iter().all(is_there) { Ok(()) } else { Err("a record was lost".to_owned()) }
    }
}

fn run(mistake: Mistake, seed: u64) -> (World, Result<(), String>) {
    let mut world = World::new(mistake, seed);
    for _ in 0..STEPS {
        world.step();
    }
    let rest = world.come_to_rest();
    (world, rest)
}

#[test]
fn replicas_become_equal_and_lose_nothing_whatever_becomes_of_messages_and_nodes() {
    let (mut finished, mut writes) = (0, 0);
    for seed in 0..500 {
        let (world, rest) = run(Mistake::None, seed);
        assert_eq!(rest, Ok(()), "seed {seed}");
        // The last three of each run are without loss.
        (finished, writes) = (finished + world.finished - 3, writes + world.writes);
    }
    assert!(finished > 2_000 && writes > 50_000, "{finished} exchanges, {writes} writes: too few");
}

#[test]
fn every_mistake_is_seen() {
    for (mistake, seen) in [
        (Mistake::Replaces, "a record was lost"),
        (Mistake::ForgetsTheTree, "a tree is not that of what is held"),
        (Mistake::ListsOnePage, "an exchange left its sides different"),
    ] {
        let is_seen = |seed: &u64| run(mistake, *seed).1 == Err(seen.to_owned());
        assert!((0..300).any(|seed| is_seen(&seed)), "{mistake:?} shows nothing");
    }
}
