//! A cut that splits all nodes into sides, and which operations were asked and ended while it
//! surely held, undisturbed by anything else.
//!
//! ```text
//!  asked  begin      settled                      recalled  end
//!    │      │░░░░░░░░░░░│══════════════════════════════│       │
//!                         ├─ counts ─┤  ├── counts ──┤
//!             ├─ under way: does not ─┤            ├─ does not ─┤
//! ```
//!
//! From `begin` until `recalled` every packet across was dropped, so what was asked after the one and
//! ended before the other was decided by one side alone. The first half second is left out all the
//! same: a store may take a moment to notice. Operations that another fault may have touched say
//! nothing of this one.

use std::collections::BTreeSet;

use crate::fault::FaultWindow;
use crate::history::History;
use crate::operation::Operation;

/// How long a cut holds before its operations count, and how long after another fault has ended, in
/// nanoseconds. One request deadline of the nodes under test, as suites usually set it.
const SETTLE: u64 = 500_000_000;

/// A cut with its sides.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// The number of the fault.
    pub(crate) fault: u64,
    /// Who hears whom; together all nodes of the history.
    pub(crate) sides: Vec<Vec<String>>,
    /// From when to when its operations count, in nanoseconds since the run began.
    settled: u64,
    recalled: u64,
    /// When anything else may have had a hand in them.
    disturbed: Vec<(u64, u64)>,
}

impl Cut {
    /// Every cut of `history` that leaves no node between its sides, by number.
    pub(crate) fn all(history: &History) -> Vec<Cut> {
        let faults = history.faults();
        let nodes: BTreeSet<&str> =
            history.operations().iter().filter_map(|operation| operation.node.as_deref()).collect();
        faults.iter().filter_map(|fault| Cut::of(fault, &faults, &nodes)).collect()
    }

    fn of(fault: &FaultWindow, faults: &[FaultWindow], nodes: &BTreeSet<&str>) -> Option<Cut> {
        let placed: BTreeSet<&str> = fault.sides.iter().flatten().map(String::as_str).collect();
        if fault.sides.len() < 2 || !nodes.is_subset(&placed) {
            return None;
        }
        let others = faults.iter().filter(|other| other.fault != fault.fault);
        Some(Cut {
            fault: fault.fault,
            sides: fault.sides.clone(),
            settled: fault.begin?.saturating_add(SETTLE),
            recalled: fault.recalled?,
            disturbed: others.filter_map(disturbance).collect(),
        })
    }

    /// The side on which `operation` was decided: absent where the cut did not surely decide it.
    pub(crate) fn side_of(&self, operation: &Operation) -> Option<usize> {
        let (began, ended) = (operation.began, operation.ended?);
        let within = self.settled <= began && ended <= self.recalled;
        let disturbed = self.disturbed.iter().any(|(from, to)| *from <= ended && began <= *to);
        if !within || disturbed {
            return None;
        }
        let node = operation.node.as_deref()?;
        self.sides.iter().position(|side| side.iter().any(|member| member == node))
    }
}

/// From when until when a fault may have had an effect; `None` if it never could.
fn disturbance(fault: &FaultWindow) -> Option<(u64, u64)> {
    let begin = fault.begin?;
    let end = fault.end.unwrap_or(u64::MAX);
    Some((fault.asked.unwrap_or(begin).min(begin), end.saturating_add(SETTLE)))
}
