//! Was every promise kept?
//!
//! - Registers are linearizable: judged by the project's own checker, as a real run would be. A
//!   deleted register reads as the write that deleted it, which its tag tells, so that every value
//!   is unique and the verdict exact. Where nothing is held, the last delete that was forgotten is read:
//!   by then all replicas had it, so no later read may find anything older.
//! - No acknowledged sibling is lost, unless a write was asked for by a client that had *read* it.
//! - What an acknowledged write has overwritten or deleted does not come back.
//! - A write that failed for certain left no trace on any disk, ever.
//! - In the end all replicas hold equal records.
//!
//! What is judged as it happens: that an acknowledgement has its quorum of disks behind it, and the
//! dots (see `witness`).

use std::collections::{BTreeMap, BTreeSet};

use checker::{Checker, Event, Function, History, Kind, Linearizability, Process, Value, Verdict};
use store::Policy;
use store::request::Outcome as Reply;
use store::version::Record;

use crate::letter::Key;
use crate::operation::{Asked, Operation, Outcome};
use crate::plan::{KEYS, QUORUM, name};
use crate::witness::number;
use crate::world::World;

fn value_of(number: u64) -> Value {
    Value::Int(number.try_into().expect("a run has few operations"))
}

fn siblings() -> impl Iterator<Item = Key> {
    (0..KEYS.len()).filter(|key| KEYS[*key].policy == Policy::Siblings)
}

impl World {
    /// What is wrong with what the replicas hold.
    pub(crate) fn judge_replicas(&self) -> Vec<String> {
        let mut violations: Vec<String> =
            self.divergent().into_iter().map(|key| self.difference(key)).collect();
        for key in siblings() {
            for node in self.plan.primaries(key) {
                violations.extend(self.judge_siblings(key, self.nodes[node].disk.copies.get(&key)));
            }
        }
        violations
    }

    /// What is wrong with what clients were told; `last` are the last reads of all keys.
    pub(crate) fn judge_answers(&self, last: &[usize]) -> Vec<String> {
        let mut violations = self.judge_registers();
        for key in siblings() {
            let read = &self.clients.operations[last[key]];
            let Outcome::Ok(Reply::Read(read)) = &read.outcome else {
                unreachable!("it succeeded")
            };
            violations.extend(self.judge_siblings(key, read.as_ref()));
        }
        violations.extend(self.judge_failures());
        violations
    }

    fn difference(&self, key: Key) -> String {
        let held = self.plan.primaries(key).map(|node| {
            let copy = self.nodes[node].disk.copies.get(&key);
            format!("n{}: {}", node + 1, copy.map_or("nothing".into(), Record::version))
        });
        let held: Vec<String> = held.collect();
        format!("{}: the replicas differ in the end: {}", name(key), held.join(", "))
    }

    fn of_key(&self, key: Key) -> impl Iterator<Item = &Operation> {
        self.clients.operations.iter().filter(move |operation| operation.key == key)
    }

    /// What is wrong with what a replica, or the last read, holds of a key.
    fn judge_siblings(&self, key: Key, held: Option<&Record>) -> Vec<String> {
        let values = held.map(Record::values).unwrap_or_default();
        let live: BTreeSet<u64> = values.iter().map(|value| number(value)).collect();
        let overwritten: BTreeSet<u64> =
            self.of_key(key).flat_map(Operation::saw).copied().collect();
        let written = || self.of_key(key).filter(|operation| operation.is_written());
        let lost = written()
            .filter_map(Operation::value)
            .filter(|value| !live.contains(value) && !overwritten.contains(value))
            .map(|value| format!("{}: {value} was acknowledged, and is lost", name(key)));
        let back = written()
            .flat_map(|operation| operation.saw().iter().map(move |value| (operation, value)))
            .filter(|(_, value)| live.contains(value))
            .map(|(by, value)| {
                format!("{}: {value} was overwritten by {} and is back", name(key), by.number)
            });
        lost.chain(back).collect()
    }

    fn judge_failures(&self) -> impl Iterator<Item = String> {
        let failed = self.clients.operations.iter().filter(|operation| operation.has_failed());
        let seen = failed.filter(|operation| self.witness.has_seen(operation.number));
        seen.map(|Operation { key, number, outcome, .. }| {
            format!("{}: the write of {number} left a trace, and yet: {outcome:?}", name(*key))
        })
    }

    fn judge_registers(&self) -> Vec<String> {
        let (history, mut violations) = self.history();
        let finding = Linearizability::register("register").check(&history);
        if finding.verdict != Verdict::Valid {
            violations.push(format!("register: {}: {}", finding.verdict, finding.summary));
            violations.extend(finding.anomalies.into_iter().map(|anomaly| {
                format!(
                    "{}: {}: {}",
                    anomaly.key.unwrap_or_default(),
                    anomaly.name,
                    anomaly.because
                )
            }));
        }
        violations
    }

    /// What clients saw of registers, as a harness would have recorded it; and what no record can be.
    fn history(&self) -> (History, Vec<String>) {
        let (mut events, mut violations) = (Vec::new(), Vec::new());
        // A process that does not know how its operation ended never speaks again.
        let mut processes: BTreeMap<usize, u32> = BTreeMap::new();
        let mut fresh = 0;
        for (time, operation, begins) in &self.clients.story {
            let operation = &self.clients.operations[*operation];
            if KEYS[operation.key].policy != Policy::Register {
                continue;
            }
            let process = *processes.entry(operation.client).or_insert_with(|| {
                fresh += 1;
                fresh
            });
            let (f, argument) = match operation.asked {
                Asked::Read => (Function::Read, Value::Nil),
                Asked::Write { .. } => (Function::Write, value_of(operation.number)),
            };
            let (kind, value) = match &operation.outcome {
                _ if *begins => (Kind::Invoke, argument),
                Outcome::Ok(Reply::Read(record)) => {
                    match self.shown(record.as_ref(), operation.forgotten) {
                        Ok(value) => (Kind::Ok, value),
                        Err(violation) => {
                            violations.push(violation);
                            (Kind::Info, Value::Nil)
                        }
                    }
                }
                Outcome::Ok(Reply::Written(_)) => (Kind::Ok, argument),
                Outcome::Fail(_) => (Kind::Fail, Value::Nil),
                Outcome::Info(_) | Outcome::Open => (Kind::Info, Value::Nil),
            };
            if kind == Kind::Info {
                processes.remove(&operation.client);
            }
            events.push(Event {
                time: time * 1_000,
                process: Process::Client(process),
                kind,
                f,
                key: Some(name(operation.key)),
                value,
                node: Some(self.nodes[operation.node].id.to_string()),
                version: None,
                error: None,
            });
        }
        let history = History::from_events(events).expect("clients ask one thing at a time");
        (history, violations)
    }

    /// The write that a read has returned; of nothing, the delete that was forgotten.
    fn shown(&self, record: Option<&Record>, forgotten: Option<u64>) -> Result<Value, String> {
        let Some(record) = record else { return Ok(forgotten.map_or(Value::Nil, value_of)) };
        let tag = record.tag().expect("a register is read");
        let write = self.witness.write_of(tag);
        let expected = self.clients.operations[write as usize - 1].value();
        let values: Vec<u64> = record.values().iter().map(|value| number(value)).collect();
        if values != Vec::from_iter(expected) {
            return Err(format!("{tag} is of the write {write}, and was read as {values:?}"));
        }
        Ok(value_of(write))
    }

    /// An acknowledged write is on as many disks as it needs acknowledgements, or was on the one that
    /// has been lost meanwhile.
    pub(crate) fn count_seats(&mut self, operation: usize) {
        let Operation { number, key, began, .. } = self.clients.operations[operation];
        if !self.clients.operations[operation].is_written() {
            return;
        }
        let lost = usize::from(self.nemesis.wiped.is_some_and(|wiped| wiped >= began));
        let knows = |record: &Record| self.witness.knows(record, number);
        let holds = |node: usize| {
            let disk = &self.nodes[node].disk;
            let hints = disk.hints.values().filter(|hint| hint.key == self.keys[key]);
            let kept = disk.copies.get(&key).into_iter().chain(hints.map(|hint| &hint.record));
            let mut kept = kept.chain(self.witness.forgotten(node, key));
            kept.any(|record| knows(record) != Some(false))
        };
        let seats = (0..self.plan.nodes).filter(|node| holds(*node)).count();
        if seats + lost < QUORUM {
            let text = format!("the write of {number} was acknowledged, and is on {seats} disks");
            self.witness.accuse(key, text);
        }
    }
}
