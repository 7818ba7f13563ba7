//! The run in numbers: what `summary.json` holds, and what every report draws on.
//!
//! Computed from the history, the findings and what the harness alone knows ([`RunInfo`]), by a
//! pure function: the same directory gives the same numbers, whenever it is asked.
//!
//! The verdict is the worst of the findings, as the checker composes them: not decided here.

use std::collections::BTreeMap;

use checker::{FaultWindow, Finding, Function, History, Operation, Outcome, Verdict};
use serde::{Deserialize, Serialize};

use crate::quantiles::Quantiles;
use crate::run_info::RunInfo;
use crate::{windows, wording};

/// The run in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What the harness knows of it.
    pub run: RunInfo,
    /// The worst of the findings.
    pub verdict: Verdict,
    /// From the beginning of the run to its last event, in milliseconds.
    pub duration_ms: u64,
    /// How operations ended, over the whole run.
    pub operations: Counts,
    /// Operations that ended `ok`, by second of the whole run.
    pub ok_per_second: f64,
    /// Each phase, in order.
    pub phases: Vec<PhaseSummary>,
    /// Each workload and each of its functions, by name.
    pub workloads: BTreeMap<String, WorkloadSummary>,
    /// Latencies of everything that ended `ok`.
    pub latency_us: Option<Quantiles>,
    /// Each fault with its evidence.
    pub faults: Vec<FaultWindow>,
}

/// How operations ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// They happened.
    pub ok: u64,
    /// They did not, and never will.
    pub fail: u64,
    /// They may have, or may yet.
    pub info: u64,
}

/// One phase in numbers. An operation belongs to the phase it was invoked in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseSummary {
    /// Its name.
    pub name: String,
    /// When it began, in milliseconds since the run did.
    pub begin_ms: u64,
    /// When it ended, likewise.
    pub end_ms: u64,
    /// How its operations ended.
    pub operations: Counts,
    /// Operations that ended `ok`, by second.
    pub ok_per_second: f64,
}

/// One workload in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSummary {
    /// How its operations ended.
    pub operations: Counts,
    /// Each function it called, by name.
    pub functions: BTreeMap<String, FunctionSummary>,
}

/// One function of a workload in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionSummary {
    /// How its operations ended.
    pub operations: Counts,
    /// Latencies of those that ended `ok`.
    pub latency_us: Option<Quantiles>,
}

impl Counts {
    /// Counts one more.
    pub(crate) fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Ok(_) => self.ok += 1,
            Outcome::Fail => self.fail += 1,
            Outcome::Info => self.info += 1,
        }
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.ok + self.fail + self.info
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.ok += other.ok;
        self.fail += other.fail;
        self.info += other.info;
    }
}

impl Summary {
    /// The numbers of the run `info` tells of.
    pub fn new(info: &RunInfo, history: &History, findings: &[Finding]) -> Summary {
        let last = windows::last_moment(history);
        let operations = counts(history.operations());
        let mut latencies: Vec<u64> = history.operations().iter().filter_map(latency).collect();
        Summary {
            run: info.clone(),
            verdict: Verdict::worst(findings.iter().map(|finding| finding.verdict)),
            duration_ms: last / 1_000_000,
            operations,
            ok_per_second: per_second(operations.ok, last),
            phases: phases(history),
            workloads: workloads(history),
            latency_us: Quantiles::of(&mut latencies),
            faults: history.faults(),
        }
    }
}

/// How long an operation that ended `ok` took, in nanoseconds.
pub(crate) fn latency(operation: &Operation) -> Option<u64> {
    match (&operation.outcome, operation.ended) {
        (Outcome::Ok(_), Some(ended)) => Some(ended - operation.began),
        _ => None,
    }
}

fn counts<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Counts {
    let mut counts = Counts::default();
    operations.into_iter().for_each(|operation| counts.add(&operation.outcome));
    counts
}

/// To one decimal: more would claim to be measured.
fn per_second(count: u64, nanoseconds: u64) -> f64 {
    match nanoseconds {
        0 => 0.0,
        _ => (count as f64 * 1e10 / nanoseconds as f64).round() / 10.0,
    }
}

fn phases(history: &History) -> Vec<PhaseSummary> {
    let summary = |phase: windows::Phase| {
        let within = |operation: &&Operation| (phase.begin..phase.end).contains(&operation.began);
        let operations = counts(history.operations().iter().filter(within));
        PhaseSummary {
            begin_ms: phase.begin / 1_000_000,
            end_ms: phase.end / 1_000_000,
            operations,
            ok_per_second: per_second(operations.ok, phase.end - phase.begin),
            name: phase.name,
        }
    };
    windows::phases(history).into_iter().map(summary).collect()
}

fn workloads(history: &History) -> BTreeMap<String, WorkloadSummary> {
    let mut measured = BTreeMap::<(&str, &Function), (Counts, Vec<u64>)>::new();
    for operation in history.operations() {
        let of = (wording::workload(operation), &operation.f);
        let (counts, latencies) = measured.entry(of).or_default();
        counts.add(&operation.outcome);
        latencies.extend(latency(operation));
    }
    let mut workloads = BTreeMap::<String, WorkloadSummary>::new();
    for ((workload, function), (operations, mut latencies)) in measured {
        let latency_us = Quantiles::of(&mut latencies);
        let summary = workloads.entry(workload.to_owned()).or_default();
        summary.operations += operations;
        summary.functions.insert(function.to_string(), FunctionSummary { operations, latency_us });
    }
    workloads
}
