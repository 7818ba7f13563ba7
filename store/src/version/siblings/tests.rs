//! The textbook example step by step, and the laws that make siblings safe.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::script;
use crate::version::VersionVector;

fn actor(name: &str) -> Actor {
    Actor::new(name.parse().unwrap(), 1)
}

fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn text(value: &Bytes) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// The vector as it is taught: `[Sx,3][Sy,1]`.
fn vector(context: &Context) -> String {
    let entries = context.vector().iter();
    let pairs: Vec<String> =
        entries.map(|(actor, counter)| format!("[{},{counter}]", actor.node)).collect();
    pairs.concat()
}

/// Servers that hold one key, and clients that remember what they read.
#[derive(Default)]
struct Story {
    servers: BTreeMap<String, Siblings>,
    clients: BTreeMap<String, Context>,
}

impl Story {
    fn run(&mut self, verb: &str, words: &[&str]) -> String {
        match (verb, words) {
            ("reads", [client, server]) => {
                let context = self.at(server).context();
                self.clients.insert((*client).to_owned(), context);
            }
            ("writes", [client, server, text]) => self.write(client, server, Some(value(text))),
            ("deletes", [client, server]) => self.write(client, server, None),
            ("tells", [from, to]) => {
                let joined = self.at(to).clone().join(self.at(from).clone());
                *self.at(to) = joined;
            }
            _ => panic!("no command {verb} {words:?}"),
        }
        let shown = words[1];
        let held = self.at(shown);
        let live = held.live().map(|(_, value)| value.map_or("(deleted)".into(), text));
        let live: Vec<String> = live.collect();
        format!("{shown} holds {} of {}", live.join(" + "), vector(&held.context()))
    }

    fn at(&mut self, server: &str) -> &mut Siblings {
        self.servers.entry(server.to_owned()).or_default()
    }

    fn write(&mut self, client: &str, server: &str, value: Option<Bytes>) {
        let context = self.clients.get(client).cloned().unwrap_or_default();
        self.at(server).update(&context, actor(server), value);
        // The reply carries the new context, but the client keeps what it read until it reads again.
    }
}

#[test]
fn the_textbook_example_goes_as_it_is_taught() {
    let mut story = Story::default();
    script::replay("siblings/textbook.txt", |verb, words| story.run(verb, words));
}

#[test]
fn two_clients_of_one_server_do_not_hide_each_other() {
    let mut story = Story::default();
    script::replay("siblings/two-clients-one-server.txt", |verb, words| story.run(verb, words));
}

#[test]
fn a_delete_removes_what_it_saw_and_nothing_else() {
    let mut story = Story::default();
    script::replay("siblings/deletes.txt", |verb, words| story.run(verb, words));
}

#[test]
fn a_node_that_lost_its_data_gives_no_dot_again() {
    let sound = Siblings::new(actor("n1"), Some(value("before")));
    let reborn = Actor { epoch: 2, ..actor("n1") };
    let joined = sound.clone().join(Siblings::new(reborn, Some(value("after"))));
    assert_eq!(joined.values(), ["after", "before"]);
    // In its old epoch its new write would bear the old write's dot, and one would hide the other.
    let amnesiac = sound.join(Siblings::new(actor("n1"), Some(value("after"))));
    assert_eq!(amnesiac.values().len(), 1);
}

#[test]
fn live_dots_are_the_last_of_their_actor() {
    let mut siblings = Siblings::new(actor("n1"), Some(value("a")));
    let seen = siblings.context();
    siblings.update(&Context::default(), actor("n1"), Some(value("b")));
    let last = siblings.update(&seen, actor("n1"), None);
    let live: Vec<(String, Option<&Bytes>)> =
        siblings.live().map(|(dot, value)| (dot.to_string(), value)).collect();
    assert_eq!(live, [("n1/1:2".into(), Some(&value("b"))), ("n1/1:3".into(), None)]);
    assert_eq!(last.to_string(), "n1/1:3");
    assert_eq!(siblings.to_string(), "n1/1:3(2)");
}

const SERVERS: [&str; 3] = ["n1", "n2", "n3"];

/// What may happen to a key on three servers, by four clients.
#[derive(Clone, Debug)]
enum Step {
    Read { client: usize, server: usize },
    Write { client: usize, server: usize, delete: bool },
    Tell { from: usize, to: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4usize, 0..3usize).prop_map(|(client, server)| Step::Read { client, server }),
        (0..4usize, 0..3usize, prop::bool::weighted(0.2))
            .prop_map(|(client, server, delete)| Step::Write { client, server, delete }),
        (0..3usize, 0..3usize).prop_map(|(from, to)| Step::Tell { from, to }),
    ];
    prop::collection::vec(step, 0..40)
}

/// Siblings as the definition has them, without any vector: each server knows a set of writes, and
/// of these the superseded ones. Slow, endless, and obviously right.
#[derive(Clone, Debug, Default, PartialEq)]
struct Oracle {
    known: BTreeSet<u64>,
    superseded: BTreeSet<u64>,
}

impl Oracle {
    fn live(&self) -> BTreeSet<u64> {
        self.known.difference(&self.superseded).copied().collect()
    }

    fn join(&mut self, other: &Oracle) {
        self.known.extend(&other.known);
        self.superseded.extend(&other.superseded);
    }
}

/// Plays the steps on siblings and oracle side by side; every write has a value of its own, and
/// `check` sees each server after each step.
fn play(
    steps: &[Step],
    mut check: impl FnMut(&Siblings, &Oracle, &BTreeSet<u64>),
) -> Vec<Siblings> {
    let mut servers = vec![(Siblings::default(), Oracle::default()); 3];
    let mut clients = vec![(Context::default(), BTreeSet::new()); 4];
    let mut tombstones = BTreeSet::new();
    for (id, step) in (0u64..).zip(steps) {
        let touched = match *step {
            Step::Read { client, server } => {
                let (siblings, oracle) = &servers[server];
                clients[client] = (siblings.context(), oracle.known.clone());
                server
            }
            Step::Write { client, server, delete } => {
                let (siblings, oracle) = &mut servers[server];
                let (context, seen) = &clients[client];
                let bytes = (!delete).then(|| Bytes::copy_from_slice(&id.to_be_bytes()));
                siblings.update(context, actor(SERVERS[server]), bytes);
                oracle.known.extend(seen);
                oracle.superseded.extend(seen);
                oracle.known.insert(id);
                tombstones.extend(delete.then_some(id));
                server
            }
            Step::Tell { from, to } => {
                let (siblings, oracle) = servers[from].clone();
                servers[to].0 = std::mem::take(&mut servers[to].0).join(siblings);
                servers[to].1.join(&oracle);
                to
            }
        };
        check(&servers[touched].0, &servers[touched].1, &tombstones);
    }
    servers.into_iter().map(|(siblings, _)| siblings).collect()
}

proptest! {
    /// No write is lost that no reader has superseded, and none comes back: on every server, always,
    /// the values are those the definition says.
    #[test]
    fn siblings_are_what_nobody_has_seen_superseded(steps in steps()) {
        play(&steps, |siblings, oracle, tombstones| {
            let expected: Vec<Bytes> = oracle
                .live()
                .difference(tombstones)
                .map(|id| Bytes::copy_from_slice(&id.to_be_bytes()))
                .collect();
            assert_eq!(siblings.values(), expected);
            assert_eq!(siblings.len(), oracle.live().len());
        });
    }

    #[test]
    fn join_is_idempotent_commutative_and_associative(steps in steps()) {
        let servers = play(&steps, |_, _, _| {});
        let [a, b, c] = servers.try_into().unwrap();
        prop_assert_eq!(a.clone().join(a.clone()), a.clone());
        prop_assert_eq!(a.clone().join(b.clone()), b.clone().join(a.clone()));
        prop_assert_eq!(a.clone().join(b.clone()).join(c.clone()), a.join(b.join(c)));
    }

    #[test]
    fn a_join_knows_what_both_know(steps in steps()) {
        let [a, b, _] = play(&steps, |_, _, _| {}).try_into().unwrap();
        let joined = a.clone().join(b.clone()).context();
        let mut expected: VersionVector = a.context().vector().clone();
        b.context().vector().iter().for_each(|(actor, n)| expected.learn(actor.clone(), n));
        prop_assert!(joined.vector().covers(a.context().vector()));
        prop_assert_eq!(joined.vector(), &expected);
    }

    #[test]
    fn a_vector_is_as_long_as_there_are_servers(steps in steps()) {
        play(&steps, |siblings, _, _| assert!(siblings.context().vector().iter().len() <= 3));
    }

    #[test]
    fn a_write_after_a_read_of_the_same_server_stands_alone(steps in steps(), server in 0..3usize) {
        let client = 0;
        let read = Step::Read { client, server };
        let write = Step::Write { client, server, delete: false };
        let servers = play(&[&steps[..], &[read, write]].concat(), |_, _, _| {});
        prop_assert_eq!(servers[server].len(), 1);
    }
}
