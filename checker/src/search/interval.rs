//! A call and the stretch of real time within which it took effect.
//!
//! Only what a model must explain becomes an interval. Left out, because a linearization with them
//! exists exactly when one without them does: operations that failed; reads without a reply; and
//! updates without an answer whose value no read that ended later shows (they may never happen).

use crate::event::Value;
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
    pub fn of_all<M: Model>(
        model: &M,
        operations: &[&Operation],
    ) -> Result<Vec<Interval>, String> {
        let mut intervals = Vec::with_capacity(operations.len());
        for operation in operations {
            let Some(call) = Call::of(operation)? else { continue };
            if !model.knows(&call) {
                return Err(format!(
                    "line {}: this model has no {} of this shape",
                    operation.invoked + 1,
                    operation.f
                ));
            }
            let returned = operation.acknowledged();
            intervals.push(Interval { call, invoked: operation.invoked, returned });
        }
        Ok(observed(model, intervals))
    }
}

/// Drops updates without an answer whose value no later read shows.
fn observed<M: Model>(model: &M, intervals: Vec<Interval>) -> Vec<Interval> {
    let mut shown: Vec<(Value, usize)> = Vec::new();
    for interval in &intervals {
        if let (Call::Read(reply), Some(returned)) = (&interval.call, interval.returned) {
            shown.extend(model.shown(reply).into_iter().map(|value| (value, returned)));
        }
    }
    shown.sort_by(|a, b| order(&a.0, &b.0).then(a.1.cmp(&b.1)));
    // Of each value, the last read that shows it is the last of its run.
    let last = |value: &Value| {
        let end = shown.partition_point(|(other, _)| order(other, value).is_le());
        shown[..end].last().filter(|(other, _)| other == value).map(|(_, returned)| *returned)
    };
    let needed = |interval: &Interval| match (interval.returned, interval.call.written()) {
        (None, Some(value)) => last(&value).is_some_and(|returned| interval.invoked < returned),
        _ => true,
    };
    let keep: Vec<bool> = intervals.iter().map(needed).collect();
    intervals.into_iter().zip(keep).filter_map(|(interval, keep)| keep.then_some(interval)).collect()
}

/// An order over written values, which are numbers or nil.
fn order(a: &Value, b: &Value) -> std::cmp::Ordering {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number),
        _ => None,
    };
    number(a).cmp(&number(b))
}
