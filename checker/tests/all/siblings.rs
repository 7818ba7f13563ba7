//! What is judged of siblings holds of a store in miniature that knows what it did.
//!
//! Three replicas, R = W = 2. A replica knows dots and keeps the values of those that live; an update
//! reads two replicas, is applied at one and told the others, late or never; a client may lose patience
//! at any moment. In the end all replicas tell each other everything. No honest history may be found
//! broken. A dishonest store forgets tombstones that others may have missed, or loses a value; what is
//! then found must be true of what the store knows it did.

use std::collections::{BTreeMap, BTreeSet};

use checker::{
    Anomaly, Checker, Convergence, Event, Finding, Function, History, Kind, LostWrites, Operation,
    Process, Resurrection, StaleReads, Value, Verdict,
};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::support::rng;

const NODES: usize = 3;
const QUORUM: usize = 2;

type Dots = BTreeSet<usize>;

/// What a replica holds: the dots it knows, and the values of those nobody replaced.
#[derive(Clone, Debug, Default)]
struct Copy {
    known: Dots,
    live: BTreeMap<usize, Option<i64>>,
}

impl Copy {
    fn join(&mut self, other: &Copy) {
        let stays = |dot: &usize, mine: &Copy, theirs: &Copy| {
            theirs.live.contains_key(dot)
                || !theirs.known.contains(dot) && mine.live.contains_key(dot)
        };
        let mut live = self.live.clone();
        live.retain(|dot, _| stays(dot, self, other));
        live.extend(other.live.iter().filter(|(dot, _)| stays(dot, other, self)));
        self.live = live;
        self.known.extend(&other.known);
    }

    fn values(&self) -> Value {
        let values: BTreeSet<i64> = self.live.values().flatten().copied().collect();
        Value::Set(values.into_iter().collect())
    }
}

/// How the store breaks its promise.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Honesty {
    Honest,
    /// A replica now and then forgets all it knows of a deleted key.
    Forgets,
    /// A replica now and then loses a value, and believes it was replaced.
    Loses,
}

struct Open {
    process: u32,
    f: Function,
    argument: Value,
    dot: usize,
    asked: Vec<usize>,
    read: Copy,
    /// Who has the update; empty until it is applied.
    stored: Dots,
}

struct World<'r> {
    rng: &'r mut ChaCha8Rng,
    honesty: Honesty,
    replicas: [Copy; NODES],
    open: Vec<Open>,
    /// What was sent and has not arrived: the update, to whom, what.
    mail: Vec<(usize, usize, Copy)>,
    events: Vec<Event>,
    /// What the update of this dot knew when it wrote.
    contexts: BTreeMap<usize, Dots>,
    /// The dot of each value.
    dots: BTreeMap<i64, usize>,
    next: u32,
}

impl World<'_> {
    fn push(&mut self, process: u32, kind: Kind, f: Function, value: Value, node: usize) {
        self.events.push(Event {
            time: self.events.len() as u64 * 1_000,
            process: Process::Client(process),
            kind,
            f,
            key: Some("k:1".to_owned()),
            value,
            node: Some(format!("n{}", node + 1)),
            version: None,
            error: None,
        });
    }

    fn invoke(&mut self) {
        self.next += 1;
        let dot = self.next as usize;
        let (f, argument) = match self.rng.random_range(0..4) {
            0 => (Function::Read, Value::Nil),
            1 => (Function::Delete, Value::Nil),
            _ => (Function::Write, Value::Int(i64::from(self.next))),
        };
        self.dots.extend(argument.number().map(|value| (value, dot)));
        self.push(self.next, Kind::Invoke, f.clone(), argument.clone(), 0);
        let (asked, read, stored) = (Vec::new(), Copy::default(), Dots::new());
        self.open.push(Open { process: self.next, f, argument, dot, asked, read, stored });
    }

    /// One step of one operation: read one more replica, be applied, or end.
    fn advance(&mut self, at: usize) {
        let node = self.rng.random_range(0..NODES);
        let open = &mut self.open[at];
        if open.asked.len() < QUORUM {
            if !open.asked.contains(&node) {
                open.asked.push(node);
                open.read.join(&self.replicas[node]);
            }
        } else if open.f == Function::Read {
            let open = self.open.swap_remove(at);
            self.push(open.process, Kind::Ok, open.f, open.read.values(), 0);
        } else if open.stored.is_empty() {
            self.apply(at, node);
        } else if open.stored.len() >= QUORUM {
            let open = self.open.swap_remove(at);
            self.push(open.process, Kind::Ok, open.f, open.read.values(), 0);
        }
    }

    fn apply(&mut self, at: usize, node: usize) {
        let open = &mut self.open[at];
        let copy = &mut self.replicas[node];
        copy.live.retain(|dot, _| !open.read.known.contains(dot));
        copy.known.extend(&open.read.known);
        copy.known.insert(open.dot);
        copy.live.insert(open.dot, open.argument.number());
        open.stored.insert(node);
        self.contexts.insert(open.dot, open.read.known.clone());
        let (dot, copy) = (open.dot, copy.clone());
        let others = (0..NODES).filter(|other| *other != node);
        self.mail.extend(others.map(|other| (dot, other, copy.clone())));
    }

    fn deliver(&mut self) {
        let at = self.rng.random_range(0..self.mail.len());
        let (dot, to, copy) = self.mail.swap_remove(at);
        if self.rng.random_ratio(1, 4) {
            return;
        }
        self.replicas[to].join(&copy);
        if let Some(open) = self.open.iter_mut().find(|open| open.dot == dot) {
            open.stored.insert(to);
        }
    }

    fn give_up(&mut self, at: usize) {
        let open = self.open.swap_remove(at);
        let is_certain = open.f == Function::Read || open.stored.is_empty();
        let kind = if is_certain { Kind::Fail } else { Kind::Info };
        self.push(open.process, kind, open.f, open.argument, 0);
    }

    fn cheat(&mut self) {
        let node = self.rng.random_range(0..NODES);
        let copy = &mut self.replicas[node];
        let is_deleted = copy.live.values().all(Option::is_none);
        match self.honesty {
            Honesty::Forgets if is_deleted => *copy = Copy::default(),
            Honesty::Honest | Honesty::Forgets => {}
            Honesty::Loses => drop(copy.live.pop_last()),
        }
    }

    fn step(&mut self, invoke: bool) {
        let at = (!self.open.is_empty()).then(|| self.rng.random_range(0..self.open.len()));
        match (self.rng.random_range(0..40), at) {
            (0..8, _) if invoke && self.open.len() < 3 => self.invoke(),
            (8..30, Some(at)) => self.advance(at),
            (30..38, _) if !self.mail.is_empty() => self.deliver(),
            (38, Some(at)) if self.rng.random_ratio(1, 2) => self.give_up(at),
            (39, _) => self.cheat(),
            _ => {}
        }
    }

    /// All replicas tell each other everything, and each is read.
    fn end(mut self) -> (History, BTreeMap<usize, Dots>, BTreeMap<i64, usize>) {
        while !self.open.is_empty() {
            self.give_up(0);
        }
        let mut all = Copy::default();
        self.replicas.iter().for_each(|copy| all.join(copy));
        for node in 0..NODES {
            let process = 1_000_000 + node as u32;
            self.push(process, Kind::Invoke, Function::ReadReplica, Value::Nil, node);
            self.push(process, Kind::Ok, Function::ReadReplica, all.values(), node);
        }
        let history = History::from_events(self.events).expect("a miniature keeps the rules");
        (history, self.contexts, self.dots)
    }
}

fn live(honesty: Honesty, seed: u64) -> (History, BTreeMap<usize, Dots>, BTreeMap<i64, usize>) {
    let rng = &mut rng(seed);
    let steps = rng.random_range(50..600);
    let (replicas, open, mail, events) = Default::default();
    let (contexts, dots) = Default::default();
    let mut world = World { rng, honesty, replicas, open, mail, events, contexts, dots, next: 0 };
    for step in 0..steps {
        world.step(step + 50 < steps);
    }
    world.end()
}

fn judges() -> [Box<dyn Checker>; 4] {
    [
        Box::new(LostWrites::new("k").with_replicas(NODES)),
        Box::new(StaleReads::new("k")),
        Box::new(Resurrection::new("k").with_replicas(NODES)),
        Box::new(Convergence::new("k").with_replicas(NODES)),
    ]
}

#[test]
fn no_honest_history_is_found_broken() {
    let mut removals = 0;
    for seed in 0..6_000 {
        let (history, ..) = live(Honesty::Honest, seed);
        for judge in judges() {
            let finding = judge.check(&history);
            assert_ne!(finding.verdict, Verdict::Invalid, "seed {seed}: {finding:#?}");
            removals +=
                usize::from(judge.name() == "resurrection" && finding.verdict == Verdict::Valid);
        }
    }
    assert!(removals > 4_000, "only {removals} histories with a removal prove little");
}

/// Every way of naming three operations.
fn roles(witness: &[Operation]) -> impl Iterator<Item = [&Operation; 3]> {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    orders.into_iter().map(|order| order.map(|at| &witness[at]))
}

/// How many of the histories are found broken by each judge, after `check` had a look.
fn found(honesty: Honesty, check: impl Fn(u64, &Finding)) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for seed in 0..3_000 {
        let (history, ..) = live(honesty, seed);
        for finding in judges().iter().map(|judge| judge.check(&history)) {
            if finding.verdict == Verdict::Invalid {
                check(seed, &finding);
                *counts.entry(finding.checker).or_default() += 1;
            }
        }
    }
    counts
}

#[test]
fn forgotten_tombstones_bring_back_what_was_truly_deleted() {
    let counts = found(Honesty::Forgets, |seed, finding| {
        if finding.checker != "resurrection" {
            return;
        }
        let (_, contexts, dots) = live(Honesty::Forgets, seed);
        for Anomaly { witness, .. } in &finding.anomalies {
            assert_eq!(witness.len(), 3, "seed {seed}: {finding:#?}");
            let is_true = roles(witness).any(|[write, removal, read]| {
                let Some(dot) = write.argument.number().map(|value| dots[&value]) else {
                    return false;
                };
                let shown = read.reply().and_then(Value::elements).unwrap_or_default();
                let is_back =
                    shown.iter().any(|value| dots[value] == dot) && removal.precedes(read);
                // A removal that read after the store forgot knows nothing of the value itself.
                let known = contexts.get(&(removal.process as usize));
                let knew = known.is_some_and(|known| known.contains(&dot));
                is_back && (knew || write.precedes(removal))
            });
            assert!(is_true, "seed {seed}: {finding:#?}");
        }
    });
    assert!(counts.get("resurrection").is_some_and(|count| *count > 100), "{counts:?}");
}

#[test]
fn a_value_lost_is_found_lost() {
    let counts = found(Honesty::Loses, |_, _| {});
    assert!(counts.get("lost-writes").is_some_and(|count| *count > 100), "{counts:?}");
    assert!(counts.get("stale-reads").is_some_and(|count| *count > 100), "{counts:?}");
}
