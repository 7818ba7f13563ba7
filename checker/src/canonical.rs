//! A history told without its accidents, so that two tellings of one anomaly are the same text.
//!
//! Processes are numbered from 0, nodes named `n1`, `n2`, …, values numbered from 1 and versions
//! `v1`, `v2`, …, each by first appearance; keys keep their keyspace and are numbered likewise; times
//! are replaced by their rank, in milliseconds. What the nemesis measured or described is left out. Order,
//! functions, kinds and shapes stay, and with them every verdict: a checker says of the renamed
//! history what it says of the original, in canonical words.
//!
//! ```text
//! canonical::rename(&canonical::replay(&anomaly.witness))     a witness as a history of its own
//! ```
//!
//! Law: a history renamed twice is the history renamed once.

use std::collections::BTreeMap;

use crate::event::{Event, Kind, Process, Value};
use crate::history::History;
use crate::operation::{Operation, Outcome};

/// `history` with everything accidental renamed by first appearance.
pub fn rename(history: &History) -> History {
    let mut names = Names::default();
    let events = history.events().iter().map(|event| names.event(event)).collect();
    History::from_events(events).expect("renaming keeps every rule of a history")
}

/// The history that consists of `operations` alone, such as a witness.
pub fn replay(operations: &[Operation]) -> History {
    let mut events: Vec<(usize, Event)> = Vec::new();
    for operation in operations {
        let invocation = Event {
            time: operation.began,
            process: Process::Client(operation.process),
            kind: Kind::Invoke,
            f: operation.f.clone(),
            key: operation.key.clone(),
            value: operation.argument.clone(),
            node: operation.node.clone(),
            version: None,
            error: None,
        };
        if let (Some(line), Some(time)) = (operation.completed, operation.ended) {
            let (kind, value) = match &operation.outcome {
                Outcome::Ok(reply) => (Kind::Ok, reply.clone()),
                Outcome::Fail => (Kind::Fail, operation.argument.clone()),
                Outcome::Info => (Kind::Info, operation.argument.clone()),
            };
            let (version, error) = (operation.version.clone(), operation.error.clone());
            events.push((line, Event { time, kind, value, version, error, ..invocation.clone() }));
        }
        events.push((operation.invoked, invocation));
    }
    events.sort_by_key(|(line, _)| *line);
    let events = events.into_iter().map(|(_, event)| event).collect();
    History::from_events(events).expect("operations of one history make a history")
}

/// New names by first appearance.
#[derive(Default)]
struct Names {
    processes: BTreeMap<u32, u32>,
    nodes: BTreeMap<String, String>,
    keys: BTreeMap<String, String>,
    values: BTreeMap<i64, i64>,
    versions: BTreeMap<String, String>,
    last: Option<(u64, u64)>,
}

impl Names {
    fn event(&mut self, event: &Event) -> Event {
        Event {
            time: self.rank(event.time),
            process: self.process(event.process),
            kind: event.kind,
            f: event.f.clone(),
            key: event.key.as_deref().map(|key| self.key(key)),
            value: self.value(&event.value),
            node: event.node.as_deref().map(|node| numbered(&mut self.nodes, node, "n")),
            version: event.version.as_deref().map(|text| self.version(text)),
            error: event.error.clone(),
        }
    }

    fn rank(&mut self, time: u64) -> u64 {
        let rank = match self.last {
            None => 0,
            Some((before, rank)) if before == time => rank,
            Some((_, rank)) => rank + 1_000_000,
        };
        self.last = Some((time, rank));
        rank
    }

    fn process(&mut self, process: Process) -> Process {
        let Process::Client(number) = process else { return process };
        let next = self.processes.len() as u32;
        Process::Client(*self.processes.entry(number).or_insert(next))
    }

    fn key(&mut self, key: &str) -> String {
        let next = self.keys.len() + 1;
        let new = || match key.split_once(':') {
            Some((keyspace, _)) => format!("{keyspace}:{next}"),
            None => next.to_string(),
        };
        self.keys.entry(key.to_owned()).or_insert_with(new).clone()
    }

    /// No version, of a replica that holds nothing, stays none.
    fn version(&mut self, text: &str) -> String {
        if text.is_empty() { String::new() } else { numbered(&mut self.versions, text, "v") }
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::Nil => Value::Nil,
            Value::Int(number) => Value::Int(self.number(*number)),
            Value::Set(elements) => {
                let mut renamed: Vec<i64> = elements.iter().map(|e| self.number(*e)).collect();
                renamed.sort_unstable();
                Value::Set(renamed)
            }
            Value::Note(note) => {
                let mut note = note.clone();
                note.retain(|field, _| field != "evidence" && field != "description");
                for node in note
                    .get_mut("nodes")
                    .and_then(|nodes| nodes.as_array_mut())
                    .into_iter()
                    .flatten()
                {
                    if let Some(name) = node.as_str() {
                        *node = numbered(&mut self.nodes, name, "n").into();
                    }
                }
                Value::Note(note)
            }
        }
    }

    fn number(&mut self, number: i64) -> i64 {
        let next = i64::try_from(self.values.len() + 1).expect("fewer than 2^63 values");
        *self.values.entry(number).or_insert(next)
    }
}

fn numbered(names: &mut BTreeMap<String, String>, name: &str, prefix: &str) -> String {
    let next = format!("{prefix}{}", names.len() + 1);
    names.entry(name.to_owned()).or_insert(next).clone()
}
