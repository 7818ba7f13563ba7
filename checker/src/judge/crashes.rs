//! Did every node live until it was asked to end?
//!
//! A node that ends by itself (a panic, an abort, an exit nobody asked for) breaks a promise that no
//! client need have noticed. The nemesis records it, once a crash, beside its own acts:
//!
//! ```text
//! info crash {"node":"n2","status":"exited with code 101","last words":"…"}
//! ```

use crate::event::{Function, Note, Process, Value};
use crate::finding::{Anomaly, Checker, Finding, Verdict};
use crate::history::History;
use crate::prose::count;

/// Judges whether nodes ended without being asked to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Crashes;

impl Checker for Crashes {
    fn name(&self) -> &'static str {
        "crashes"
    }

    fn check(&self, history: &History) -> Finding {
        let anomalies: Vec<Anomaly> = crashes(history).map(anomaly).collect();
        let (verdict, summary) = match anomalies.len() {
            0 => (Verdict::Valid, "no node ended without being asked to".to_owned()),
            crashed => (
                Verdict::Invalid,
                format!("{} ended without being asked to", count(crashed, "node")),
            ),
        };
        Finding { checker: self.name().to_owned(), keyspace: None, verdict, summary, anomalies }
    }
}

/// What the nemesis noted of each crash, with when, in nanoseconds since the run began.
fn crashes(history: &History) -> impl Iterator<Item = (&Note, u64)> {
    history.events().iter().filter_map(|event| match (&event.process, &event.f, &event.value) {
        (Process::Nemesis, Function::Other(f), Value::Note(note)) if f == "crash" => {
            Some((note, event.time))
        }
        _ => None,
    })
}

fn anomaly((note, time): (&Note, u64)) -> Anomaly {
    let said = |name: &str| note.get(name).and_then(|value| value.as_str()).unwrap_or("unknown");
    let because = format!(
        "Node {} was running, and nobody had asked it to end; {:.3} s into the run it {}. Its last \
         words were: {}",
        said("node"),
        time as f64 / 1e9,
        said("status"),
        said("last words"),
    );
    Anomaly { name: "node crash".to_owned(), key: None, witness: Vec::new(), because }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &str) -> Finding {
        Crashes.check(&History::parse(lines.as_bytes()).unwrap())
    }

    #[test]
    fn a_node_that_ended_by_itself_is_a_violation() {
        let finding = judged(
            "{\"time\":1500000000,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"crash\",\
             \"value\":{\"node\":\"n2\",\"status\":\"exited with code 101\",\"last words\":\"boom\"}}\n",
        );
        assert_eq!(finding.verdict, Verdict::Invalid);
        let because = &finding.anomalies[0].because;
        assert!(because.contains("n2") && because.contains("1.500 s into the run it exited with"));
    }

    #[test]
    fn a_node_that_the_nemesis_killed_is_none() {
        let finding = judged(
            "{\"time\":1,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"begin\",\
             \"value\":{\"fault\":1,\"kind\":\"kill\",\"nodes\":[\"n2\"]}}\n",
        );
        assert_eq!(finding.verdict, Verdict::Valid);
    }
}
