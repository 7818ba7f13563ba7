//! The steps of a run in order: phases, and the begin and end of each fault.

use std::time::Duration;

use crate::plan::Plan;

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// This fault ends. First at equal times, so that the end of a phase finds nothing broken.
    End(u64),
    /// A phase begins.
    Phase(Phase),
    /// This fault begins.
    Begin(u64),
}

/// The phases in which clients work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Nothing is broken yet.
    WarmUp,
    /// Faults come and go.
    Faults,
    /// All is healed.
    Recovery,
    /// Clients stop.
    Over,
}

impl Phase {
    /// Its word in histories, reports and on the terminal.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::WarmUp => "warm-up",
            Phase::Faults => "faults",
            Phase::Recovery => "recovery",
            Phase::Over => "quiesce",
        }
    }
}

/// The steps of `plan` by time since its start.
pub(crate) fn timeline(plan: &Plan) -> Vec<(Duration, Step)> {
    let phases = &plan.suite.phases;
    let mut steps = vec![
        (Duration::ZERO, Step::Phase(Phase::WarmUp)),
        (phases.warm_up, Step::Phase(Phase::Faults)),
        (phases.warm_up + phases.faults, Step::Phase(Phase::Recovery)),
        (plan.working_time(), Step::Phase(Phase::Over)),
    ];
    for fault in &plan.faults {
        steps.push((fault.at, Step::Begin(fault.fault)));
        steps.push((fault.end(), Step::End(fault.fault)));
    }
    steps.sort();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{EMBEDDED, Suite};

    #[test]
    fn every_fault_begins_and_ends_within_its_phase() {
        let suite = Suite::parse("smoke", EMBEDDED[0].text).expect("the embedded suite is valid");
        for seed in 0..200 {
            let steps = timeline(&Plan::resolve(suite.clone(), seed));
            let at = |wanted| steps.iter().position(|(_, step)| *step == wanted);
            let (begin, end) = (at(Step::Phase(Phase::Faults)), at(Step::Phase(Phase::Recovery)));
            let mut open = std::collections::BTreeSet::new();
            for (place, (_, step)) in steps.iter().enumerate() {
                match step {
                    Step::Begin(fault) => assert!(Some(place) > begin && open.insert(*fault)),
                    Step::End(fault) => assert!(Some(place) < end && open.remove(fault)),
                    Step::Phase(_) => {}
                }
            }
            assert!(open.is_empty(), "seed {seed}: faults {open:?} never end");
        }
    }
}
