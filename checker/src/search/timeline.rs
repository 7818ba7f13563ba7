//! The calls of a search numbered by their return, and which of them are open when.
//!
//! Calls that must take effect come first, by return; those that may never, after them, by
//! invocation. Before the frontier returns, a call may be ordered only if it was invoked by then:
//! every such call that must return later is *open* at the frontier.

use std::collections::BTreeSet;

use crate::model::Call;
use crate::search::Interval;

/// The calls of a search numbered by their return.
pub(super) struct Timeline<'i> {
    /// Calls by number.
    calls: Vec<&'i Call>,
    /// Lines by which calls must have taken effect, ascending; as many as there are such calls.
    deadlines: Vec<usize>,
    /// For each frontier, the later calls that must return and were invoked before it returned.
    open: Vec<Vec<u32>>,
    /// Lines at which the calls that may never happen were invoked, ascending.
    optional: Vec<usize>,
}

impl<'i> Timeline<'i> {
    pub(super) fn of(intervals: &'i [Interval]) -> Timeline<'i> {
        let mut order: Vec<&Interval> = intervals.iter().collect();
        order.sort_by_key(|i| (i.returned.unwrap_or(usize::MAX), i.invoked));
        let certain = order.partition_point(|i| i.returned.is_some());
        Timeline {
            calls: order.iter().map(|i| &i.call).collect(),
            deadlines: order.iter().filter_map(|i| i.returned).collect(),
            open: open(&order[..certain]),
            optional: order[certain..].iter().map(|i| i.invoked).collect(),
        }
    }

    /// Whether every call that must take effect is before `frontier`.
    pub(super) fn is_past(&self, frontier: u32) -> bool {
        frontier as usize >= self.deadlines.len()
    }

    /// The line by which the call at `frontier` must have taken effect.
    pub(super) fn deadline(&self, frontier: u32) -> usize {
        self.deadlines.get(frontier as usize).copied().unwrap_or(usize::MAX)
    }

    /// The call of this number.
    pub(super) fn call(&self, number: u32) -> &'i Call {
        self.calls[number as usize]
    }

    /// Calls that may be ordered before `frontier` returns: itself, those open, and those that may
    /// never happen but were invoked; in this order.
    pub(super) fn enabled(&self, frontier: u32) -> impl Iterator<Item = u32> + '_ {
        let deadline = self.deadline(frontier);
        let invoked = self.optional.partition_point(|line| *line < deadline);
        let certain = self.deadlines.len();
        let optional = certain..certain + invoked;
        let open = self.open[frontier as usize].iter().copied();
        std::iter::once(frontier).chain(open).chain(optional.map(|number| number as u32))
    }
}

/// For each of `certain` (by return), the later ones invoked before it returned.
fn open(certain: &[&Interval]) -> Vec<Vec<u32>> {
    let mut by_invocation: Vec<usize> = (0..certain.len()).collect();
    by_invocation.sort_by_key(|number| certain[*number].invoked);
    let mut waiting = by_invocation.into_iter().peekable();
    let mut open = BTreeSet::new();
    let mut all = Vec::with_capacity(certain.len());
    for (frontier, interval) in certain.iter().enumerate() {
        let deadline = interval.returned.expect("only calls that must return are certain");
        while let Some(number) = waiting.next_if(|number| certain[*number].invoked < deadline) {
            open.insert(number as u32);
        }
        open.remove(&(frontier as u32));
        all.push(open.iter().copied().collect());
    }
    all
}
