//! A workload as it stands in a suite: its name, and what was chosen of it.
//!
//! ```yaml
//! workloads:
//!   - register: { keys: 8, ops-per-key: 200 }
//!   - set: { keyspace: carts, checkers: [lost-writes] }
//! ```
//!
//! The map of a single entry is how `serde_yaml::with::singleton_map_recursive` reads this enum.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::mv_register::{MvRegister, MvRegisterOptions};
use crate::options::OptionsError;
use crate::register::{Register, RegisterOptions};
use crate::set::{Set, SetOptions};
use crate::workload::Workload;

/// A workload, and what was chosen of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadSpec {
    /// Registers that are read and overwritten.
    Register(RegisterOptions),
    /// Multi-value registers that are overwritten with what was read, deleted and made anew.
    MvRegister(MvRegisterOptions),
    /// Sets that grow by read, merge and write-back.
    Set(SetOptions),
}

impl WorkloadSpec {
    /// Refuses options that make no sense.
    pub fn validate(&self) -> Result<(), OptionsError> {
        match self {
            WorkloadSpec::Register(options) => options.validate(),
            WorkloadSpec::MvRegister(options) => options.validate(),
            WorkloadSpec::Set(options) => options.validate(),
        }
    }

    /// The workload. *Requires* that [`WorkloadSpec::validate`] refused nothing.
    pub fn build(&self) -> Arc<dyn Workload> {
        match self.clone() {
            WorkloadSpec::Register(options) => Arc::new(Register(options)),
            WorkloadSpec::MvRegister(options) => Arc::new(MvRegister(options)),
            WorkloadSpec::Set(options) => Arc::new(Set(options)),
        }
    }

    /// The prefix of its keys.
    pub fn keyspace(&self) -> &str {
        match self {
            WorkloadSpec::Register(options) => &options.keyspace,
            WorkloadSpec::MvRegister(options) => &options.keyspace,
            WorkloadSpec::Set(options) => &options.keyspace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promise::Promise;

    #[derive(Debug, Deserialize)]
    struct Suite {
        #[serde(with = "serde_yaml::with::singleton_map_recursive")]
        workloads: Vec<WorkloadSpec>,
    }

    fn parse(yaml: &str) -> Result<Vec<WorkloadSpec>, String> {
        let suite: Result<Suite, _> = serde_yaml::from_str(yaml);
        suite.map(|suite| suite.workloads).map_err(|error| error.to_string())
    }

    fn refusal(yaml: &str) -> String {
        parse(yaml).and_then(|specs| specs[0].validate().map_err(|e| e.to_string())).unwrap_err()
    }

    #[test]
    fn what_is_not_chosen_has_its_default() {
        let specs = parse("workloads:\n  - register: {}\n  - set: { keys: 2, read-ratio: 0.1 }\n");
        let set = SetOptions { keys: 2, read_ratio: 0.1, ..SetOptions::default() };
        let register = RegisterOptions::default();
        assert_eq!(specs, Ok(vec![WorkloadSpec::Register(register), WorkloadSpec::Set(set)]));
    }

    #[test]
    fn defaults_are_allowed() {
        assert_eq!(WorkloadSpec::Register(RegisterOptions::default()).validate(), Ok(()));
        assert_eq!(WorkloadSpec::Set(SetOptions::default()).validate(), Ok(()));
        assert_eq!(WorkloadSpec::MvRegister(MvRegisterOptions::default()).validate(), Ok(()));
    }

    #[test]
    fn a_register_is_held_to_resurrection_where_it_is_deleted() {
        for options in ["delete-ratio: 0.1", "lives: 2"] {
            let yaml =
                format!("workloads:\n  - register: {{ {options}, checkers: [resurrection] }}\n");
            assert_eq!(parse(&yaml).unwrap()[0].validate(), Ok(()), "{options}");
        }
    }

    #[test]
    fn checkers_are_chosen_by_name() {
        let yaml = "workloads:\n  - register: { checkers: [stale-reads, linearizable] }\n";
        let specs = parse(yaml).unwrap();
        let WorkloadSpec::Register(options) = &specs[0] else { panic!("{specs:?}") };
        assert_eq!(options.checkers, [Promise::StaleReads, Promise::Linearizability]);
    }

    #[test]
    fn an_unknown_checker_is_refused_with_those_known_and_where_it_stands() {
        let refused = refusal("workloads:\n  - register:\n      checkers: [lineariseable]\n");
        for part in [
            "`lineariseable`",
            "`linearizability`, ",
            "`stale-reads`, `lost-writes`, `resurrection`, `convergence`",
            "line 3",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
    }

    #[test]
    fn an_unknown_option_or_workload_is_refused_by_name() {
        let refused = refusal("workloads:\n  - set: { key: 2 }\n");
        assert!(refused.contains("`key`") && refused.contains("`ops-per-key`"), "{refused}");
        let refused = refusal("workloads:\n  - queue: {}\n");
        assert!(refused.contains("`queue`") && refused.contains("`register`"), "{refused}");
    }

    #[test]
    fn a_nonsensical_option_is_refused() {
        for options in [
            "register: { keys: 0 }",
            "register: { ops-per-key: 0 }",
            "register: { infos-per-key: 0 }",
            "register: { read-ratio: 1.5 }",
            "register: { keyspace: 'a b' }",
            "set: { keys: 0 }",
            "set: { ops-per-key: 1001 }",
            "set: { read-ratio: -0.1 }",
            "set: { keyspace: '' }",
            "register: { checkers: [] }",
            "set: { checkers: [] }",
            "register: { delete-ratio: 1.5 }",
            "register: { lives: 0 }",
            "register: { checkers: [resurrection] }",
            "set: { checkers: [resurrection] }",
            "mv-register: { keys: 0 }",
            "mv-register: { ops-per-key: 0 }",
            "mv-register: { lives: 0 }",
            "mv-register: { delete-ratio: -1 }",
            "mv-register: { keyspace: ':' }",
            "mv-register: { checkers: [linearizability] }",
        ] {
            let refused = refusal(&format!("workloads:\n  - {options}\n"));
            assert!(refused.contains(": expected "), "{options}: {refused}");
        }
    }

    #[test]
    fn a_spec_reads_back_as_it_is_written() {
        let specs = parse("workloads:\n  - set: { keyspace: carts, checkers: [lost-writes] }\n");
        let spec = specs.unwrap().remove(0);
        let yaml = serde_yaml::to_string(&spec).unwrap();
        assert_eq!(serde_yaml::from_str::<WorkloadSpec>(&yaml).unwrap(), spec);
    }
}
