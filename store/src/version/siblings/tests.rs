//! The textbook example step by step, and the laws that make siblings safe.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::script;
use crate::version::test_histories::{Step, assert_join_is_lawful, dotted, play, steps};
use crate::version::test_records::node;
use crate::version::{Record, VersionVector, Write};

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

#[test]
fn an_actor_whose_dots_were_forgotten_gives_them_again_and_hides_a_write() {
    let sound = Siblings::new(actor("n1"), Some(value("before")));
    let mut limited = sound.clone();
    limited.entries.remove(&actor("n1"));
    limited.update(&Context::default(), actor("n1"), Some(value("after")));
    assert_eq!(sound.join(limited).values().len(), 1, "which is why dots have no limit");
}

#[test]
fn who_wrote_without_reading_may_not_overwrite_what_is_there() {
    let mut siblings = Siblings::new(actor("n1"), Some(value("a")));
    siblings = siblings.join(Siblings::new(actor("n2"), Some(value("b"))));
    // Blind: `a` and `b` are live and were not read, so the next write must leave them alone.
    let dot = siblings.update(&Context::default(), actor("n1"), Some(value("c")));
    let context = siblings.context_of_writer(&dot);
    assert_eq!(context, Context::default());
    siblings.update(&context, actor("n1"), Some(value("d")));
    assert_eq!(siblings.values(), ["a", "b", "c", "d"].map(value));
}

#[test]
fn who_wrote_after_reading_may_overwrite_what_it_wrote() {
    let mut siblings = Siblings::new(actor("n1"), Some(value("a")));
    let dot = siblings.update(&siblings.context(), actor("n1"), Some(value("b")));
    let context = siblings.context_of_writer(&dot);
    // Bob knows nothing of this; Ada goes on where she was, and his write stays.
    siblings.update(&Context::default(), actor("n2"), Some(value("bob")));
    siblings.update(&context, actor("n1"), Some(value("c")));
    assert_eq!(siblings.values(), ["bob", "c"].map(value));
}

proptest! {
    /// No write is lost that no reader has superseded, and none comes back: on every server, always,
    /// the values are those the definition says, also after disks were lost.
    #[test]
    fn siblings_are_what_nobody_has_seen_superseded(steps in steps()) {
        play(&dotted(), &steps, |server| {
            assert_eq!(server.values(), server.oracle.values());
            let held = server.held.as_ref().map_or(0, Record::siblings);
            assert_eq!(held, server.oracle.live());
        });
    }

    #[test]
    fn join_is_idempotent_commutative_and_associative(steps in steps()) {
        assert_join_is_lawful(play(&dotted(), &steps, |_| {}))?;
    }

    #[test]
    fn a_join_knows_what_both_know(steps in steps()) {
        let [a, b, _] = play(&dotted(), &steps, |_| {});
        let joined = Record::join_held(a.held.clone(), b.held.clone());
        let joined = joined.map_or(Context::default(), |record| record.context());
        let mut expected: VersionVector = a.context().vector().clone();
        b.context().vector().iter().for_each(|(actor, n)| expected.learn(actor.clone(), n));
        prop_assert!(joined.vector().covers(a.context().vector()));
        prop_assert_eq!(joined.vector(), &expected);
    }

    #[test]
    fn a_vector_is_as_long_as_there_are_servers(steps in steps()) {
        let wiped = steps.iter().filter(|step| matches!(step, Step::Wipe { .. })).count();
        let longest = 3 + wiped;
        play(&dotted(), &steps, |server| {
            assert!(server.context().vector().iter().len() <= longest);
        });
    }

    #[test]
    fn a_write_after_a_read_of_the_same_server_stands_alone(steps in steps(), server in 0..3usize) {
        let client = 0;
        let read = Step::Read { client, server };
        let write = Step::Write { client, server, delete: false };
        let servers = play(&dotted(), &[&steps[..], &[read, write]].concat(), |_| {});
        prop_assert_eq!(servers[server].held.as_ref().map(Record::siblings), Some(1));
    }

    /// Whatever was there before: a client who has seen nothing removes nothing.
    #[test]
    fn two_clients_of_one_server_never_hide_each_other(steps in steps(), server in 0..3usize) {
        let before = play(&dotted(), &steps, |_| {})[server].held.clone();
        let number = |own: Option<Record>, text: &str| {
            let (context, actor) = (Context::default(), Actor::new(node("n9"), 9));
            let value = Some(value(text));
            let write = Write { context: &context, actor: &actor, floor: 0, wall_micros: 0, value };
            Some(write.over(own, &dotted(), 1 << 20).unwrap().record)
        };
        let after = number(number(before.clone(), "ada"), "bob").unwrap();
        let mut expected = before.map_or(Vec::new(), |record| record.values());
        expected.extend([value("ada"), value("bob")]);
        expected.sort_unstable();
        prop_assert_eq!(after.values(), expected);
    }
}
