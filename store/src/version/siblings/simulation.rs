//! A shopping cart in miniature: clients who read, add to what they read and write it back, or delete it
//! all, three replicas, messages that get lost or come late, and one replica that loses its data.
//!
//! No acknowledged addition that no delete has seen may be missing once all replicas have told each
//! other everything, and no dot may be given twice. The healthy cart must pass with every seed; its
//! twins, of which each breaks one rule of dots and contexts, must be caught.

use std::collections::BTreeSet;

use super::*;
use crate::config::Keyspace;
use crate::random::Random;
use crate::version::test_histories::{dotted, server_vector};
use crate::version::test_records::node;
use crate::version::{Record, Write};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
const STEPS: usize = 200;

#[derive(Clone, Copy)]
struct Setting {
    /// A replica that lost its data comes back in a later epoch.
    renews_epoch: bool,
    /// A client hands back the context of what it read, not of what is there when it writes.
    keeps_context: bool,
    /// Writes are told apart by dots, not by vectors of servers.
    has_dots: bool,
}

const HEALTHY: Setting = Setting { renews_epoch: true, keeps_context: true, has_dots: true };

type Cart = BTreeSet<usize>;

fn encode(cart: &Cart) -> Bytes {
    let items: Vec<String> = cart.iter().map(ToString::to_string).collect();
    items.join(",").into()
}

/// The client's merge: all that is in any sibling.
fn merge(held: Option<&Record>) -> Cart {
    let values = held.map_or(Vec::new(), Record::values);
    let texts = values.iter().map(|value| std::str::from_utf8(value).unwrap());
    texts.flat_map(|text| text.split(',').map(|item| item.parse::<usize>().unwrap())).collect()
}

fn context(held: Option<&Record>) -> Context {
    held.map_or(Context::default(), Record::context)
}

struct Message {
    to: usize,
    record: Record,
    /// The addition it is to acknowledge, if it is of one.
    adds: Option<usize>,
}

struct World {
    setting: Setting,
    settings: Keyspace,
    random: Random,
    replicas: [Option<Record>; 3],
    epochs: [u64; 3],
    clients: [(Context, Cart); 4],
    messages: Vec<Message>,
    added: usize,
    acknowledged: Cart,
    /// What a delete has seen.
    deleted: Cart,
    given: BTreeSet<Dot>,
    given_twice: BTreeSet<Dot>,
}

impl World {
    fn run(setting: Setting, seed: u64) -> World {
        let mut world = World {
            setting,
            settings: if setting.has_dots { dotted() } else { server_vector() },
            random: Random(seed),
            replicas: Default::default(),
            epochs: [1; 3],
            clients: Default::default(),
            messages: Vec::new(),
            added: 0,
            acknowledged: Cart::new(),
            deleted: Cart::new(),
            given: BTreeSet::new(),
            given_twice: BTreeSet::new(),
        };
        let lost_at = world.random.below(STEPS);
        for step in 0..STEPS {
            if step == lost_at {
                world.lose_data();
            }
            world.step();
        }
        world
    }

    fn step(&mut self) {
        let (client, replica) = (self.random.below(4), self.random.below(3));
        match self.random.below(4) {
            0 => self.read(client, replica),
            1 if self.random.below(16) == 0 => self.delete(client, replica),
            1 => self.add(client, replica),
            _ if self.messages.is_empty() => {}
            _ => {
                let at = self.random.below(self.messages.len());
                let message = self.messages.swap_remove(at);
                if self.random.below(8) > 0 {
                    self.deliver(message);
                }
            }
        }
    }

    /// Of two replicas: all but `skipped`.
    fn read(&mut self, client: usize, skipped: usize) {
        let [a, b] = [1, 2].map(|i| self.replicas[(skipped + i) % 3].clone());
        let joined = Record::join_held(a, b);
        self.clients[client] = (context(joined.as_ref()), merge(joined.as_ref()));
    }

    fn add(&mut self, client: usize, at: usize) {
        self.added += 1;
        let mut cart = self.clients[client].1.clone();
        cart.insert(self.added);
        self.write(client, at, Some(encode(&cart)), Some(self.added));
    }

    /// All that the client has seen.
    fn delete(&mut self, client: usize, at: usize) {
        self.deleted.extend(&self.clients[client].1);
        self.write(client, at, None, None);
    }

    /// The coordinator is a replica: it numbers the write, keeps it and tells the others.
    fn write(&mut self, client: usize, at: usize, value: Option<Bytes>, adds: Option<usize>) {
        let held = self.replicas[at].take();
        let read = &self.clients[client].0;
        let context =
            if self.setting.keeps_context { read.clone() } else { context(held.as_ref()) };
        let actor = Actor::new(node(NODES[at]), self.epochs[at]);
        let write = Write { context: &context, actor: &actor, floor: 0, wall_micros: 0, value };
        let record = write.over(held, &self.settings, usize::MAX).unwrap().record;
        let dot = Dot { counter: record.context().vector().counter(&actor), actor };
        if !self.given.insert(dot.clone()) {
            self.given_twice.insert(dot);
        }
        for to in [1, 2].map(|i| (at + i) % 3) {
            self.messages.push(Message { to, record: record.clone(), adds });
        }
        self.replicas[at] = Some(record);
    }

    /// With the coordinator's own copy, one other makes two of three: the client is told.
    fn deliver(&mut self, Message { to, record, adds }: Message) {
        self.replicas[to] = Record::join_held(self.replicas[to].take(), Some(record));
        self.acknowledged.extend(adds);
    }

    /// One replica loses its disk. What it had told others, and is still on its way, stays true.
    fn lose_data(&mut self) {
        let lost = self.random.below(3);
        self.replicas[lost] = None;
        self.epochs[lost] += u64::from(self.setting.renews_epoch);
    }

    /// Acknowledged additions that no delete has seen and no replica holds.
    fn missing(&self) -> Vec<usize> {
        let all = self.replicas.iter().cloned().fold(None, Record::join_held);
        let there = merge(all.as_ref());
        let gone = |item: &&usize| !there.contains(item) && !self.deleted.contains(item);
        self.acknowledged.iter().filter(gone).copied().collect()
    }
}

fn seeds_that_lose(setting: Setting) -> Vec<u64> {
    (0..1000).filter(|seed| !World::run(setting, *seed).missing().is_empty()).collect()
}

#[test]
fn no_acknowledged_addition_is_lost() {
    assert_eq!(seeds_that_lose(HEALTHY), []);
    let kept = |seed| {
        let world = World::run(HEALTHY, seed);
        world.acknowledged.difference(&world.deleted).count()
    };
    let kept: usize = (0..1000).map(kept).sum();
    assert!(kept > 10_000, "only {kept} were acknowledged and not deleted: that proves little");
}

#[test]
fn no_dot_is_given_twice_unless_a_node_lost_its_data_and_keeps_its_epoch() {
    let twice = |setting| {
        (0..1000).filter(move |seed| !World::run(setting, *seed).given_twice.is_empty()).count()
    };
    assert_eq!(twice(HEALTHY), 0);
    assert!(twice(Setting { renews_epoch: false, ..HEALTHY }) > 0);
}

#[test]
fn a_node_that_lost_its_data_and_keeps_its_epoch_loses_additions() {
    assert!(!seeds_that_lose(Setting { renews_epoch: false, ..HEALTHY }).is_empty());
}

#[test]
fn a_write_that_takes_what_is_there_for_what_was_read_loses_additions() {
    assert!(!seeds_that_lose(Setting { keeps_context: false, ..HEALTHY }).is_empty());
}

#[test]
fn server_vectors_lose_additions_of_clients_who_share_a_server() {
    assert!(!seeds_that_lose(Setting { has_dots: false, ..HEALTHY }).is_empty());
}
