//! Runs made up for the tests: shaped like real ones, the same at every call.
//!
//! Sixteen clients ask five nodes of two keyspaces; twelve faults come and go. While a fault
//! concerns the node a client sits with, its operations are slow, refused, or never answered.

use std::collections::BTreeMap;

use checker::{
    Anomaly, Event, Finding, Function, History, Kind, Note, Operation, Outcome, Process, Value,
    Verdict,
};
use results::RunInfo;
use serde_json::json;

const MS: u64 = 1_000_000;
const NODES: [&str; 5] = ["n1", "n2", "n3", "n4", "n5"];
const CLIENTS: u32 = 16;
const KEYS: u64 = 12;

/// A run as the harness hands it over.
pub(crate) struct Run {
    pub(crate) info: RunInfo,
    pub(crate) history: History,
    pub(crate) findings: Vec<Finding>,
}

/// Everything kept: `seconds` of about `rate` operations each, after seven of faults and more.
pub(crate) fn valid(seed: u64, seconds: u64, rate: u64) -> Run {
    let history = history(seed, seconds, rate);
    let findings = vec![
        finding(
            "linearizability",
            Some("register"),
            Verdict::Valid,
            "12 keys, every history has a legal order",
            vec![],
        ),
        finding(
            "lost acknowledged writes",
            Some("set"),
            Verdict::Valid,
            "12 keys, every acknowledged element was read at the end",
            vec![],
        ),
        finding(
            "convergence",
            Some("set"),
            Verdict::Valid,
            "12 keys, all five replicas equal after healing",
            vec![],
        ),
        finding("faults took effect", None, Verdict::Valid, "every fault left evidence", vec![]),
    ];
    Run { info: info("smoke", seed), history, findings }
}

/// As [`valid`], but a read missed a write that had been acknowledged before it began.
pub(crate) fn invalid(seed: u64, seconds: u64, rate: u64) -> Run {
    let mut run = valid(seed, seconds, rate);
    run.info = info("stale-reads", seed);
    let witness = stale_read_witness(&run.history);
    let (key, because) = (witness[0].key.clone(), because());
    let anomaly = Anomaly { name: "stale read".to_owned(), key, witness, because };
    run.findings[0] = finding(
        "linearizability",
        Some("register"),
        Verdict::Invalid,
        "12 keys, 1 of them has no legal order: a read missed an acknowledged write",
        vec![anomaly],
    );
    run
}

/// As [`valid`], but one key could not be judged within its budget.
pub(crate) fn unknown(seed: u64, seconds: u64, rate: u64) -> Run {
    let mut run = valid(seed, seconds, rate);
    run.findings[0].verdict = Verdict::Unknown;
    let summary = "12 keys, 11 have a legal order; register:4 exceeded its budget";
    summary.clone_into(&mut run.findings[0].summary);
    run
}

pub(crate) fn info(suite: &str, seed: u64) -> RunInfo {
    RunInfo {
        suite: suite.to_owned(),
        seed,
        tier: "namespaces (root)".to_owned(),
        started: "2026-11-22T13:05:01Z".parse().unwrap(),
        repeat: format!("schism run ci/suites/{suite}.yaml --seed {seed}"),
        nodes: NODES.map(str::to_owned).to_vec(),
        configuration: BTreeMap::from([
            ("register".to_owned(), "N=3 R=2 W=2, strict quorum".to_owned()),
            ("set".to_owned(), "N=3 R=2 W=2, siblings".to_owned()),
        ]),
    }
}

pub(crate) fn finding(
    checker: &str,
    keyspace: Option<&str>,
    verdict: Verdict,
    summary: &str,
    anomalies: Vec<Anomaly>,
) -> Finding {
    Finding {
        checker: checker.to_owned(),
        keyspace: keyspace.map(str::to_owned),
        verdict,
        summary: summary.to_owned(),
        anomalies,
    }
}

pub(crate) fn because() -> String {
    "Let W1 = process 2 writes 41 at n1, W2 = process 5 writes 42 at n2, R1 = process 9 reads 42 at \
     n2 and R2 = process 3 reads 41 at n1. Then W1 comes before W2, because it was acknowledged \
     before W2 began; and R1, which ended before R2 began, had already returned the value of W2. \
     However R2 returned 41, the value that W2 had replaced: no order of these four has a place \
     for it."
        .to_owned()
}

/// Four operations made up around a moment within a partition.
fn stale_read_witness(history: &History) -> Vec<Operation> {
    let fault = &history.faults()[2];
    let (begin, line) = (fault.begin.unwrap() + 120 * MS, history.events().len() / 3);
    let operation = |process, f, argument, outcome, place: [u64; 4], node: &str| Operation {
        process,
        f,
        key: Some("register:7".to_owned()),
        argument,
        outcome: Outcome::Ok(outcome),
        invoked: line + place[0] as usize,
        completed: Some(line + place[1] as usize),
        began: begin + place[2],
        ended: Some(begin + place[3]),
        node: Some(node.to_owned()),
        version: None,
        error: None,
    };
    let int = Value::Int;
    vec![
        operation(2, Function::Write, int(41), int(41), [0, 4, 0, 1_204_000], "n1"),
        operation(5, Function::Write, int(42), int(42), [9, 30, 6_120_000, 14_930_000], "n2"),
        operation(9, Function::Read, Value::Nil, int(42), [21, 41, 13_400_000, 16_210_000], "n2"),
        operation(3, Function::Read, Value::Nil, int(41), [60, 77, 238_440_000, 239_871_000], "n1"),
    ]
}

struct Fault {
    kind: &'static str,
    nodes: Vec<usize>,
    description: String,
    begin: u64,
    end: u64,
    evidence: serde_json::Value,
}

/// Twelve faults, spread over the middle of a run.
fn faults(dice: &mut Dice, seconds: u64) -> Vec<Fault> {
    let (from, span) = (seconds * 1000 * MS * 15 / 100, seconds * 1000 * MS * 70 / 100);
    let fault = |at: u64| {
        let begin = from + span * at / 12 + dice.below(span / 40);
        let end = begin + span / 24 + dice.below(span / 14);
        let node = dice.below(5) as usize;
        let other = (node + 1 + dice.below(4) as usize) % 5;
        let (kind, nodes, description, evidence) = match at % 4 {
            0 => (
                "partition",
                vec![node, other],
                format!("n{} n{} | the rest", node + 1, other + 1),
                dropped(&[(node, other), (other, node)], dice),
            ),
            1 => (
                "kill",
                vec![node],
                format!("n{}, started again after it", node + 1),
                json!({"exit": "signal 9", "restarted": format!("after {} ms", (end - begin) / MS)}),
            ),
            2 => (
                "partition",
                vec![node],
                format!("n{} hears nothing, and is heard", node + 1),
                dropped(&[1, 2, 3, 4].map(|after| ((node + after) % 5, node)), dice),
            ),
            _ => (
                "pause",
                vec![node],
                format!("n{}", node + 1),
                json!({"process state": "T (stopped)"}),
            ),
        };
        Fault { kind, nodes, description, begin, end, evidence }
    };
    (0..12).map(fault).collect()
}

/// Packets that were lost on each link, and in all.
fn dropped(links: &[(usize, usize)], dice: &mut Dice) -> serde_json::Value {
    let between = |(from, to): &(usize, usize)| format!("n{} → n{}", from + 1, to + 1);
    let each: BTreeMap<String, u64> =
        links.iter().map(|link| (between(link), 10 + dice.below(300))).collect();
    let total: u64 = each.values().sum();
    json!({"packets dropped": total, "by link": each})
}

fn history(seed: u64, seconds: u64, rate: u64) -> History {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let faults = faults(&mut dice, seconds);
    let mut events = Vec::new();
    for client in 0..CLIENTS {
        live(&mut events, &mut dice, client, &faults, seconds, rate);
    }
    final_reads(&mut events, &mut dice, seconds);
    for (at, fault) in faults.iter().enumerate() {
        events.extend(nemesis(at as u64 + 1, fault));
    }
    let end = seconds * 1000 * MS;
    let phases = [
        ("warm-up", 0),
        ("faults", end * 13 / 100),
        ("heal", end * 91 / 100),
        ("final reads", end),
    ];
    events.extend(
        phases.map(|(phase, time)| act(time, Kind::Info, "phase", json!({"phase": phase}))),
    );
    events.sort_by_key(|event| event.time);
    History::from_events(events).unwrap()
}

/// One client: asks, waits, and is reborn under a new number after a silence.
fn live(
    events: &mut Vec<Event>,
    dice: &mut Dice,
    client: u32,
    faults: &[Fault],
    seconds: u64,
    rate: u64,
) {
    let (mut process, mut time) = (client, dice.below(20 * MS));
    let (node, pause) = (client as usize % 5, u64::from(CLIENTS) * 1000 * MS / rate);
    while time < seconds * 985 * MS {
        let keyspace = if client.is_multiple_of(3) { "set" } else { "register" };
        let key = format!("{keyspace}:{}", dice.below(KEYS));
        let (f, argument, reply) = match (keyspace, dice.below(2)) {
            ("set", 0) => (Function::Add, Value::Int((time / MS).cast_signed()), Value::Nil),
            ("set", _) => (Function::Read, Value::Nil, Value::Set(vec![1, 2, 3])),
            (_, 0) => (Function::Write, Value::Int((time / MS).cast_signed()), Value::Nil),
            _ => (Function::Read, Value::Nil, Value::Int(41)),
        };
        let base = Event {
            time,
            process: Process::Client(process),
            kind: Kind::Invoke,
            f,
            key: Some(key),
            value: argument.clone(),
            node: Some(NODES[node].to_owned()),
            version: None,
            error: None,
        };
        let (kind, took) = fate(dice, node, time, faults);
        let reply = if reply.is_nil() { argument } else { reply };
        let value = if kind == Kind::Ok { reply } else { base.value.clone() };
        let error = (kind != Kind::Ok).then(|| "quorum not reached".to_owned());
        events.push(base.clone());
        events.push(Event { time: time + took, kind, value, error, ..base });
        if kind == Kind::Info {
            process += CLIENTS;
        }
        time += took + pause * (50 + dice.below(100)) / 100;
    }
}

/// How an operation at `node` ends, and how long it takes.
fn fate(dice: &mut Dice, node: usize, time: u64, faults: &[Fault]) -> (Kind, u64) {
    let quick = 350_000 + dice.below(500_000) + dice.tail(900_000);
    let now = |fault: &&Fault| (fault.begin..fault.end).contains(&time);
    let Some(fault) = faults.iter().find(now) else { return (Kind::Ok, quick) };
    if !fault.nodes.contains(&node) {
        return (Kind::Ok, quick + dice.tail(4 * MS));
    }
    match (fault.kind, dice.below(10)) {
        ("kill", 0..7) => (Kind::Fail, 60 * MS),
        ("kill" | "pause", _) => (Kind::Info, 1000 * MS),
        (_, 0..4) => (Kind::Info, 500 * MS),
        (_, 4..6) => (Kind::Fail, 90 * MS + dice.below(40 * MS)),
        _ => (Kind::Ok, 20 * MS + dice.tail(120 * MS)),
    }
}

/// Every key of the sets, read from every replica.
fn final_reads(events: &mut Vec<Event>, dice: &mut Dice, seconds: u64) {
    let mut time = (seconds + 1) * 1000 * MS;
    for (key, node) in (0..KEYS).flat_map(|key| NODES.map(|node| (key, node))) {
        let invoke = Event {
            time,
            process: Process::Client(9_000),
            kind: Kind::Invoke,
            f: Function::ReadReplica,
            key: Some(format!("set:{key}")),
            value: Value::Nil,
            node: Some(node.to_owned()),
            version: None,
            error: None,
        };
        let took = 300_000 + dice.below(200_000);
        let value = Value::Set((0..40).collect());
        events.push(invoke.clone());
        events.push(Event {
            time: time + took,
            kind: Kind::Ok,
            value,
            version: Some("a1".to_owned()),
            ..invoke
        });
        time += took + 100_000;
    }
}

fn nemesis(number: u64, fault: &Fault) -> [Event; 4] {
    let nodes: Vec<_> = fault.nodes.iter().map(|node| NODES[*node]).collect();
    let base = json!({"fault": number, "kind": fault.kind, "nodes": nodes, "description": fault.description});
    let mut ended = base.clone();
    ended["evidence"] = fault.evidence.clone();
    ended["bit"] = json!(true);
    [
        act(fault.begin - MS, Kind::Invoke, "begin", base.clone()),
        act(fault.begin, Kind::Info, "begin", base.clone()),
        act(fault.end - MS, Kind::Invoke, "end", base),
        act(fault.end, Kind::Info, "end", ended),
    ]
}

fn act(time: u64, kind: Kind, f: &str, note: serde_json::Value) -> Event {
    let note: Note = serde_json::from_value(note).unwrap();
    Event {
        time,
        process: Process::Nemesis,
        kind,
        f: Function::Other(f.to_owned()),
        key: None,
        value: Value::Note(note),
        node: None,
        version: None,
        error: None,
    }
}

/// Xorshift: enough to look uneven.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }

    /// Mostly far below `scale`, seldom a few times it.
    fn tail(&mut self, scale: u64) -> u64 {
        let share = self.below(1_000) as f64 / 1_000.0;
        (-(1.0 - share).ln() * share * scale as f64) as u64
    }
}
