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
        let asked = || keys.values().flatten().filter(|operation| operation.is_coordinated());
        let served = |updates: bool| {
            asked().filter(|o| o.is_ok() && o.is_update() == updates).count()
        };
        let (reads, updates) = (served(false), served(true));
        let sums = format!(
            "{} asked: {} and {} acknowledged",
            count(asked().count(), "operation"),
            count(updates, "update"),
            count(reads, "read")
        );
        let (verdict, summary) = match (reads, updates) {
            (0, 0) => (Verdict::Unknown, format!("nothing was judged: {sums}")),
            _ => (Verdict::Valid, sums),
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
