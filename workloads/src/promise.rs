//! The promises a workload can be held to, by the names of the checkers that judge them.

use checker::{
    Activity, Availability, Budget, Checker, Convergence, Linearizability, LostWrites,
    Resurrection, StaleReads,
};
use serde::{Deserialize, Serialize};

/// A promise of a store to its clients; in YAML by the name of its checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// Every operation takes effect at one moment between its invocation and its completion.
    #[serde(alias = "linearizable")]
    Linearizability,
    /// A read shows what was acknowledged before it began, or something newer.
    StaleReads,
    /// What was acknowledged is there at the end, or was replaced by what came after it.
    LostWrites,
    /// What was deleted stays away.
    Resurrection,
    /// Replicas that were left in peace hold the same.
    Convergence,
    /// During a cut the side with a majority of a key's replicas answers, and no other.
    MajorityAvailability,
    /// During a cut every side answers.
    TotalAvailability,
}

/// What the keys of a workload hold; a promise may mean something else for each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Datatype {
    Register,
    Siblings,
    Set,
}

/// The judges of `promises` over the keys of `keyspace`, each of which has `replicas` copies and is
/// searched within `budget`. Before them stands the one that asks whether there was anything to judge.
pub(crate) fn panel(
    promises: &[Promise],
    datatype: Datatype,
    keyspace: &str,
    replicas: usize,
    budget: &Budget,
) -> Vec<Box<dyn Checker>> {
    let activity: Box<dyn Checker> = Box::new(Activity::new(keyspace));
    let judges = promises.iter().map(|promise| promise.judge(datatype, keyspace, replicas, budget));
    std::iter::once(activity).chain(judges).collect()
}

impl Promise {
    /// What any workload can be held to, whatever its keys hold.
    pub(crate) const OF_ANY: [Promise; 2] =
        [Promise::MajorityAvailability, Promise::TotalAvailability];

    /// Its name in YAML.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Promise::Linearizability => "linearizability",
            Promise::StaleReads => "stale-reads",
            Promise::LostWrites => "lost-writes",
            Promise::Resurrection => "resurrection",
            Promise::Convergence => "convergence",
            Promise::MajorityAvailability => "majority-availability",
            Promise::TotalAvailability => "total-availability",
        }
    }

    fn judge(
        self,
        datatype: Datatype,
        keyspace: &str,
        replicas: usize,
        budget: &Budget,
    ) -> Box<dyn Checker> {
        let searched = |judge: Linearizability| Box::new(judge.within(budget.clone()));
        match (self, datatype) {
            // No workload of siblings takes this promise; as registers they are of unknown shape.
            (Promise::Linearizability, Datatype::Register | Datatype::Siblings) => {
                searched(Linearizability::register(keyspace))
            }
            (Promise::Linearizability, Datatype::Set) => searched(Linearizability::set(keyspace)),
            (Promise::StaleReads, _) => Box::new(StaleReads::new(keyspace)),
            (Promise::LostWrites, _) => Box::new(LostWrites::new(keyspace).with_replicas(replicas)),
            (Promise::Resurrection, _) => {
                Box::new(Resurrection::new(keyspace).with_replicas(replicas))
            }
            (Promise::Convergence, _) => {
                Box::new(Convergence::new(keyspace).with_replicas(replicas))
            }
            (Promise::MajorityAvailability, _) => {
                Box::new(Availability::majority(keyspace).with_replicas(replicas))
            }
            (Promise::TotalAvailability, _) => {
                Box::new(Availability::total(keyspace).with_replicas(replicas))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_known_by_the_name_of_its_checker() {
        let promises = [
            Promise::Linearizability,
            Promise::StaleReads,
            Promise::LostWrites,
            Promise::Resurrection,
            Promise::Convergence,
            Promise::MajorityAvailability,
            Promise::TotalAvailability,
        ];
        let written = promises.map(|promise| serde_yaml::to_string(&promise).unwrap());
        for datatype in [Datatype::Register, Datatype::Siblings, Datatype::Set] {
            let panel = panel(&promises, datatype, "k", 3, &Budget::default());
            let names: Vec<_> = panel.iter().map(|judge| judge.name()).collect();
            let written: Vec<_> = written.iter().map(|name| name.trim()).collect();
            assert_eq!(names[0], "activity");
            assert_eq!(names[1..], written);
            assert_eq!(promises.map(Promise::name)[..], written);
        }
    }
}
