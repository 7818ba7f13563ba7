//! Every choice of a run, before any process starts.
//!
//! A plan is a suite and a seed, and what follows from both: who sits where, and which fault strikes
//! whom, when, for how long. It is written to `plan.yaml` first of all; a run is made again from that
//! file alone. What clients will ask is not listed, but fixed too: generators draw from named
//! streams of the same seed.

mod validate;

use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::schedule::{self, PlannedFault};
use crate::seed::Seed;
use crate::suite::{Placement, Suite, SuiteError, without_mark};

/// Every choice of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// From which all that is random follows.
    pub seed: u64,
    /// What was asked for.
    pub suite: Suite,
    /// Who sits where, in the order of their numbers.
    pub clients: Vec<PlannedClient>,
    /// What strikes whom, by begin.
    #[serde(with = "serde_yaml::with::singleton_map_recursive")]
    pub faults: Vec<PlannedFault>,
}

/// One client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedClient {
    /// Its number within the run, from zero.
    pub client: u32,
    /// Index into the suite's workloads.
    pub workload: usize,
    /// The node it sits with; those after it are where it turns when that one does not answer.
    pub nodes: Vec<String>,
}

impl Plan {
    /// What follows from `suite` and `seed`.
    pub fn resolve(suite: Suite, seed: u64) -> Plan {
        let clients = clients(&suite, Seed(seed));
        let faults = schedule::draw(&suite, Seed(seed));
        Plan { seed, suite, clients, faults }
    }

    /// Reads and validates `text`; `name` is what errors call the file.
    pub fn parse(name: &str, text: &str) -> Result<Plan, SuiteError> {
        let text = without_mark(text);
        let plan: Plan =
            serde_yaml::from_str(text).map_err(|error| SuiteError::syntax(name, text, &error))?;
        validate::validate(&plan).map_err(|mistake| SuiteError::meaning(name, text, mistake))?;
        Ok(plan)
    }

    /// From the start of the run to the end of the clients' work.
    pub fn working_time(&self) -> Duration {
        let phases = &self.suite.phases;
        phases.warm_up + phases.faults + phases.recovery
    }

    /// The plan in one line for people: what will be done to how many nodes.
    pub fn headline(&self) -> String {
        let mut kinds = std::collections::BTreeMap::<&str, usize>::new();
        for fault in &self.faults {
            *kinds.entry(fault.act.kind()).or_default() += 1;
        }
        let faults = match kinds.len() {
            0 => "no faults".to_owned(),
            _ => kinds
                .iter()
                .map(|(kind, count)| {
                    format!("{count} {kind}{}", if *count == 1 { "" } else { "s" })
                })
                .collect::<Vec<_>>()
                .join(", "),
        };
        let nodes = self.suite.cluster.nodes;
        format!(
            "{nodes} nodes, {} clients, {:?} of work, {faults}",
            self.clients.len(),
            self.working_time()
        )
    }
}

/// Seats every client of every workload.
fn clients(suite: &Suite, seed: Seed) -> Vec<PlannedClient> {
    let names = suite.node_names();
    let mut rng = seed.stream("placement");
    let mut seated = Vec::new();
    for (workload, load) in suite.workloads.iter().enumerate() {
        for number in 0..load.clients {
            let nodes = match &load.placement {
                Placement::Any => shuffled(&names, &mut rng),
                Placement::PerNode => vec![names[number as usize % names.len()].clone()],
                Placement::Nodes(nodes) => vec![nodes[number as usize % nodes.len()].clone()],
            };
            seated.push(PlannedClient { client: seated.len() as u32, workload, nodes });
        }
    }
    seated
}

/// `items` in an order drawn from `rng`.
pub(crate) fn shuffled(items: &[String], rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut items = items.to_vec();
    items.shuffle(rng);
    items
}

/// Between half and one and a half times `mean`.
pub(crate) fn around(mean: Duration, rng: &mut ChaCha8Rng) -> Duration {
    let micros = mean.as_micros() as u64;
    Duration::from_micros(rng.random_range(micros / 2..=micros + micros / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{EMBEDDED, FaultSpec, Suite};

    fn smoke() -> Suite {
        Suite::parse("smoke", EMBEDDED[0].text).expect("the embedded suite is valid")
    }

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        assert_eq!(Plan::resolve(smoke(), 7), Plan::resolve(smoke(), 7));
        assert_ne!(Plan::resolve(smoke(), 7).faults, Plan::resolve(smoke(), 8).faults);
    }

    #[test]
    fn a_plan_is_read_back_from_its_file() {
        let plan = Plan::resolve(smoke(), 42);
        let text = serde_yaml::to_string(&plan).expect("a plan is plain data");
        assert_eq!(serde_yaml::from_str::<Plan>(&text).expect("what was written is read"), plan);
    }

    #[test]
    fn clients_that_sit_with_every_node_are_spread_evenly() {
        let mut suite = smoke();
        suite.workloads[0].placement = Placement::PerNode;
        let plan = Plan::resolve(suite, 1);
        let load = plan.suite.workloads[0].clients as usize;
        for node in plan.suite.node_names() {
            let seated = plan
                .clients
                .iter()
                .filter(|c| c.workload == 0 && c.nodes == [node.as_str()])
                .count();
            assert!(seated >= load / 5 && seated <= load.div_ceil(5), "{node}: {seated} of {load}");
        }
    }

    #[test]
    fn adding_a_fault_does_not_move_the_others() {
        let mut more = smoke();
        let extra = more.faults[0].clone();
        more.faults.push(extra);
        let before = Plan::resolve(smoke(), 9).faults;
        let after = Plan::resolve(more, 9).faults;
        let partitions = |faults: &[PlannedFault]| {
            faults.iter().filter(|f| f.spec == 0).map(|f| (f.at, f.act.clone())).collect::<Vec<_>>()
        };
        assert_eq!(partitions(&before), partitions(&after));
    }

    #[test]
    fn wipes_are_drawn_move_no_other_fault_and_share_no_node_with_one() {
        let mut more = smoke();
        let FaultSpec::Kill(spec) = more.faults[1].clone() else { panic!("{:?}", more.faults) };
        more.faults.push(FaultSpec::Wipe(spec));
        for seed in 0..50 {
            let plan = Plan::resolve(more.clone(), seed);
            assert_eq!(plan, Plan::resolve(more.clone(), seed));
            let (wipes, rest): (Vec<&PlannedFault>, Vec<&PlannedFault>) =
                plan.faults.iter().partition(|fault| fault.act.kind() == "wipe");
            let place = |fault: &PlannedFault| (fault.at, fault.lasting, fault.act.clone());
            let before: Vec<_> = Plan::resolve(smoke(), seed).faults.iter().map(place).collect();
            assert_eq!(rest.iter().copied().map(place).collect::<Vec<_>>(), before);
            assert!(!wipes.is_empty(), "seed {seed} draws no wipe");
            let same = |a: &PlannedFault, b: &PlannedFault| {
                a.act.process() == b.act.process() && a.at < b.end() && b.at < a.end()
            };
            let shared = |wipe: &&PlannedFault| rest.iter().any(|other| same(wipe, other));
            assert!(!wipes.iter().any(shared), "seed {seed}: {wipes:?} share a node");
            let text = serde_yaml::to_string(&plan).expect("a plan is plain data");
            assert_eq!(Plan::parse("plan.yaml", &text).expect("no mistake"), plan);
        }
    }
}
