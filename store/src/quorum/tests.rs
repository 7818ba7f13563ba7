//! Quorums played reply by reply.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::ring::NodeId;
use crate::script;
use crate::version::test_records::{node, register};
use crate::version::{Actor, Context, Record, Siblings};

fn names(nodes: &[NodeId]) -> String {
    if nodes.is_empty() {
        return "nobody".into();
    }
    nodes.iter().map(NodeId::as_str).collect::<Vec<_>>().join(" ")
}

/// `5@n1` is a register's write; `milk@n1` one of a sibling's; `-` is nothing held.
fn record(text: &str) -> Option<Record> {
    let (what, writer) = text.split_once('@')?;
    if let Ok(counter) = what.parse() {
        return Some(register(counter, writer, 1, Some(what)));
    }
    let value = Bytes::copy_from_slice(what.as_bytes());
    Some(Record::Siblings(Siblings::new(Actor::new(node(writer), 1), Some(value))))
}

#[derive(Default)]
struct Play {
    read: Option<ReadQuorum>,
    write: Option<WriteQuorum>,
}

impl Play {
    fn run(&mut self, verb: &str, words: &[&str]) -> String {
        let rest = || words[1..].iter().map(|name| node(name));
        match verb {
            "read" => self.begin_read(ReadQuorum::new(rest(), number(words[0]))),
            "write" => self.begin_write(WriteQuorum::new(rest(), number(words[0]))),
            "reply" => {
                let (node, held) = (node(words[0]), record(words[1]));
                format!("{:?}", self.read().add(&node, held))
            }
            "ack" => format!("{:?}", self.write().add(&node(words[0]))),
            "refuse" => {
                let node = node(words[0]);
                match &mut self.write {
                    Some(write) => format!("{:?}", write.refuse(&node)),
                    None => format!("{:?}", self.read().refuse(&node)),
                }
            }
            "message" => match &self.write {
                Some(write) => write.to_string(),
                None => self.read().to_string(),
            },
            "joined" => self.read().joined().map_or("nothing".into(), Record::version),
            "behind" => names(&self.read().behind()),
            "hints" => names(&self.write().unacknowledged()),
            "write-back" => match self.read().write_back(number(words[0])) {
                None => "not needed".into(),
                Some(quorum) => {
                    let to = names(&quorum.silent());
                    format!("to {to}\n{}", self.begin_write(quorum))
                }
            },
            other => panic!("no command {other}"),
        }
    }

    fn begin_read(&mut self, quorum: ReadQuorum) -> String {
        let shown = format!("{:?}: {quorum}", quorum.progress());
        *self = Play { read: Some(quorum), write: None };
        shown
    }

    fn begin_write(&mut self, quorum: WriteQuorum) -> String {
        let shown = format!("{:?}: {quorum}", quorum.progress());
        self.write = Some(quorum);
        shown
    }

    fn read(&mut self) -> &mut ReadQuorum {
        self.read.as_mut().expect("a read was begun")
    }

    fn write(&mut self) -> &mut WriteQuorum {
        self.write.as_mut().expect("a write was begun")
    }
}

fn number(word: &str) -> usize {
    word.trim_start_matches("r=").trim_start_matches("w=").parse().unwrap()
}

#[test]
fn reads_go_as_written() {
    let mut play = Play::default();
    script::replay("quorum/read.txt", |verb, words| play.run(verb, words));
}

#[test]
fn writes_go_as_written() {
    let mut play = Play::default();
    script::replay("quorum/write.txt", |verb, words| play.run(verb, words));
}

#[test]
fn a_register_read_waits_until_a_write_quorum_holds_what_it_returns() {
    let mut play = Play::default();
    script::replay("quorum/write-back.txt", |verb, words| play.run(verb, words));
}

#[test]
fn the_read_phase_of_a_write_finds_the_highest_tag() {
    let mut read = ReadQuorum::new(["n1", "n2", "n3"].map(node), 2);
    assert_eq!(read.highest_tag(), None);
    read.add(&node("n1"), record("4@n2"));
    read.add(&node("n2"), record("4@n1"));
    assert_eq!(read.highest_tag().map(ToString::to_string), Some("4/n2/1.1".into()));
    let mut siblings = ReadQuorum::new([node("n1")], 1);
    siblings.add(&node("n1"), record("milk@n1"));
    assert_eq!(siblings.highest_tag(), None);
}

#[test]
fn siblings_of_different_replicas_are_joined_and_both_are_behind() {
    let mut read = ReadQuorum::new(["n1", "n2", "n3"].map(node), 2);
    read.add(&node("n1"), record("milk@n1"));
    read.add(&node("n2"), record("tea@n2"));
    assert_eq!(read.joined().map(Record::values), Some(vec!["milk".into(), "tea".into()]));
    assert_eq!(read.behind(), ["n1", "n2"].map(node));
    let context = read.joined().map(Record::context).unwrap_or_default();
    assert_ne!(context, Context::default());
}

const NODES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];

/// From whom, and whether it is a refusal or a reply, and of which counter.
fn answers() -> impl Strategy<Value = Vec<(usize, bool, u64)>> {
    prop::collection::vec((0..5usize, prop::bool::weighted(0.3), 0..3u64), 0..20)
}

proptest! {
    /// Four replicas and a stranger: progress is what counting by hand says, whatever is repeated.
    #[test]
    fn progress_is_a_count_of_distinct_replicas(answers in answers(), needed in 1..6usize) {
        let replicas = NODES[..4].iter().map(|name| node(name));
        let mut quorum = WriteQuorum::new(replicas, needed);
        let (mut acked, mut refused) = ([false; 4], [false; 4]);
        for (from, refuses, _) in answers {
            let by = node(NODES[from]);
            let progress = if refuses { quorum.refuse(&by) } else { quorum.add(&by) };
            if from < 4 {
                if refuses { refused[from] = true } else { acked[from] = true }
            }
            let acks = acked.iter().filter(|acked| **acked).count();
            let lost = (0..4).filter(|i| refused[*i] && !acked[*i]).count();
            let expected = if acks >= needed {
                Progress::Met
            } else if 4 - lost < needed {
                Progress::Unreachable
            } else {
                Progress::Pending
            };
            prop_assert_eq!(progress, expected);
            prop_assert_eq!(quorum.unacknowledged().len(), 4 - acks);
        }
    }

    /// What makes a register linearizable: once the write-back is met, or not needed, at least `w`
    /// replicas have said that they hold the record read.
    #[test]
    fn what_a_register_read_returns_is_held_by_w(answers in answers(), w in 1..5usize) {
        let replicas = NODES[..4].iter().map(|name| node(name));
        let mut read = ReadQuorum::new(replicas, 1);
        let mut first: [Option<u64>; 4] = [None; 4];
        for (from, _, counter) in answers {
            let held = (counter > 0).then(|| register(counter, "n1", 1, None));
            read.add(&node(NODES[from]), held);
            if from < 4 {
                first[from].get_or_insert(counter);
            }
        }
        let newest = first.iter().flatten().max().copied().unwrap_or(0);
        let holders = first.iter().filter(|counter| **counter == Some(newest)).count();
        let behind = first.iter().flatten().filter(|counter| **counter < newest).count();
        prop_assert_eq!(read.joined().map(Record::values), (newest > 0).then(Vec::new));
        prop_assert_eq!(read.behind().len(), behind);
        prop_assert_eq!(read.differs(), behind > 0);
        match read.write_back(w) {
            None => prop_assert!(newest == 0 || holders >= w),
            Some(quorum) => {
                prop_assert!(newest > 0 && holders < w);
                prop_assert_eq!(quorum.tally().answered(), holders);
                prop_assert_eq!(quorum.silent().len(), 4 - holders);
            }
        }
    }
}
