//! Were tombstones reaped at all?
//!
//! A store that keeps every tombstone for ever brings nothing back, and a run in which none was reaped
//! says nothing of whether they are reaped too early. When the replicas are at rest the nemesis notes
//! what each node says it has reaped since it was last started:
//!
//! ```text
//! info reaped {"tombstones":{"n1":12,"n2":0,"n3":9}}
//! ```
//!
//! A suite that asks for reaping and saw none is `Unknown`; the store is never blamed for it.

use crate::event::{Function, Note, Process, Value};
use crate::finding::{Checker, Finding, Verdict};
use crate::history::History;
use crate::prose::count;

/// Judges whether tombstones were reaped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reaping;

impl Checker for Reaping {
    fn name(&self) -> &'static str {
        "reaping"
    }

    fn check(&self, history: &History) -> Finding {
        let (verdict, summary) = match noted(history).map(reaped) {
            None => (Verdict::Unknown, "nobody asked whether tombstones were reaped".to_owned()),
            Some(0) => (Verdict::Unknown, "no tombstone was reaped".to_owned()),
            Some(reaped) => (Verdict::Valid, format!("{} reaped", count(reaped, "tombstone"))),
        };
        let (checker, anomalies) = (self.name().to_owned(), Vec::new());
        Finding { checker, keyspace: None, verdict, summary, anomalies }
    }
}

/// What the nemesis noted last.
fn noted(history: &History) -> Option<&Note> {
    history.events().iter().rev().find_map(|event| match (&event.process, &event.f, &event.value) {
        (Process::Nemesis, Function::Other(f), Value::Note(note)) if f == "reaped" => Some(note),
        _ => None,
    })
}

/// How many all nodes have reaped.
fn reaped(note: &Note) -> usize {
    let nodes = note.get("tombstones").and_then(serde_json::Value::as_object);
    let counts = nodes.into_iter().flat_map(|nodes| nodes.values());
    let counts = counts.filter_map(|count| usize::try_from(count.as_u64()?).ok());
    counts.fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(value: &str) -> (Verdict, String) {
        let line = format!(
            "{{\"time\":1,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"reaped\",\"value\":{value}}}"
        );
        let finding = Reaping.check(&History::parse(line.as_bytes()).unwrap());
        (finding.verdict, finding.summary)
    }

    #[test]
    fn a_tombstone_reaped_anywhere_is_evidence_and_none_is_not() {
        let (verdict, told) = judged(r#"{"tombstones":{"n1":0,"n2":12}}"#);
        assert_eq!((verdict, told.as_str()), (Verdict::Valid, "12 tombstones reaped"));
        assert_eq!(judged(r#"{"tombstones":{"n1":0,"n2":0}}"#).0, Verdict::Unknown);
        assert_eq!(judged(r#"{"tombstones":{"n1":-3,"n2":"many"}}"#).0, Verdict::Unknown);
        assert_eq!(judged("{}").0, Verdict::Unknown);
    }

    #[test]
    fn silence_is_no_evidence() {
        assert_eq!(Reaping.check(&History::default()).verdict, Verdict::Unknown);
    }
}
