//! Is every acknowledged write still there in the end, on every replica?
//!
//! Judged from the final reads of replicas. Of a **set**: the element of every acknowledged add is in
//! every final read that began after the acknowledgement. Of a **register**: a replica holds the
//! value of some write that no acknowledged write surely followed; that is, of no write `w` such that
//! `w` was acknowledged before another acknowledged write began. It may hold nil only if no write was
//! acknowledged at all. A write without an answer may have happened at any time, so its value is
//! always allowed; a value nobody wrote never is.
//!
//! The summary sorts the elements of sets as Jepsen does: *stable* (acknowledged, in every final
//! read), *stale* (of those, missed for a while by a read that began after the acknowledgement),
//! *lost*, *recovered* (never acknowledged, present), *never read* (never acknowledged, absent).
//!
//! Source: Jepsen's `set-full` checker.
//! Departure: an element that was read but never acknowledged is not held against the store.

use std::collections::BTreeMap;

use crate::durability::{Classes, lost_add, lost_write};
use crate::event::Function;
use crate::finding::{Anomaly, Checker, Finding};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::model::Call;
use crate::operation::Operation;
use crate::replica::Replicas;
use crate::source::Sources;
use crate::tally::{Judgement, Tally};

/// Judges whether acknowledged writes survived.
pub struct LostWrites {
    keyspace: Keyspace,
}

impl LostWrites {
    /// Judges the keys of `keyspace`, registers and sets alike.
    pub fn new(keyspace: impl Into<Keyspace>) -> LostWrites {
        LostWrites { keyspace: keyspace.into() }
    }
}

impl Checker for LostWrites {
    fn name(&self) -> &'static str {
        "lost-writes"
    }

    fn check(&self, history: &History) -> Finding {
        let mut classes = Classes::default();
        let mut judged = Vec::new();
        for (key, operations) in self.keyspace.by_key(history) {
            let replicas = Replicas::of(&operations);
            let updates = operations.iter().filter(|operation| operation.is_update()).count();
            if updates == 0 && !replicas.were_asked() {
                continue;
            }
            judged.push((key.to_owned(), updates, judge(&operations, &replicas)));
            if is_set(&operations) && !replicas.copies.is_empty() {
                classes.count(&operations, &replicas);
            }
        }
        let mut finding =
            Tally::of(judged).finding(self.name(), &self.keyspace, "with every acknowledged write");
        if let Some(classes) = classes.summary() {
            finding.summary = format!("{}; {classes}", finding.summary);
        }
        finding
    }
}

fn is_set(operations: &[&Operation]) -> bool {
    operations.iter().any(|operation| operation.f == Function::Add)
}

fn judge(operations: &[&Operation], replicas: &Replicas<'_>) -> Judgement {
    if let Some(why) = Call::unknown(operations) {
        return Judgement::Open(why);
    }
    let sources = Sources::of(operations);
    // One anomaly of each name for a key: the first copy that shows it.
    let mut anomalies = BTreeMap::<String, Anomaly>::new();
    for copy in &replicas.copies {
        let unsourced = sources.fault_of(copy);
        let lost = if unsourced.is_some() && !is_set(operations) {
            None
        } else if is_set(operations) {
            lost_add(operations, copy, &replicas.copies)
        } else {
            lost_write(operations, copy)
        };
        for anomaly in unsourced.into_iter().chain(lost) {
            anomalies.entry(anomaly.name.clone()).or_insert(anomaly);
        }
    }
    if !anomalies.is_empty() {
        return Judgement::Broken(anomalies.into_values().collect());
    }
    match (replicas.copies.as_slice(), replicas.silent.as_slice()) {
        (_, [_, ..]) => Judgement::Open(format!("{} did not answer", replicas.silent.join(" "))),
        ([], []) => Judgement::Open("no replica was read in the end".to_owned()),
        _ => Judgement::Kept,
    }
}
