//! What the nemesis did, read back from a history: each fault with its begin, end and evidence.
//!
//! The nemesis speaks in four events a fault, all of process `nemesis`, and in one a phase:
//!
//! ```text
//! invoke begin {"fault":1,"kind":"partition","nodes":["n1"],"description":"n1 | n2 n3"}
//! info   begin {"fault":1,"kind":"partition", …, "evidence":{…}}     it took effect
//! invoke end   {"fault":1,"kind":"partition"}
//! info   end   {"fault":1,"kind":"partition","evidence":{"packets dropped":212},"bit":true}
//! info   phase {"phase":"faults"}
//! ```
//!
//! A clean cut also carries its `sides`: `[["n1"],["n2","n3"]]`.
//!
//! `bit` says whether the evidence shows that the fault had an effect. A fault that left none makes
//! a run `Unknown`: a harness that injects nothing and says *valid* is worse than none.
//!
//! A fault that would have broken more than any store could bear (a second disk, while the first is
//! not made good) may be called off. It has no begin, and says why:
//!
//! ```text
//! invoke begin {"fault":2,"kind":"wipe", …}
//! invoke end   {"fault":2,"kind":"wipe", …}
//! info   end   {"fault":2,"kind":"wipe","evidence":{"called off":"n1 has not caught up"},"bit":false}
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Event, Function, Kind, Note, Process, Value};

/// One fault, from its begin to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultWindow {
    /// Number of the fault within the run, from one.
    pub fault: u64,
    /// `partition`, `kill`, `pause`, …
    pub kind: String,
    /// The nodes it concerns.
    pub nodes: Vec<String>,
    /// In a few words, for people.
    pub description: String,
    /// For a clean cut: the groups of nodes that no longer heard each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<Vec<String>>,
    /// When it was asked for, in nanoseconds since the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
    /// When it had taken effect, in nanoseconds since the run began; absent if it never did.
    pub begin: Option<u64>,
    /// When it was asked to end: from `begin` until then it was surely in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recalled: Option<u64>,
    /// When it had been undone; absent if that was not recorded.
    pub end: Option<u64>,
    /// What was measured of its effect.
    pub evidence: Note,
    /// Whether the evidence shows an effect.
    pub bit: bool,
}

/// An act of the nemesis, as far as this version knows it.
enum Act {
    Begin,
    End,
    Phase,
}

fn act(event: &Event) -> Option<(Act, &Note)> {
    let (Process::Nemesis, Function::Other(f), Value::Note(note)) =
        (event.process, &event.f, &event.value)
    else {
        return None;
    };
    let act = match f.as_str() {
        "begin" => Act::Begin,
        "end" => Act::End,
        "phase" => Act::Phase,
        _ => return None,
    };
    Some((act, note))
}

fn text(note: &Note, field: &str) -> Option<String> {
    note.get(field)?.as_str().map(str::to_owned)
}

fn number(note: &Note) -> Option<u64> {
    note.get("fault")?.as_u64()
}

fn names(note: &Note, field: &str) -> Vec<String> {
    note.get(field).map(listed).unwrap_or_default()
}

/// The texts of a list; of anything else, none.
fn listed(list: &serde_json::Value) -> Vec<String> {
    let list = list.as_array();
    list.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Refuses a nemesis event from which no fault or phase could be read back.
pub(crate) fn well_formed(event: &Event) -> Result<(), String> {
    let Function::Other(f) = &event.f else {
        return Err(format!("the nemesis does not {}", event.f));
    };
    if !matches!(f.as_str(), "begin" | "end" | "phase") {
        return Ok(());
    }
    match act(event) {
        Some((Act::Phase, note)) if text(note, "phase").is_none() => {
            Err("the nemesis marks a phase without a name (\"phase\")".to_owned())
        }
        Some((Act::Begin | Act::End, note)) if number(note).is_none() => {
            Err(format!("the nemesis says {f} without the number of its fault (\"fault\")"))
        }
        Some(_) => Ok(()),
        None => Err(format!("the nemesis says {f} without details")),
    }
}

/// Every fault, by number. What was invoked but never took effect has no begin.
pub(crate) fn windows(events: &[Event]) -> Vec<FaultWindow> {
    let mut windows = BTreeMap::<u64, FaultWindow>::new();
    for event in events {
        let Some((act @ (Act::Begin | Act::End), note)) = act(event) else { continue };
        let Some(fault) = number(note) else { continue };
        let window = windows.entry(fault).or_insert_with(|| FaultWindow::unseen(fault));
        window.learn(note);
        let moment = match (act, event.kind) {
            (Act::Begin, Kind::Info) => &mut window.begin,
            (Act::Begin, _) => &mut window.asked,
            (_, Kind::Info) => &mut window.end,
            (_, _) => &mut window.recalled,
        };
        moment.get_or_insert(event.time);
    }
    windows.into_values().collect()
}

/// Every phase as `(name, begin, end)`.
pub(crate) fn phases(events: &[Event]) -> Vec<(String, u64, Option<u64>)> {
    let mut phases: Vec<(String, u64, Option<u64>)> = Vec::new();
    for event in events {
        let Some((Act::Phase, note)) = act(event) else { continue };
        let Some(name) = text(note, "phase") else { continue };
        if let Some(last) = phases.last_mut() {
            last.2 = Some(event.time);
        }
        phases.push((name, event.time, None));
    }
    phases
}

impl FaultWindow {
    /// Why it was called off, if it was.
    pub fn called_off(&self) -> Option<&str> {
        let why = self.evidence.get("called off")?.as_str();
        why.filter(|_| self.begin.is_none())
    }

    fn unseen(fault: u64) -> FaultWindow {
        FaultWindow {
            fault,
            kind: String::new(),
            nodes: Vec::new(),
            description: String::new(),
            sides: Vec::new(),
            asked: None,
            begin: None,
            recalled: None,
            end: None,
            evidence: Note::new(),
            bit: false,
        }
    }

    /// Takes what one event says of the fault. What a later event leaves out stays as it was.
    fn learn(&mut self, note: &Note) {
        if let Some(kind) = text(note, "kind") {
            self.kind = kind;
        }
        if let Some(description) = text(note, "description") {
            self.description = description;
        }
        let sides = note.get("sides").and_then(serde_json::Value::as_array);
        if let Some(sides) = sides {
            self.sides = sides.iter().map(listed).collect();
        }
        let nodes = names(note, "nodes");
        if !nodes.is_empty() {
            self.nodes = nodes;
        }
        if let Some(evidence) = note.get("evidence").and_then(serde_json::Value::as_object) {
            self.evidence.extend(evidence.clone());
        }
        self.bit |= note.get("bit").and_then(serde_json::Value::as_bool).unwrap_or(false);
    }
}
