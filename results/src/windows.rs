//! Stretches of a run that reports shade or mark: phases, and when faults were in force.

use std::collections::BTreeMap;

use checker::{Event, FaultWindow, History, Kind, Note, Process, Value};

use crate::wording;

/// A named stretch of the run: `warm-up`, `faults`, `final reads`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    /// Its name.
    pub(crate) name: String,
    /// When it began, in nanoseconds since the run did.
    pub(crate) begin: u64,
    /// When the next began, or the run ended.
    pub(crate) end: u64,
}

/// The last moment recorded, in nanoseconds since the run began.
pub(crate) fn last_moment(history: &History) -> u64 {
    history.events().last().map_or(0, |event| event.time)
}

/// The phases of a run, in order.
pub(crate) fn phases(history: &History) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for (event, note) in acts(history) {
        let Some(name) = note.get("phase").and_then(serde_json::Value::as_str) else { continue };
        if let Some(before) = phases.last_mut() {
            before.end = event.time;
        }
        phases.push(Phase { name: name.to_owned(), begin: event.time, end: last_moment(history) });
    }
    phases
}

/// When a fault was in force, within a run that ended at `last`; `None` if it never was.
pub(crate) fn in_force(fault: &FaultWindow, last: u64) -> Option<(u64, u64)> {
    let begin = fault.begin?;
    Some((begin, fault.end.unwrap_or(last).max(begin)))
}

/// Each fault with its begin, end and evidence.
pub(crate) fn faults(history: &History) -> Vec<FaultWindow> {
    let mut faults = BTreeMap::<u64, FaultWindow>::new();
    for (event, note) in acts(history) {
        let Some(number) = note.get("fault").and_then(serde_json::Value::as_u64) else { continue };
        let fault = faults.entry(number).or_insert_with(|| announced(number, note));
        let took_effect = event.kind == Kind::Info;
        match wording::function(&event.f) {
            "begin" if took_effect => fault.begin = Some(event.time),
            "end" if took_effect => fault.end = Some(event.time),
            _ => {}
        }
        if let Some(serde_json::Value::Object(evidence)) = note.get("evidence") {
            fault.evidence.extend(evidence.clone());
        }
        fault.bit |= note.get("bit").and_then(serde_json::Value::as_bool).unwrap_or(false);
    }
    faults.into_values().collect()
}

fn announced(fault: u64, note: &Note) -> FaultWindow {
    let text = |name: &str| note.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let nodes = note.get("nodes").and_then(|value| value.as_array()).into_iter().flatten();
    FaultWindow {
        fault,
        kind: text("kind").to_owned(),
        nodes: nodes.filter_map(|node| node.as_str().map(str::to_owned)).collect(),
        description: text("description").to_owned(),
        begin: None,
        end: None,
        evidence: Note::new(),
        bit: false,
    }
}

/// What the nemesis did, with its notes.
fn acts(history: &History) -> impl Iterator<Item = (&Event, &Note)> {
    history.events().iter().filter(|event| event.process == Process::Nemesis).filter_map(|event| {
        match &event.value {
            Value::Note(note) => Some((event, note)),
            _ => None,
        }
    })
}
