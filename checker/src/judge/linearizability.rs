//! Does every operation take effect at one moment between its invocation and its completion?
//!
//! A history is linearizable exactly when its part on each key is, so keys are judged apart and in
//! parallel. Of each key, in this order: does every value read have a source; if it is a register
//! whose values are unique, do two of them contradict each other (which decides it, without a
//! search); otherwise, is there an order (the search). A key without one is cut to the fewest
//! operations that have none, and those are named if the field has a name for them.
//!
//! Source: Herlihy and Wing, "Linearizability", 1990, §3.2 (locality); Horn and Kroening, "Faster
//! linearizability checking via P-compositionality", 2015.

use rayon::prelude::*;

use crate::explanation::{Explained, explain};
use crate::finding::{Checker, Finding};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::model::{Register, Set};
use crate::operation::Operation;
use crate::search::{Budget, Found, Interval, search};
use crate::source::Sources;
use crate::tally::{Judgement, Tally};

/// Judges whether every key is linearizable.
pub struct Linearizability {
    datatype: Datatype,
    keyspace: Keyspace,
    budget: Budget,
}

enum Datatype {
    Register,
    Set,
}

impl Linearizability {
    /// Judges the keys of `keyspace` as registers.
    pub fn register(keyspace: impl Into<Keyspace>) -> Linearizability {
        let (datatype, budget) = (Datatype::Register, Budget::default());
        Linearizability { datatype, keyspace: keyspace.into(), budget }
    }

    /// Judges the keys of `keyspace` as sets.
    pub fn set(keyspace: impl Into<Keyspace>) -> Linearizability {
        let (datatype, budget) = (Datatype::Set, Budget::default());
        Linearizability { datatype, keyspace: keyspace.into(), budget }
    }

    /// With another budget for each key.
    #[must_use]
    pub fn within(self, budget: Budget) -> Linearizability {
        Linearizability { budget, ..self }
    }

    fn judge(&self, operations: &[&Operation]) -> Judgement {
        match self.datatype {
            Datatype::Register => judge(&Register, operations, &self.budget),
            Datatype::Set => judge(&Set, operations, &self.budget),
        }
    }
}

impl Checker for Linearizability {
    fn name(&self) -> &'static str {
        "linearizability"
    }

    fn check(&self, history: &History) -> Finding {
        let keys: Vec<(&str, Vec<&Operation>)> = self
            .keyspace
            .by_key(history)
            .into_iter()
            .map(|(key, mut operations)| {
                operations.retain(|operation| operation.is_coordinated());
                (key, operations)
            })
            .filter(|(_, operations)| operations.iter().any(|operation| operation.is_ok()))
            .collect();
        // An indexed map: results come back in the order of the keys, whoever computed them.
        let judged: Vec<(String, usize, Judgement)> = keys
            .par_iter()
            .map(|(key, operations)| ((*key).to_owned(), operations.len(), self.judge(operations)))
            .collect();
        Tally::of(judged).finding(self.name(), &self.keyspace, "linearizable")
    }
}

fn judge<M: Explained>(model: &M, operations: &[&Operation], budget: &Budget) -> Judgement {
    let intervals = match Interval::of_all(model, operations) {
        Ok(intervals) => intervals,
        Err(why) => return Judgement::Open(why),
    };
    let reads = operations.iter().filter(|operation| !operation.is_update());
    if let Some(anomaly) = Sources::of(operations).first_fault(reads) {
        return Judgement::Broken(vec![anomaly]);
    }
    if let Some(judgement) = model.shortcut(operations) {
        return judgement;
    }
    match search(model, &intervals, budget) {
        Found::Order => Judgement::Kept,
        Found::Spent(spent) => Judgement::Open(format!("the search gave up {spent}")),
        Found::None(stuck) => {
            Judgement::Broken(vec![explain(model, operations, &intervals, &stuck, budget)])
        }
    }
}
