//! Did anything happen that could be judged?
//!
//! A run in which no operation succeeded keeps every promise, and proves nothing. So does one whose
//! reads all failed, or whose updates all did: there was nothing to be wrong about. This checker
//! never says `Invalid`: it says `Unknown` where the others would be right for the wrong reason.

use crate::finding::{Checker, Finding, Verdict};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::operation::Operation;
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
        let operations: Vec<&Operation> =
            keys.into_values().flatten().filter(|operation| operation.is_coordinated()).collect();
        let asked = count(operations.len(), "operation");
        let (verdict, summary) = if let Some(why) = idle(&operations) {
            (Verdict::Unknown, format!("nothing was judged: {asked} asked, {why}"))
        } else {
            let ok = operations.iter().filter(|operation| operation.is_ok());
            let (updates, reads): (Vec<&Operation>, Vec<&Operation>) =
                ok.partition(|operation| operation.is_update());
            let (reads, updates) = (count(reads.len(), "read"), count(updates.len(), "update"));
            (Verdict::Valid, format!("{asked} asked, {updates} and {reads} acknowledged"))
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

/// Why nothing can be concluded from `operations`, where nothing can.
fn idle(operations: &[&Operation]) -> Option<&'static str> {
    let (updates, reads): (Vec<&Operation>, Vec<&Operation>) =
        operations.iter().partition(|operation| operation.is_update());
    if !operations.iter().any(|operation| operation.is_ok()) {
        Some("none acknowledged")
    } else if !reads.is_empty() && !reads.iter().any(|read| read.is_ok()) {
        Some("and no read was answered")
    } else if !updates.is_empty() && !updates.iter().any(|update| update.may_have_happened()) {
        Some("and every update failed")
    } else {
        None
    }
}
