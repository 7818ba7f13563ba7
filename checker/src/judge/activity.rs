//! Did anything happen that could be judged?
//!
//! A run in which no operation succeeded keeps every promise, and proves nothing. This checker never
//! says `Invalid`: it says `Unknown` where the others would be right for the wrong reason.

use crate::finding::{Checker, Finding, Verdict};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::prose::count;

/// Judges whether clients of a keyspace were served at all.
pub struct Activity {
    keyspace: Keyspace,
}

impl Activity {
    /// Judges the clients of `keyspace`.
    pub fn new(keyspace: impl Into<Keyspace>) -> Activity {
        Activity { keyspace: keyspace.into() }
    }
}

impl Checker for Activity {
    fn name(&self) -> &'static str {
        "activity"
    }

    fn check(&self, history: &History) -> Finding {
        let keys = self.keyspace.by_key(history);
        let operations = || keys.values().flatten().filter(|operation| operation.is_coordinated());
        let served =
            |updates: bool| operations().filter(|o| o.is_ok() && o.is_update() == updates).count();
        let asked = count(operations().count(), "operation");
        let (verdict, summary) = match (served(false), served(true)) {
            (0, 0) => {
                (Verdict::Unknown, format!("nothing was judged: {asked} asked, none acknowledged"))
            }
            (reads, updates) => {
                let (reads, updates) = (count(reads, "read"), count(updates, "update"));
                (Verdict::Valid, format!("{asked} asked, {updates} and {reads} acknowledged"))
            }
        };
        Finding {
            checker: self.name().to_owned(),
            keyspace: self.keyspace.name().map(str::to_owned),
            verdict,
            summary,
            anomalies: Vec::new(),
        }
    }
}
