//! What happens when: the faults of a run, drawn from its seed.
//!
//! Each entry of the suite comes and goes on its own: a pause around `every`, a fault around
//! `lasting`, over and over until the phase is full; always ended before the phase ends, so that
//! every schedule ends healed. Each entry draws from a stream of its own, so that adding one does
//! not move the others.
//!
//! Two faults of processes never hold the same node at once (what would resuming a dead node
//! mean?); a partition may hold anybody. That no two disks are lost at once is not decided here: how
//! long a node takes to catch up is seen only when it does (see the `wipe` module).

use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;

use crate::grudge::Grudge;
use crate::plan::{around, shuffled};
use crate::seed::Seed;
use crate::suite::{FaultSpec, PartitionSpec, ProcessFaultSpec, Shape, Suite};

/// A fault with its place in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedFault {
    /// Its number within the run, from one, by begin.
    pub fault: u64,
    /// Index into the suite's faults.
    pub spec: usize,
    /// When it begins, since the start of the run.
    #[serde(with = "duration")]
    pub at: Duration,
    /// How long it lasts.
    #[serde(with = "duration")]
    pub lasting: Duration,
    /// What is done.
    pub act: Act,
}

/// What is done to the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Packets are dropped.
    Partition(Grudge),
    /// This node is killed, and started again at the end.
    Kill(String),
    /// This node is stopped, and continued at the end.
    Pause(String),
    /// This node is killed and its disk erased, and it is started again at the end.
    Wipe(String),
}

impl Act {
    /// The word for it in suites, histories and reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Act::Partition(_) => "partition",
            Act::Kill(_) => "kill",
            Act::Pause(_) => "pause",
            Act::Wipe(_) => "wipe",
        }
    }

    /// The node whose process it holds, if it holds one.
    pub(crate) fn process(&self) -> Option<&String> {
        match self {
            Act::Partition(_) => None,
            Act::Kill(node) | Act::Pause(node) | Act::Wipe(node) => Some(node),
        }
    }

    /// The nodes it concerns, in order.
    pub fn nodes(&self) -> Vec<String> {
        match self {
            Act::Partition(grudge) => grudge.nodes().into_iter().map(str::to_owned).collect(),
            Act::Kill(node) | Act::Pause(node) | Act::Wipe(node) => vec![node.clone()],
        }
    }
}

/// Whom it concerns, in a few words: `n1 n2 | n3 n4 n5`, or the node.
impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Act::Partition(grudge) => write!(f, "{grudge}"),
            Act::Kill(node) | Act::Pause(node) | Act::Wipe(node) => f.write_str(node),
        }
    }
}

impl PlannedFault {
    /// When it ends, since the start of the run.
    pub fn end(&self) -> Duration {
        self.at + self.lasting
    }
}

/// The faults of a run, by begin.
pub(crate) fn draw(suite: &Suite, seed: Seed) -> Vec<PlannedFault> {
    let mut faults: Vec<PlannedFault> = Vec::new();
    for (spec, fault) in suite.faults.iter().enumerate() {
        let mut rng = seed.stream(&format!("fault/{spec}"));
        for (at, lasting) in windows(suite, fault, &mut rng) {
            let act = match fault {
                FaultSpec::Partition(partition) => {
                    Some(Act::Partition(grudge(suite, partition, &mut rng)))
                }
                FaultSpec::Kill(process) => {
                    victim(suite, process, &faults, at, lasting, &mut rng).map(Act::Kill)
                }
                FaultSpec::Pause(process) => {
                    victim(suite, process, &faults, at, lasting, &mut rng).map(Act::Pause)
                }
                FaultSpec::Wipe(process) => {
                    victim(suite, process, &faults, at, lasting, &mut rng).map(Act::Wipe)
                }
            };
            faults.extend(act.map(|act| PlannedFault { fault: 0, spec, at, lasting, act }));
        }
    }
    faults.sort_by_key(|fault| (fault.at, fault.spec));
    for (fault, number) in faults.iter_mut().zip(1..) {
        fault.fault = number;
    }
    faults
}

/// When one entry of the suite comes, and for how long it stays.
fn windows(suite: &Suite, fault: &FaultSpec, rng: &mut ChaCha8Rng) -> Vec<(Duration, Duration)> {
    let (every, lasting) = match fault {
        FaultSpec::Partition(spec) => (spec.every, spec.lasting),
        FaultSpec::Kill(spec) | FaultSpec::Pause(spec) | FaultSpec::Wipe(spec) => {
            (spec.every, spec.lasting)
        }
    };
    let end = suite.phases.warm_up + suite.phases.faults;
    let mut windows = Vec::new();
    let mut now = suite.phases.warm_up;
    loop {
        let at = now + around(every, rng);
        let stays = around(lasting, rng);
        if at + stays > end {
            return windows;
        }
        windows.push((at, stays));
        now = at + stays;
    }
}

/// A node that no other fault of processes holds in that time, if there is one.
fn victim(
    suite: &Suite,
    spec: &ProcessFaultSpec,
    planned: &[PlannedFault],
    at: Duration,
    lasting: Duration,
    rng: &mut ChaCha8Rng,
) -> Option<String> {
    let candidates = if spec.nodes.is_empty() { suite.node_names() } else { spec.nodes.clone() };
    let held = |node: &String| {
        planned.iter().any(|other| {
            let overlaps = other.at < at + lasting && at < other.end();
            overlaps && other.act.process() == Some(node)
        })
    };
    shuffled(&candidates, rng).into_iter().find(|node| !held(node))
}

/// A cut of one of the shapes asked for.
fn grudge(suite: &Suite, spec: &PartitionSpec, rng: &mut ChaCha8Rng) -> Grudge {
    if !spec.groups.is_empty() {
        return Grudge::split(&spec.groups);
    }
    let shape = spec.shapes[rng.random_range(0..spec.shapes.len())];
    let nodes = shuffled(&suite.node_names(), rng);
    let (minority, majority) = nodes.split_at((nodes.len() - 1) / 2);
    match shape {
        Shape::Halves if minority.is_empty() => Grudge::isolate(&nodes[0], &nodes),
        Shape::Halves => Grudge::split(&[minority.to_vec(), majority.to_vec()]),
        Shape::Isolate => Grudge::isolate(&nodes[0], &nodes),
        Shape::OneWay => {
            let (from, to) = nodes.split_at(rng.random_range(1..nodes.len()));
            Grudge::one_way(from, to)
        }
        Shape::Bridge => Grudge::bridge(&nodes),
        Shape::MajorityRing => Grudge::majority_ring(&nodes),
    }
}
