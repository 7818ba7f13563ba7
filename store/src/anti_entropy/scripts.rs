//! Repair by script: what two replicas say to become equal, and when tombstones go.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;

use super::exchange::{Exchange, Found, Need};
use super::reaping::{Reaping, Step};
use super::simulation::{Mistake, Replica};
use crate::peer::message::Calm;
use crate::ring::NodeId;
use crate::script::replay;
use crate::version::Record;
use crate::version::test_records::{node, register};

/// `b=7`: the register `b` with a value of counter 7; `b=7-`: with a tombstone.
fn held(text: &str) -> (Bytes, Record) {
    let (key, counter) = text.split_once('=').unwrap();
    let (counter, value) = match counter.strip_suffix('-') {
        Some(counter) => (counter, None),
        None => (counter, Some("v")),
    };
    let counter = counter.parse().unwrap();
    (Bytes::copy_from_slice(key.as_bytes()), register(counter, "n1", counter, value))
}

fn told(record: Option<&Record>) -> String {
    let Some(record) = record else { return "nothing".to_owned() };
    let counter = record.tag().unwrap().counter;
    format!("{counter}{}", if record.is_tombstone() { "-" } else { "" })
}

fn name(key: &Bytes) -> &str {
    std::str::from_utf8(key).unwrap()
}

/// Carries out what n1 needs, and says so.
fn find(need: Need, [ours, theirs]: &mut [Replica; 2], transcript: &mut String) -> Found {
    let (line, found) = match need {
        Need::Hashes(spans) => {
            let hashes = [&*ours, &*theirs].map(|replica| replica.hashes(&spans));
            let line = format!("hashes below {} of level {}", spans.len(), spans[0].level);
            let [mine, other] = hashes;
            (line, Found::Hashes(spans, mine, other))
        }
        Need::Keys(buckets, after) => {
            let page = |replica: &Replica| replica.page(&buckets, after.as_ref(), Mistake::None);
            let (mine, other) = (page(ours), page(theirs));
            let line = format!("keys of {} buckets", buckets.len());
            (line, Found::Keys(mine, other))
        }
        Need::Copy(key) => {
            let copy = theirs.held.get(&key).cloned();
            let line = format!("n1 <- {} {}", name(&key), told(copy.as_ref()));
            (line, Found::Copy(key, copy))
        }
        Need::Join(key, record) => {
            if let Some(record) = record {
                ours.join(&key, record, Mistake::None);
            }
            let own = ours.held.get(&key).cloned();
            let line = format!("n1 holds {} {}", name(&key), told(own.as_ref()));
            (line, Found::Joined(key, own))
        }
        Need::Push(key, record) => {
            let line = format!("n2 <- {} {}", name(&key), told(Some(&record)));
            theirs.join(&key, record, Mistake::None);
            (line, Found::Pushed(key))
        }
    };
    writeln!(transcript, "{line}").unwrap();
    found
}

fn exchange(replicas: &mut [Replica; 2]) -> String {
    let mut transcript = String::new();
    let mut exchange = Exchange::new(replicas[0].tree.root(), replicas[1].tree.root());
    while let Some(need) = exchange.need() {
        exchange.take(find(need, replicas, &mut transcript)).unwrap();
    }
    for (name, replica) in ["n1", "n2"].into_iter().zip(replicas) {
        let held = replica.held.iter();
        let held = held.map(|(key, record)| format!("{}={}", self::name(key), told(Some(record))));
        writeln!(transcript, "{name}: {}", held.collect::<Vec<_>>().join(" ")).unwrap();
    }
    transcript
}

#[test]
fn exchanges_by_script() {
    let mut replicas = <[Replica; 2]>::default();
    replay("repair/exchange.txt", |verb, arguments| {
        let at = match verb {
            "n1" => 0,
            "n2" => 1,
            "exchange" => return exchange(&mut replicas),
            _ => panic!("no command: {verb}"),
        };
        for (key, record) in arguments.iter().map(|argument| held(argument)) {
            replicas[at].put(&key, record, true);
        }
        String::new()
    });
}

fn calm([kept, taken, boot]: [&str; 3]) -> Calm {
    let number = |text: &str, name: &str| {
        text.strip_prefix(name).and_then(|text| text.strip_prefix('=')?.parse().ok()).unwrap()
    };
    Calm {
        hints_kept: number(kept, "kept"),
        hints_taken: number(taken, "taken"),
        boot: number(boot, "boot"),
    }
}

fn step(reaping: &Reaping) -> String {
    let names = |nodes: &BTreeSet<NodeId>| {
        let names: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
        names.join(" ")
    };
    match reaping.step() {
        Step::Compare(nodes) => format!("compare with {}", names(&nodes)),
        Step::Settle(nodes) => format!("settle: {}", names(&nodes)),
        Step::Forget => "forget".to_owned(),
    }
}

#[test]
fn reaping_by_script() {
    let mut reaping = Reaping::begin([].into(), [].into());
    replay("repair/reaping.txt", |verb, arguments| {
        match (verb, arguments) {
            ("begin", nodes) => {
                let mut halves = nodes.split(|word| *word == "of");
                let mut nodes = || halves.next().unwrap().iter().map(|name| node(name));
                let (replicas, members) = (nodes(), nodes());
                reaping = Reaping::begin(replicas.skip(1).collect(), members.collect());
            }
            ("compared", [fellow]) => reaping.compared(&node(fellow)),
            ("settled", [member, said @ ..]) => {
                let said = calm(said.try_into().unwrap());
                if let Err(why) = reaping.settled(&node(member), said) {
                    return format!("given up: {member} {why}");
                }
            }
            _ => panic!("no command: {verb} {arguments:?}"),
        }
        step(&reaping)
    });
}
