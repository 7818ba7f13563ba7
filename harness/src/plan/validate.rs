//! What a plan must hold to be carried out, for it may have been edited by hand.
//!
//! A plan that was drawn keeps all of this by construction. Whoever cuts a plan down to the one fault
//! that matters, or moves it, is told of a slip before anything starts, with line and column.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Plan;
use crate::schedule::{Act, PlannedFault};
use crate::suite::{Mistake, known_nodes, steps};

/// Refuses the first mistake found, in the order of the file.
pub(super) fn validate(plan: &Plan) -> Result<(), Mistake> {
    crate::suite::validate(&plan.suite).map_err(|mistake| mistake.below("suite"))?;
    clients(plan)?;
    let mut numbers = BTreeSet::new();
    for (index, fault) in plan.faults.iter().enumerate() {
        if !numbers.insert(fault.fault) {
            let message = format!("there are two faults {}", fault.fault);
            return Err(Mistake::at(steps!["faults", index, "fault"], message));
        }
        whom(plan, index, fault)?;
        when(plan, index, fault)?;
    }
    Ok(())
}

fn clients(plan: &Plan) -> Result<(), Mistake> {
    let workloads = plan.suite.workloads.len();
    for (index, client) in plan.clients.iter().enumerate() {
        if client.client as usize != index {
            let message = format!("clients are numbered from 0, so this is {index}");
            return Err(Mistake::at(steps!["clients", index, "client"], message));
        }
        if client.workload >= workloads {
            let message = format!("there is no workload {}: {workloads} in all", client.workload);
            return Err(Mistake::at(steps!["clients", index, "workload"], message)
                .help("workloads are counted from 0"));
        }
        let at = steps!["clients", index, "nodes"];
        if client.nodes.is_empty() {
            return Err(Mistake::at(at, "names no node"));
        }
        known_nodes(&plan.suite, &client.nodes, at)?;
    }
    Ok(())
}

fn whom(plan: &Plan, index: usize, fault: &PlannedFault) -> Result<(), Mistake> {
    let at = steps!["faults", index, "act", fault.act.kind()];
    if let Act::Partition(grudge) = &fault.act
        && grudge.is_empty()
    {
        return Err(Mistake::at(at, "cuts nothing"));
    }
    // Whom a fault names stands there in no order, so the error points at the fault.
    known_nodes(&plan.suite, &fault.act.nodes(), at).map_err(|mistake| mistake.up_to(at))
}

/// Every fault begins and ends within the phase of faults: so it ends, and all is healed.
fn when(plan: &Plan, index: usize, fault: &PlannedFault) -> Result<(), Mistake> {
    let begin = plan.suite.phases.warm_up;
    let end = begin + plan.suite.phases.faults;
    if fault.lasting.is_zero() {
        let message = "must be longer than nothing";
        return Err(Mistake::at(steps!["faults", index, "lasting"], message));
    }
    let ends: Option<Duration> = fault.at.checked_add(fault.lasting);
    if fault.at < begin || ends.is_none_or(|ends| ends > end) {
        let message = format!("is not within the faults phase, which is from {begin:?} to {end:?}");
        return Err(Mistake::at(steps!["faults", index, "at"], message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{EMBEDDED, Suite};

    /// Why the plan of the smoke suite is refused once `edit` has been at it.
    fn complaint(edit: impl FnOnce(&mut Plan)) -> String {
        let suite = Suite::parse("smoke", EMBEDDED[0].text).expect("the embedded suite is valid");
        let mut plan = Plan::resolve(suite, 1);
        edit(&mut plan);
        let text = serde_yaml::to_string(&plan).expect("a plan is plain data");
        Plan::parse("plan.yaml", &text).expect_err("a mistake").to_string()
    }

    #[test]
    fn a_node_or_workload_that_is_not_there_is_refused() {
        let nowhere = || vec!["n9".to_owned()];
        let said = complaint(|plan| plan.clients[1].nodes = nowhere());
        assert!(said.contains("clients[1].nodes[0]: there is no node `n9`"), "{said}");
        let said = complaint(|plan| plan.clients[1].nodes.clear());
        assert!(said.contains("clients[1].nodes: names no node"), "{said}");
        let said = complaint(|plan| plan.clients[1].workload = 2);
        assert!(said.contains("clients[1].workload: there is no workload 2"), "{said}");
        let said = complaint(|plan| plan.clients[1].client = 0);
        assert!(said.contains("clients[1].client: "), "{said}");
        let said = complaint(|plan| plan.faults[0].act = Act::Kill("n9".to_owned()));
        assert!(said.contains("faults[0].act.kill: there is no node `n9`"), "{said}");
        let cut = crate::grudge::Grudge::one_way(&nowhere(), &["n1".to_owned()]);
        let said = complaint(|plan| plan.faults[0].act = Act::Partition(cut));
        assert!(said.contains("faults[0].act.partition: there is no node `n9`"), "{said}");
        assert!(said.contains("plan.yaml:"), "{said}");
    }

    #[test]
    fn a_fault_outside_its_phase_or_without_end_or_twice_is_refused() {
        let said = complaint(|plan| plan.faults[0].at = Duration::from_secs(1));
        assert!(said.contains("faults[0].at: is not within the faults phase"), "{said}");
        let said = complaint(|plan| plan.faults[0].at = Duration::from_secs(22));
        assert!(said.contains("faults[0].at: is not within the faults phase"), "{said}");
        let said = complaint(|plan| plan.faults[0].lasting = Duration::ZERO);
        assert!(said.contains("faults[0].lasting: must be longer"), "{said}");
        let said = complaint(|plan| plan.faults[1].fault = 1);
        assert!(said.contains("faults[1].fault: there are two faults 1"), "{said}");
    }

    #[test]
    fn a_suite_made_impossible_within_a_plan_is_refused() {
        let said = complaint(|plan| plan.suite.workloads[0].clients = 0);
        assert!(said.contains("suite.workloads[0].clients: "), "{said}");
    }

    #[test]
    fn faults_may_be_dropped_and_stand_in_any_order() {
        let suite = Suite::parse("smoke", EMBEDDED[0].text).expect("the embedded suite is valid");
        let mut plan = Plan::resolve(suite, 1);
        plan.faults.remove(0);
        plan.faults.reverse();
        let text = serde_yaml::to_string(&plan).expect("a plan is plain data");
        assert_eq!(Plan::parse("plan.yaml", &text).expect("no mistake"), plan);
    }
}
