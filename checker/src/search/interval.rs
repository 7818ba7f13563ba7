//! A call and the stretch of real time within which it took effect.
//!
//! Only what a model must explain becomes an interval. Left out, because a linearization with them
//! exists exactly when one without them does: operations that failed; reads without a reply; and
//! updates without an answer whose value no read that ended later shows (they may never happen).

use std::collections::BTreeMap;

use crate::model::{Call, Model};
use crate::operation::Operation;

/// A call and the stretch of real time within which it took effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// What is to be explained.
    pub call: Call,
    /// Line of its invocation.
    pub invoked: usize,
    /// Line by which it had taken effect; `None` while it may yet, or never.
    pub returned: Option<usize>,
}

impl Interval {
    /// What a model must explain of `operations`, in their order. An error where it cannot know.
    pub fn of_all<M: Model>(model: &M, operations: &[&Operation]) -> Result<Vec<Interval>, String> {
        let mut intervals = Vec::with_capacity(operations.len());
        for operation in operations {
            let Some(call) = Call::known_to(model, operation)? else { continue };
            let returned = operation.acknowledged();
            intervals.push(Interval { call, invoked: operation.invoked, returned });
        }
        Ok(observed(model, intervals))
    }
}

/// Drops updates without an answer whose value no later read shows.
fn observed<M: Model>(model: &M, mut intervals: Vec<Interval>) -> Vec<Interval> {
    // When the last read that shows a value ended; nil is a value too.
    let mut shown = BTreeMap::<Option<i64>, usize>::new();
    for interval in &intervals {
        if let (Call::Read(reply), Some(returned)) = (&interval.call, interval.returned) {
            for value in model.shown(reply) {
                let last = shown.entry(value.number()).or_default();
                *last = returned.max(*last);
            }
        }
    }
    intervals.retain(|interval| match (interval.returned, interval.call.written()) {
        (None, Some(value)) => {
            shown.get(&value.number()).is_some_and(|returned| interval.invoked < *returned)
        }
        _ => true,
    });
    intervals
}
