//! What a suite may ask for, beyond its types.

use std::collections::BTreeSet;
use std::time::Duration;

use super::locate::Step;
use super::{FaultSpec, PartitionSpec, Placement, ProcessFaultSpec, Shape, Suite};
use crate::fabric::NODES_MAX;

/// More clients than this are more connections than a machine gives a process.
const CLIENTS_MAX: u32 = 10_000;
/// No part of a run is longer; what is longer is a slip of the pen.
const DURATION_MAX: Duration = Duration::from_hours(7 * 24);
/// Tombstones are reaped no more often: a round asks every node.
const REAP_MIN: Duration = Duration::from_millis(10);
/// No fault is shorter: what is done and undone within less does not bite.
const FAULT_MIN: Duration = Duration::from_millis(1);
/// Operations a second of a whole workload; with fewer there is nothing to judge.
const RATE_MIN: f64 = 0.001;

/// Something a suite asks for that cannot be.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) path: Vec<Step>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Mistake {
    pub(crate) fn at(path: &[Step], message: impl Into<String>) -> Mistake {
        Mistake { path: path.to_vec(), message: message.into(), help: None }
    }

    /// The same mistake in a document that holds this one under `key`.
    pub(crate) fn below(mut self, key: &str) -> Mistake {
        self.path.insert(0, key.into());
        self
    }

    /// The same mistake, shown no deeper than `path`.
    pub(crate) fn up_to(mut self, path: &[Step]) -> Mistake {
        self.path.truncate(path.len());
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }
}

macro_rules! steps {
    ($($step:expr),*) => { &[$($crate::suite::Step::from($step)),*] };
}
pub(crate) use steps;

/// Refuses the first mistake found, in the order of the file.
pub(crate) fn validate(suite: &Suite) -> Result<(), Mistake> {
    name(&suite.suite)?;
    cluster(suite)?;
    workloads(suite)?;
    phases(suite)?;
    faults(suite)
}

/// The name becomes a directory.
fn name(name: &str) -> Result<(), Mistake> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        let message = format!("`{name}` cannot name a run directory");
        return Err(Mistake::at(steps!["suite"], message).help("use letters, digits, `-` and `_`"));
    }
    Ok(())
}

fn cluster(suite: &Suite) -> Result<(), Mistake> {
    let cluster = &suite.cluster;
    if cluster.nodes == 0 || cluster.nodes > NODES_MAX {
        let message = format!("a cluster has 1 to {NODES_MAX} nodes, not {}", cluster.nodes);
        return Err(Mistake::at(steps!["cluster", "nodes"], message));
    }
    if cluster.timeout.is_zero() {
        return Err(Mistake::at(steps!["cluster", "timeout"], "must be longer than nothing"));
    }
    if let Some(every) = cluster.reap_every
        && (every < REAP_MIN || every > DURATION_MAX)
    {
        let message = format!("is {REAP_MIN:?} to {DURATION_MAX:?}, not {every:?}");
        return Err(Mistake::at(steps!["cluster", "reap-every"], message));
    }
    for (name, keyspace) in &cluster.keyspaces {
        let at = |field: &str| {
            vec!["cluster".into(), "keyspaces".into(), name.as_str().into(), field.into()]
        };
        if name.is_empty() || name.contains(':') {
            let message =
                format!("a keyspace's name is a prefix of keys, without `:`, not `{name}`");
            return Err(Mistake::at(steps!["cluster", "keyspaces"], message));
        }
        if keyspace.n == 0 || keyspace.n > cluster.nodes {
            let message =
                format!("n is 1 to the number of nodes ({}), not {}", cluster.nodes, keyspace.n);
            return Err(Mistake::at(&at("n"), message));
        }
        for (field, value) in [("r", keyspace.r), ("w", keyspace.w)] {
            if value == 0 || value > keyspace.n {
                let message = format!("{field} is 1 to n ({}), not {value}", keyspace.n);
                return Err(Mistake::at(&at(field), message));
            }
        }
        if let Some((field, why)) = keyspace.contradictions().into_iter().next() {
            return Err(Mistake::at(&at(field), why));
        }
    }
    Ok(())
}

fn workloads(suite: &Suite) -> Result<(), Mistake> {
    if suite.workloads.is_empty() {
        return Err(Mistake::at(
            steps!["workloads"],
            "without a workload there is nothing to judge",
        ));
    }
    let mut taken = BTreeSet::new();
    for (index, load) in suite.workloads.iter().enumerate() {
        let spec = &load.workload;
        let keyspace = spec.keyspace();
        let name = spec.build().name();
        let at = steps!["workloads", index, "workload", name];
        if !suite.cluster.keyspaces.contains_key(keyspace) {
            let known = listed(suite.cluster.keyspaces.keys());
            return Err(Mistake::at(
                at,
                format!("keyspace `{keyspace}` is not in cluster.keyspaces"),
            )
            .help(format!("there are: {known}")));
        }
        if !taken.insert(keyspace) {
            let message = format!("keyspace `{keyspace}` already has a workload");
            return Err(Mistake::at(at, message).help("give each workload a keyspace of its own"));
        }
        spec.validate().map_err(|error| Mistake::at(at, error.to_string()))?;
        if load.clients == 0 || load.clients > CLIENTS_MAX {
            let message = format!("needs 1 to {CLIENTS_MAX} clients, not {}", load.clients);
            return Err(Mistake::at(steps!["workloads", index, "clients"], message));
        }
        if load.timeout.is_zero() {
            let message = "must be longer than nothing";
            return Err(Mistake::at(steps!["workloads", index, "timeout"], message));
        }
        if let Some(rate) = load.rate
            && !(rate.is_finite() && rate >= RATE_MIN)
        {
            let message = format!("is in operations a second, at least {RATE_MIN}, not {rate}");
            return Err(Mistake::at(steps!["workloads", index, "rate"], message));
        }
        if let Placement::Nodes(nodes) = &load.placement {
            let at = steps!["workloads", index, "placement", "nodes"];
            if nodes.is_empty() {
                return Err(Mistake::at(at, "names no node"));
            }
            known_nodes(suite, nodes, at)?;
        }
    }
    Ok(())
}

fn phases(suite: &Suite) -> Result<(), Mistake> {
    let phases = &suite.phases;
    for (name, lasting) in [
        ("warm-up", phases.warm_up),
        ("faults", phases.faults),
        ("recovery", phases.recovery),
        ("quiesce", phases.quiesce),
    ] {
        if lasting > DURATION_MAX {
            let message = format!("is longer than any run ({DURATION_MAX:?})");
            return Err(Mistake::at(steps!["phases", name], message));
        }
    }
    if phases.faults.is_zero() && !suite.faults.is_empty() {
        return Err(Mistake::at(steps!["phases", "faults"], "is empty, but there are faults"));
    }
    if (phases.warm_up + phases.faults + phases.recovery).is_zero() {
        return Err(Mistake::at(steps!["phases"], "clients have no time to work"));
    }
    if phases.quiesce.is_zero() {
        let message = "replicas need some time to agree before they are read";
        return Err(Mistake::at(steps!["phases", "quiesce"], message));
    }
    Ok(())
}

fn faults(suite: &Suite) -> Result<(), Mistake> {
    for (index, fault) in suite.faults.iter().enumerate() {
        match fault {
            FaultSpec::Partition(spec) => partition(suite, index, spec)?,
            FaultSpec::Kill(spec) => process(suite, index, "kill", spec)?,
            FaultSpec::Pause(spec) => process(suite, index, "pause", spec)?,
            FaultSpec::Wipe(spec) => wipe(suite, index, spec)?,
        }
    }
    Ok(())
}

fn partition(suite: &Suite, index: usize, spec: &PartitionSpec) -> Result<(), Mistake> {
    let at = steps!["faults", index, "partition"];
    if suite.cluster.nodes < 2 {
        return Err(Mistake::at(at, "one node alone cannot be cut off"));
    }
    match (spec.shapes.is_empty(), spec.groups.is_empty()) {
        (true, true) => {
            return Err(Mistake::at(at, "says neither which shapes to draw from, nor which groups")
                .help("shapes: [halves, isolate, one-way, bridge, majority-ring], or groups: [[n1], [n2, n3]]"));
        }
        (false, false) => return Err(Mistake::at(at, "takes shapes or groups, not both")),
        _ => {}
    }
    let three = |shape: &Shape| matches!(shape, Shape::Bridge | Shape::MajorityRing);
    if suite.cluster.nodes < 3
        && let Some(number) = spec.shapes.iter().position(three)
    {
        let at = steps!["faults", index, "partition", "shapes", number];
        return Err(Mistake::at(at, "cuts nothing among fewer than three nodes"));
    }
    if spec.groups.len() == 1 {
        let at = steps!["faults", index, "partition", "groups"];
        return Err(Mistake::at(at, "one group alone is no cut; name at least two"));
    }
    let mut seen = BTreeSet::new();
    for (number, group) in spec.groups.iter().enumerate() {
        let at = steps!["faults", index, "partition", "groups", number];
        if group.is_empty() {
            return Err(Mistake::at(at, "names no node"));
        }
        known_nodes(suite, group, at)?;
        if let Some(twice) = group.iter().find(|node| !seen.insert(node.as_str())) {
            return Err(Mistake::at(at, format!("node `{twice}` stands in the groups twice")));
        }
    }
    pace(suite, index, "partition", spec.every, spec.lasting)
}

fn process(
    suite: &Suite,
    index: usize,
    kind: &'static str,
    spec: &ProcessFaultSpec,
) -> Result<(), Mistake> {
    known_nodes(suite, &spec.nodes, steps!["faults", index, kind, "nodes"])?;
    pace(suite, index, kind, spec.every, spec.lasting)
}

/// What a wiped node held must be somewhere else too.
fn wipe(suite: &Suite, index: usize, spec: &ProcessFaultSpec) -> Result<(), Mistake> {
    if suite.cluster.nodes < 2 {
        let message = "one node alone has nobody to get back from what its disk held";
        return Err(Mistake::at(steps!["faults", index, "wipe"], message));
    }
    process(suite, index, "wipe", spec)
}

/// A fault that cannot come and go within its phase would never be applied.
fn pace(
    suite: &Suite,
    index: usize,
    kind: &'static str,
    every: Duration,
    lasting: Duration,
) -> Result<(), Mistake> {
    if lasting < FAULT_MIN {
        let message = format!("is too short to bite: at least {FAULT_MIN:?}");
        return Err(Mistake::at(steps!["faults", index, kind, "lasting"], message));
    }
    for (name, duration) in [("every", every), ("lasting", lasting)] {
        if duration > DURATION_MAX {
            let message = format!("is longer than any run ({DURATION_MAX:?})");
            return Err(Mistake::at(steps!["faults", index, kind, name], message));
        }
    }
    // A fault may come and last up to half as long again as its mean.
    let room = (every + lasting).mul_f64(1.5);
    if room > suite.phases.faults {
        let message = format!(
            "every + lasting, half as long again, is {room:?}: longer than the faults phase ({:?})",
            suite.phases.faults
        );
        return Err(Mistake::at(steps!["faults", index, kind], message)
            .help("make phases.faults longer, or the fault shorter"));
    }
    Ok(())
}

/// Refuses the first of `nodes` that the cluster does not have.
pub(crate) fn known_nodes(suite: &Suite, nodes: &[String], at: &[Step]) -> Result<(), Mistake> {
    let known = suite.node_names();
    for (index, node) in nodes.iter().enumerate() {
        if !known.contains(node) {
            let mut path = at.to_vec();
            path.push(index.into());
            let message = format!("there is no node `{node}`");
            return Err(Mistake::at(&path, message)
                .help(format!("the cluster's nodes are {}", listed(known.iter()))));
        }
    }
    Ok(())
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}
