//! Is every acknowledged write still there in the end, on every replica?
//!
//! Judged from the final reads of replicas. Of a **set**: the element of every acknowledged add is in
//! every final read that began after the acknowledgement. Of a **register**: a replica holds the
//! value of some write that no acknowledged write surely followed; that is, of no write `w` such that
//! `w` was acknowledged before another acknowledged write began. It may hold nil only if no write was
//! acknowledged at all, or if the last is a delete; a delete is a write of nil. Of **siblings**: the value
//! of every acknowledged write, unless some update had read it and so replaced it. A write without an answer may have happened at any time, so its value is
//! always allowed; a value nobody wrote never is, neither in a copy nor in what a client was shown.
//!
//! The summary sorts the elements of sets as Jepsen does: *stable* (acknowledged, in every final
//! read that began later), *stale* (of those, missed for a while by a read that began after the
//! acknowledgement), *lost*, *recovered* (never acknowledged, present), *never read* (never
//! acknowledged, absent).
//!
//! Source: Jepsen's `set-full` checker.
//! Departure: an element that was read but never acknowledged is not held against the store.

use std::collections::BTreeMap;

use crate::durability::{Classes, lost_add, lost_write};
use crate::finding::{Anomaly, Checker, Finding};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::model::Shape;
use crate::operation::Operation;
use crate::replica::Replicas;
use crate::sibling::{Fates, Owed};
use crate::source::Sources;
use crate::tally::{Judgement, Tally};

/// Judges whether acknowledged writes survived.
pub struct LostWrites {
    keyspace: Keyspace,
    replicas: Option<usize>,
}

impl LostWrites {
    /// Judges the keys of `keyspace`, registers, siblings and sets alike: every node asked must answer, or say
    /// that it is no replica.
    pub fn new(keyspace: impl Into<Keyspace>) -> LostWrites {
        LostWrites { keyspace: keyspace.into(), replicas: None }
    }

    /// Each key has this many copies: with fewer answers, a write may be lost where nobody looked.
    #[must_use]
    pub fn with_replicas(self, replicas: usize) -> LostWrites {
        LostWrites { replicas: Some(replicas), ..self }
    }
}

impl Checker for LostWrites {
    fn name(&self) -> &'static str {
        "lost-writes"
    }

    fn check(&self, history: &History) -> Finding {
        let (mut classes, mut fates) = (Classes::default(), Fates::default());
        let mut judged = Vec::new();
        for (key, operations) in self.keyspace.by_key(history) {
            let replicas = Replicas::of(&operations);
            let updates = operations.iter().filter(|operation| operation.is_update()).count();
            let judgement = self.judge(&operations, &replicas);
            let is_broken = matches!(judgement, Judgement::Broken(_));
            if updates == 0 && !replicas.were_asked() && !is_broken {
                continue;
            }
            judged.push((key.to_owned(), updates, judgement));
            let shape = Shape::of(&operations);
            if shape.unknown(&operations).is_some() || replicas.copies.is_empty() {
                continue;
            }
            match shape {
                Shape::Set => classes.count(&operations, &replicas),
                Shape::Siblings => fates.count(&Owed::of(&operations), &replicas.copies),
                Shape::Register => {}
            }
        }
        let mut finding =
            Tally::of(judged).finding(self.name(), &self.keyspace, "with every acknowledged write");
        for sorted in [classes.summary(), fates.summary()].into_iter().flatten() {
            finding.summary = format!("{}; {sorted}", finding.summary);
        }
        finding
    }
}

impl LostWrites {
    fn judge(&self, operations: &[&Operation], replicas: &Replicas<'_>) -> Judgement {
        let shape = Shape::of(operations);
        if let Some(why) = shape.unknown(operations) {
            return Judgement::Open(why);
        }
        let anomalies = anomalies(shape, operations, replicas);
        if !anomalies.is_empty() {
            return Judgement::Broken(anomalies);
        }
        replicas.lack(self.replicas).map_or(Judgement::Kept, Judgement::Open)
    }
}

/// One anomaly of each name: the first read to show it, those of clients before those of replicas.
fn anomalies(shape: Shape, operations: &[&Operation], replicas: &Replicas<'_>) -> Vec<Anomaly> {
    let (sources, owed) = (Sources::of(operations), Owed::of(operations));
    let clients = operations.iter().filter(|operation| operation.is_sight());
    let mut found: Vec<Anomaly> = sources.first_fault(clients).into_iter().collect();
    for copy in &replicas.copies {
        found.extend(sources.fault_of(copy));
        found.extend(match shape {
            Shape::Set => lost_add(operations, copy, &replicas.copies),
            Shape::Siblings => owed.lost(copy),
            Shape::Register => lost_write(operations, copy),
        });
    }
    let mut anomalies = BTreeMap::<String, Anomaly>::new();
    for anomaly in found {
        anomalies.entry(anomaly.name.clone()).or_insert(anomaly);
    }
    anomalies.into_values().collect()
}
