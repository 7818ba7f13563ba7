//! The textbook example, told by server vectors as it is taught; how they lose writes, and what it
//! costs to cut them short.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config::Keyspace;
use crate::script;
use crate::version::test_histories::{
    Server, Step, assert_join_is_lawful, play, server_vector, steps,
};
use crate::version::{Kind, Record};

/// The vector as it is taught: `[Sx,3][Sy,1]`.
fn vector(clock: &VectorClock) -> String {
    let pair = |(actor, counter, _): (&Actor, u64, u64)| format!("[{},{counter}]", actor.node);
    clock.pairs().map(pair).collect()
}

fn actor(name: &str) -> Actor {
    Actor::new(name.parse().unwrap(), 1)
}

/// Servers that hold one key, and clients that remember what they read.
#[derive(Default)]
struct Story {
    servers: BTreeMap<String, Branches>,
    clients: BTreeMap<String, Context>,
    limit: Option<usize>,
    /// Every write is a microsecond later than the last.
    micros: u64,
}

impl Story {
    fn run(&mut self, verb: &str, words: &[&str]) -> String {
        let shown = match (verb, words) {
            ("limit", [pairs]) => {
                self.limit = pairs.parse().ok();
                return String::new();
            }
            ("reads", [client, server]) => {
                let context = self.at(server).context();
                let seen = vector(context.clock());
                self.clients.insert((*client).to_owned(), context);
                return format!("{client} has seen {seen}: {}", self.shown(server));
            }
            ("writes", [client, server, text]) => {
                self.write(client, server, Some(Bytes::copy_from_slice(text.as_bytes())));
                server
            }
            ("tells", [from, to]) => {
                let joined = self.at(to).clone().join(self.at(from).clone());
                *self.at(to) = joined;
                to
            }
            _ => panic!("no command {verb} {words:?}"),
        };
        format!("{shown} holds {}", self.shown(shown))
    }

    fn at(&mut self, server: &str) -> &mut Branches {
        self.servers.entry(server.to_owned()).or_default()
    }

    fn write(&mut self, client: &str, server: &str, value: Option<Bytes>) {
        self.micros += 1;
        let (micros, limit) = (self.micros, self.limit);
        let context = self.clients.get(client).cloned().unwrap_or_default();
        self.at(server).update(&context, &actor(server), micros, limit, value);
    }

    fn shown(&mut self, server: &str) -> String {
        let text = |branch: &Branch| {
            let value = branch.value.as_deref().map_or("(deleted)".into(), String::from_utf8_lossy);
            format!("{value} {}", vector(&branch.clock))
        };
        self.at(server).iter().map(text).collect::<Vec<_>>().join(" + ")
    }
}

fn replay(name: &str) {
    let mut story = Story::default();
    script::replay(&format!("branches/{name}.txt"), |verb, words| story.run(verb, words));
}

#[test]
fn the_textbook_example_goes_as_it_is_taught() {
    replay("textbook");
}

#[test]
fn of_two_clients_of_one_server_the_second_hides_the_first() {
    replay("two-clients-one-server");
}

#[test]
fn what_a_dropped_pair_said_comes_back_as_a_sibling_again_and_again() {
    replay("vector-limit");
}

/// Why nobody but the server that takes a write drops pairs: this replica does so when it stores.
#[test]
fn a_replica_that_drops_pairs_of_what_it_is_sent_never_agrees_with_the_sender() {
    let mut sender = Branches::default();
    sender.update(&Context::default(), &actor("Sx"), 1, None, Some("D1".into()));
    sender.update(&sender.context(), &actor("Sy"), 2, None, Some("D2".into()));
    let store = |branches: Branches| -> Branches {
        let cut = |mut branch: Branch| {
            branch.clock.drop_oldest(1, &actor("Sy"));
            branch
        };
        branches.0.into_iter().map(cut).collect()
    };
    let mut other = Branches::default();
    for _ in 0..10 {
        other = store(other.join(sender.clone()));
        sender = sender.join(other.clone());
        assert_ne!(other, sender, "each exchange finds a difference");
    }
    assert_eq!(other.clone().join(sender.clone()), sender, "where a plain join ends it at once");
}

/// No correct server gives one vector to two values; a join must survive it.
#[test]
fn of_two_values_under_one_vector_every_replica_keeps_the_same() {
    let write = |micros, value: &str| {
        let mut branches = Branches::default();
        branches.update(
            &Context::default(),
            &actor("Sx"),
            micros,
            None,
            Some(value.to_owned().into()),
        );
        branches
    };
    let (a, b) = (write(1, "a"), write(2, "b"));
    assert_eq!(a.clone().join(b.clone()), b.clone().join(a.clone()));
    assert_eq!(a.join(b).values(), ["b"]);
}

fn limited(pairs: usize) -> Keyspace {
    Keyspace { vector_limit: Some(pairs), ..server_vector() }
}

/// Makes each writer read its own server first, and gives each server one client.
fn who_reads_first(steps: &[Step]) -> Vec<Step> {
    let alone = |step: &Step| match *step {
        Step::Write { server, delete, .. } => {
            let (client, read) = (server, Step::Read { client: server, server });
            vec![read, Step::Write { client, server, delete }]
        }
        Step::Read { .. } => Vec::new(),
        ref other => vec![other.clone()],
    };
    steps.iter().flat_map(alone).collect()
}

fn branches(server: &Server) -> &Branches {
    match &server.held {
        Some(Record::Branches(branches)) => branches,
        other => panic!("{other:?} is not {}", Kind::Branches),
    }
}

proptest! {
    #[test]
    fn join_is_idempotent_commutative_and_associative(
        steps in steps(), limit in prop::option::of(1..3usize),
    ) {
        let settings = Keyspace { vector_limit: limit, ..server_vector() };
        assert_join_is_lawful(play(&settings, &steps, |_| {}))?;
    }

    #[test]
    fn no_version_held_covers_another(steps in steps()) {
        play(&server_vector(), &steps, |server| {
            let Some(Record::Branches(branches)) = &server.held else { return };
            for (one, other) in branches.iter().zip(branches.iter().skip(1)) {
                assert!(!one.clock.covers(&other.clock) && !other.clock.covers(&one.clock));
            }
        });
    }

    /// They lose writes, but never bring back what a client has superseded.
    #[test]
    fn without_a_limit_nothing_superseded_comes_back(steps in steps()) {
        play(&server_vector(), &steps, |server| {
            let live = server.oracle.values();
            assert!(server.values().iter().all(|value| live.contains(value)));
        });
    }

    #[test]
    fn where_a_server_has_one_client_who_reads_first_nothing_is_lost(steps in steps()) {
        play(&server_vector(), &who_reads_first(&steps), |server| {
            assert_eq!(server.values(), server.oracle.values());
        });
    }

    /// Whoever reads all and writes through the server it read stands alone there, limit or not.
    #[test]
    fn a_write_after_a_read_of_the_same_server_stands_alone(
        steps in steps(), server in 0..3usize, limit in 1..4usize,
    ) {
        let read = Step::Read { client: 0, server };
        let write = Step::Write { client: 0, server, delete: false };
        let servers = play(&limited(limit), &[&steps[..], &[read, write]].concat(), |_| {});
        prop_assert_eq!(branches(&servers[server]).len(), 1);
    }

    #[test]
    fn no_vector_has_more_pairs_than_the_limit(steps in steps(), limit in 1..4usize) {
        play(&limited(limit), &steps, |server| {
            let Some(Record::Branches(branches)) = &server.held else { return };
            assert!(branches.iter().all(|branch| branch.clock.pairs().len() <= limit));
        });
    }
}
