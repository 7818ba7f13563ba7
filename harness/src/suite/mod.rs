//! What a user asks for: a cluster, what its clients do, and what is done to it meanwhile.
//!
//! A suite is a YAML file. It says nothing of chance: which node is cut off when is decided by the
//! [`Plan`](crate::plan::Plan) from a seed. Every mistake is refused with file, line, column and
//! what was expected; a key nobody reads is a mistake.
//!
//! ```yaml
//! suite: example
//! cluster:
//!   nodes: 3
//!   keyspaces:
//!     register: { policy: register, n: 3, r: 2, w: 2 }
//! workloads:
//!   - workload: { register: { keyspace: register } }
//!     clients: 6
//! phases: { warm-up: 1s, faults: 10s, recovery: 1s, quiesce: 20s }
//! faults:
//!   - partition: { shapes: [halves, one-way], every: 2s, lasting: 1s }
//!   - kill: { every: 3s, lasting: 1s }
//!   - wipe: { every: 4s, lasting: 1s }
//! ```

mod diagnose;
mod embedded;
mod locate;
mod validate;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_yaml::with::{singleton_map, singleton_map_recursive};
use workloads::WorkloadSpec;

pub use diagnose::SuiteError;
pub use embedded::{EMBEDDED, Embedded};
pub(crate) use locate::Step;
pub(crate) use validate::{Mistake, known_nodes, steps, validate};

use jiff::fmt::serde::unsigned_duration::friendly::compact::optional as maybe_duration;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;

/// What a user asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Suite {
    /// Its name, which names the run directory too.
    pub suite: String,
    /// What it shows, in a sentence or two.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The nodes, and what they promise.
    pub cluster: ClusterSpec,
    /// What clients do.
    #[serde(with = "singleton_map_recursive")]
    pub workloads: Vec<Load>,
    /// How long each part of the run takes.
    pub phases: Phases,
    /// What is done to the cluster meanwhile.
    #[serde(default, with = "singleton_map_recursive")]
    pub faults: Vec<FaultSpec>,
}

/// The nodes, and what they promise. They are called `n1`, `n2`, ….
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClusterSpec {
    /// How many nodes.
    pub nodes: usize,
    /// When a write counts as durable: `always`, or an interval such as `100ms`.
    #[serde(default)]
    pub sync: store::Sync,
    /// How long a node tries to reach a quorum before it says that it could not.
    #[serde(default = "half_a_second", with = "duration")]
    pub timeout: Duration,
    /// How often nodes reap tombstones that every replica has; a run that says so must show some that
    /// were. Absent: as seldom as nodes do of themselves, and nothing is asked of it.
    #[serde(default, with = "maybe_duration", skip_serializing_if = "Option::is_none")]
    pub reap_every: Option<Duration>,
    /// Keyspaces by name: the prefix of a key before its first `:`.
    pub keyspaces: BTreeMap<String, store::Keyspace>,
}

/// What a group of clients does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Load {
    /// Which operations, on which keyspace.
    pub workload: WorkloadSpec,
    /// How many clients; each has one operation in flight.
    pub clients: u32,
    /// Which nodes they sit with.
    #[serde(default, with = "singleton_map")]
    pub placement: Placement,
    /// Operations a second, of all these clients together; absent: as fast as they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How long a client waits for a reply before its operation counts as `info`.
    #[serde(default = "one_second", with = "duration")]
    pub timeout: Duration,
}

/// Which nodes clients sit with. A client speaks to one node; traffic between clients and nodes is
/// never cut.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Each client sits with a node drawn by the seed, and moves on when it does not answer.
    #[default]
    Any,
    /// Clients are spread evenly, and stay with their node.
    PerNode,
    /// Clients are spread evenly over these nodes: one side of a cut.
    Nodes(Vec<String>),
}

/// How long each part of the run takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Phases {
    /// Clients work, nothing is broken.
    #[serde(with = "duration")]
    pub warm_up: Duration,
    /// Clients work, faults come and go; at its end all is healed.
    #[serde(with = "duration")]
    pub faults: Duration,
    /// Clients go on working on the healed cluster.
    #[serde(with = "duration")]
    pub recovery: Duration,
    /// Clients are still; replicas have at most this long to agree.
    #[serde(with = "duration")]
    pub quiesce: Duration,
}

/// One kind of fault, coming and going at random through the faults phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultSpec {
    /// Packets between some nodes are dropped.
    Partition(PartitionSpec),
    /// A node is killed (SIGKILL), and started again.
    Kill(ProcessFaultSpec),
    /// A node is stopped (SIGSTOP), and continued.
    Pause(ProcessFaultSpec),
    /// A node is killed (SIGKILL), loses all it had on disk, and is started again on an empty one;
    /// never a second one before the first has caught up.
    Wipe(ProcessFaultSpec),
}

/// Partitions that come and go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PartitionSpec {
    /// The shapes to draw from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<Shape>,
    /// Or always this cut: groups of nodes that no longer hear each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<String>>,
    /// Mean time between the end of one and the begin of the next.
    #[serde(with = "duration")]
    pub every: Duration,
    /// Mean time one lasts.
    #[serde(with = "duration")]
    pub lasting: Duration,
}

/// Shapes of a partition; which nodes stand where is drawn by the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A majority and a minority that do not hear each other.
    Halves,
    /// One node alone.
    Isolate,
    /// Two groups; one hears the other, but not the other way round.
    OneWay,
    /// Two groups that do not hear each other, and one node that hears and is heard by all.
    Bridge,
    /// Every node hears a majority, no two the same one.
    MajorityRing,
}

/// A fault of single processes that comes and goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessFaultSpec {
    /// Only these nodes; absent: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Mean time between the end of one and the begin of the next.
    #[serde(with = "duration")]
    pub every: Duration,
    /// Mean time a node stays away.
    #[serde(with = "duration")]
    pub lasting: Duration,
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

fn half_a_second() -> Duration {
    Duration::from_millis(500)
}

/// `text` without the byte order mark that some editors put before it.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

impl Suite {
    /// Reads and validates `text`; `name` is what errors call the file.
    pub fn parse(name: &str, text: &str) -> Result<Suite, SuiteError> {
        let text = without_mark(text);
        let suite: Suite =
            serde_yaml::from_str(text).map_err(|error| SuiteError::syntax(name, text, &error))?;
        validate(&suite).map_err(|mistake| SuiteError::meaning(name, text, mistake))?;
        Ok(suite)
    }

    /// The names of its nodes, in order.
    pub fn node_names(&self) -> Vec<String> {
        (1..=self.cluster.nodes).map(|number| format!("n{number}")).collect()
    }
}

#[cfg(test)]
mod tests;
