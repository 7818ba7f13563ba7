//! From a recorded history to findings: which checkers judge a run, and their verdict.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result};
use checker::{Checker, Finding, History};

use crate::plan::Plan;

/// Reads a history from a file of JSON lines.
pub fn read_history(path: &Path) -> Result<History> {
    let file = File::open(path).with_context(|| format!("failed to open {}", path.display()))?;
    History::parse(BufReader::new(file))
        .with_context(|| format!("failed to read {} as a history", path.display()))
}

/// Judges the history of a run by what its plan promised.
pub fn judge_run(plan: &Plan, history: &History) -> Vec<Finding> {
    let mut checkers: Vec<Box<dyn Checker>> = Vec::new();
    for load in &plan.suite.workloads {
        let keyspace = load.workload.keyspace();
        let replicas = plan.suite.cluster.keyspaces.get(keyspace).map_or(1, |keyspace| keyspace.n);
        checkers.extend(load.workload.build().checkers(replicas));
    }
    checkers.push(Box::new(checker::Faults::new().at_least(plan.faults.len())));
    checkers.push(Box::new(checker::Crashes));
    checker::check_all(history, &checkers)
}

/// Judges any history by the checkers that its own operations call for.
pub fn judge_file(history: &History) -> Vec<Finding> {
    checker::check_all(history, &checker::for_history(history))
}
