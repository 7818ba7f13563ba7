//! From a recorded history to findings: which checkers judge a run, and their verdict.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result};
use checker::{Budget, Checker, Finding, History};

use crate::plan::Plan;

/// Reads a history from a file of JSON lines.
pub fn read_history(path: &Path) -> Result<History> {
    let file = File::open(path).with_context(|| format!("failed to open {}", path.display()))?;
    History::parse(BufReader::new(file))
        .with_context(|| format!("failed to read {} as a history", path.display()))
}

/// Judges the history of a run by what its plan promised, each key within `budget`.
pub fn judge_run(plan: &Plan, history: &History, budget: &Budget) -> Vec<Finding> {
    let mut checkers: Vec<Box<dyn Checker>> = Vec::new();
    for load in &plan.suite.workloads {
        let keyspace = load.workload.keyspace();
        let replicas = plan.suite.cluster.keyspaces.get(keyspace).map_or(1, |keyspace| keyspace.n);
        checkers.extend(load.workload.build().checkers(replicas, budget));
    }
    checkers.push(Box::new(checker::Faults::new().at_least(plan.faults.len())));
    checkers.push(Box::new(checker::Crashes));
    checkers.push(Box::new(checker::Quiescence));
    if plan.suite.cluster.reap_every.is_some() {
        checkers.push(Box::new(checker::Reaping));
    }
    checker::check_all(history, &checkers)
}

/// Judges any history by the checkers that its own operations call for, each key within `budget`.
pub fn judge_file(history: &History, budget: &Budget) -> Vec<Finding> {
    checker::check_all(history, &checker::for_history(history, budget))
}

#[cfg(test)]
mod tests {
    use checker::Verdict;

    use super::*;
    use crate::suite::{EMBEDDED, Embedded, Suite};

    /// What a run with two planned faults is told of them, when the nemesis ended them like this.
    fn faults(ends: [&str; 2]) -> Verdict {
        let suite = Suite::parse("smoke", EMBEDDED[0].text).expect("the embedded suite is valid");
        let mut plan = Plan::resolve(suite, 1);
        plan.faults.truncate(2);
        let event = |fault: usize, kind: &str, f: &str, more: &str| {
            format!(
                r#"{{"time":{fault},"process":"nemesis","type":"{kind}","f":"{f}","value":{{"fault":{fault},"kind":"kill"{more}}}}}"#
            ) + "\n"
        };
        let fault = |(fault, end)| {
            [
                ("invoke", "begin", ""),
                ("info", "begin", ""),
                ("invoke", "end", ""),
                ("info", "end", end),
            ]
            .map(|(kind, f, more)| event(fault, kind, f, more))
            .concat()
        };
        let lines: String = (1..).zip(ends).map(fault).collect();
        let history = History::parse(lines.as_bytes()).expect("a history");
        let findings = judge_run(&plan, &history, &Budget::default());
        findings.iter().find(|finding| finding.checker == "faults").expect("it sits").verdict
    }

    #[test]
    fn a_run_with_a_fault_that_left_no_evidence_is_unknown() {
        let bit = ",\"bit\":true";
        assert_eq!(faults([bit, bit]), Verdict::Valid);
        assert_eq!(faults([bit, ",\"bit\":false"]), Verdict::Unknown);
        assert_eq!(faults(["", bit]), Verdict::Unknown);
    }

    #[test]
    fn a_run_that_nobody_saw_at_rest_is_unknown() {
        let suite = Suite::parse("smoke", EMBEDDED[0].text).expect("the embedded suite is valid");
        let history = History::parse(&b""[..]).expect("an empty history");
        let findings = judge_run(&Plan::resolve(suite, 1), &history, &Budget::default());
        let of = |name| findings.iter().find(|f| f.checker == name).map(|f| f.verdict);
        assert_eq!(of("quiescence"), Some(Verdict::Unknown));
        assert_eq!(of("faults"), Some(Verdict::Unknown));
        assert_eq!(of("reaping"), None, "nobody asked for it");
    }

    #[test]
    fn a_run_that_asks_for_reaping_and_saw_none_is_unknown() {
        let text = Embedded::named("tombstones").expect("it is embedded").text;
        let suite = Suite::parse("tombstones", text).expect("the embedded suite is valid");
        let plan = Plan::resolve(suite, 1);
        let reaping = |lines: &str| {
            let history = History::parse(lines.as_bytes()).expect("a history");
            let findings = judge_run(&plan, &history, &Budget::default());
            findings.iter().find(|finding| finding.checker == "reaping").expect("it sits").verdict
        };
        let reaped = |count: u64| {
            format!(
                "{{\"time\":1,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"reaped\",\
                 \"value\":{{\"tombstones\":{{\"n1\":{count}}}}}}}\n"
            )
        };
        assert_eq!(reaping(""), Verdict::Unknown);
        assert_eq!(reaping(&reaped(0)), Verdict::Unknown);
        assert_eq!(reaping(&reaped(3)), Verdict::Valid);
    }
}
