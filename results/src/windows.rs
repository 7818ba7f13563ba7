//! Stretches of a run that reports shade or mark: phases, and when faults were in force.

use checker::{FaultWindow, History};

/// A named stretch of the run: `warm-up`, `faults`, `final reads`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    /// Its name.
    pub(crate) name: String,
    /// When it began, in nanoseconds since the run did.
    pub(crate) begin: u64,
    /// When the next began, or the run ended.
    pub(crate) end: u64,
}

/// The last moment recorded, in nanoseconds since the run began.
pub(crate) fn last_moment(history: &History) -> u64 {
    history.events().last().map_or(0, |event| event.time)
}

/// The phases of a run, in order.
pub(crate) fn phases(history: &History) -> Vec<Phase> {
    let last = last_moment(history);
    let named = history.phases().into_iter();
    named.map(|(name, begin, end)| Phase { name, begin, end: end.unwrap_or(last) }).collect()
}

/// When a fault was in force, within a run that ended at `last`; `None` if it never was.
pub(crate) fn in_force(fault: &FaultWindow, last: u64) -> Option<(u64, u64)> {
    let begin = fault.begin?;
    Some((begin, fault.end.unwrap_or(last).max(begin)))
}
