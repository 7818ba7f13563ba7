//! Were the replicas at rest before they were read?
//!
//! A replica read while hints were still on their way, or while a node was missed, says nothing of
//! where things would have ended. The nemesis notes, once a run, whether all came to rest:
//!
//! ```text
//! info quiesce {"at rest":true}
//! info quiesce {"at rest":false,"because":"n2 has 3 hints to hand over"}
//! ```
//!
//! Replicas that never rested, or that nobody asked, make a run `Unknown`: what differs is found by
//! other checkers, and what looks alike may have been luck.

use crate::event::{Function, Note, Process, Value};
use crate::finding::{Checker, Finding, Verdict};
use crate::history::History;

/// Judges whether the replicas came to rest before they were read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiescence;

impl Checker for Quiescence {
    fn name(&self) -> &'static str {
        "quiescence"
    }

    fn check(&self, history: &History) -> Finding {
        let (verdict, summary) = match outcome(history) {
            None => (Verdict::Unknown, "nobody saw whether the replicas were at rest".to_owned()),
            Some(note) if note.get("at rest").is_some_and(|rest| rest == true) => {
                (Verdict::Valid, "the replicas were at rest before they were read".to_owned())
            }
            Some(note) => {
                let why = note.get("because").and_then(|why| why.as_str()).unwrap_or("unknown why");
                (Verdict::Unknown, format!("the replicas never came to rest: {why}"))
            }
        };
        let (checker, anomalies) = (self.name().to_owned(), Vec::new());
        Finding { checker, keyspace: None, verdict, summary, anomalies }
    }
}

/// What the nemesis noted last.
fn outcome(history: &History) -> Option<&Note> {
    history.events().iter().rev().find_map(|event| match (&event.process, &event.f, &event.value) {
        (Process::Nemesis, Function::Other(f), Value::Note(note)) if f == "quiesce" => Some(note),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(value: &str) -> (Verdict, String) {
        let line = format!(
            "{{\"time\":1,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"quiesce\",\"value\":{value}}}"
        );
        let finding = Quiescence.check(&History::parse(line.as_bytes()).unwrap());
        (finding.verdict, finding.summary)
    }

    #[test]
    fn only_replicas_that_were_seen_at_rest_are_believed() {
        assert_eq!(judged(r#"{"at rest":true}"#).0, Verdict::Valid);
        let (verdict, why) = judged(r#"{"at rest":false,"because":"n2 believes 1 nodes down"}"#);
        assert_eq!(verdict, Verdict::Unknown);
        assert!(why.ends_with("never came to rest: n2 believes 1 nodes down"), "{why}");
        assert_eq!(judged("{}").0, Verdict::Unknown);
    }

    #[test]
    fn silence_is_not_rest() {
        let finding = Quiescence.check(&History::parse(&b""[..]).unwrap());
        assert_eq!(finding.verdict, Verdict::Unknown);
    }
}
