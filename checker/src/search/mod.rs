//! Is there an order of these calls that respects real time and that the model accepts?
//!
//! Depth first over *configurations*: which calls have been put in order, and the state they lead
//! to. Two paths to the same configuration have the same future, so each is visited once. Calls are
//! numbered by their return; the *frontier* is the first not yet ordered. Whatever is ordered ahead
//! of it must have been open when it returned, so a configuration is a frontier, the few calls ahead,
//! and a state: its size is that of the concurrency, not of the history.
//!
//! Exact reductions, each of which keeps some linearization if there is one:
//! - a read that may come next and that the state satisfies is ordered at once, for it moves nothing;
//! - of equal updates that may come next, only the one to return first is tried;
//! - what [`Interval::of_all`] leaves out.
//!
//! Source: Wing and Gong, "Testing and Verifying Concurrent Objects", 1993; Lowe, "Testing for
//! linearizability", 2017, §3 (the cache of configurations).
//! Departure: the set of ordered calls is kept as frontier and calls ahead, not as one bit a call.

mod budget;
mod configuration;
mod interval;
mod timeline;

use std::collections::HashSet;

pub use budget::{Budget, Spent};
pub use interval::Interval;

use crate::model::Model;
pub(crate) use budget::Meter;
use configuration::Configuration;
use timeline::Timeline;

/// How a search came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Found<S> {
    /// There is such an order.
    Order,
    /// There is none.
    None(Stuck<S>),
    /// It was given up.
    Spent(Spent),
}

/// How far the best orders came.
#[derive(Clone, Debug, PartialEq)]
pub struct Stuck<S> {
    /// Line of the return past which no order comes: the history up to it is already at fault.
    pub line: usize,
    /// The state an order that came this far ended in.
    pub state: S,
}

/// Looks for an order of `intervals` that `model` accepts, within `budget`.
pub fn search<M: Model>(model: &M, intervals: &[Interval], budget: &Budget) -> Found<M::State> {
    let mut meter = Meter::default();
    metered(model, intervals, budget, &mut meter)
}

/// As [`search`], with a meter that may have run before: a budget for many searches.
pub(crate) fn metered<M: Model>(
    model: &M,
    intervals: &[Interval],
    budget: &Budget,
    meter: &mut Meter,
) -> Found<M::State> {
    let timeline = Timeline::of(intervals);
    let mut start = Configuration::start(model.init());
    start.take_reads(model, &timeline);
    let mut deepest = (start.frontier(), start.state().clone());
    // The cache is asked, never iterated: its order reaches nothing.
    let mut seen = HashSet::from([start.clone()]);
    let mut stack = vec![start];
    while let Some(configuration) = stack.pop() {
        if timeline.is_past(configuration.frontier()) {
            return Found::Order;
        }
        if configuration.frontier() > deepest.0 {
            deepest = (configuration.frontier(), configuration.state().clone());
        }
        // Last pushed is first tried: the call that must return first goes on top.
        for next in configuration.successors(model, &timeline).into_iter().rev() {
            if seen.contains(&next) {
                continue;
            }
            if let Err(spent) = meter.take(budget, next.bytes(model)) {
                return Found::Spent(spent);
            }
            seen.insert(next.clone());
            stack.push(next);
        }
    }
    Found::None(Stuck { line: timeline.deadline(deepest.0), state: deepest.1 })
}
