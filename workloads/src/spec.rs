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
    /// Sets that grow by read, merge and write-back.
    Set(SetOptions),
}

impl WorkloadSpec {
    /// Refuses options that make no sense.
    pub fn validate(&self) -> Result<(), OptionsError> {
        match self {
            WorkloadSpec::Register(options) => options.validate(),
            WorkloadSpec::Set(options) => options.validate(),
        }
    }

    /// The workload. *Requires* that [`WorkloadSpec::validate`] refused nothing.
    pub fn build(&self) -> Arc<dyn Workload> {
        match self.clone() {
            WorkloadSpec::Register(options) => Arc::new(Register(options)),
            WorkloadSpec::Set(options) => Arc::new(Set(options)),
        }
    }

    /// The prefix of its keys.
    pub fn keyspace(&self) -> &str {
        match self {
            WorkloadSpec::Register(options) => &options.keyspace,
            WorkloadSpec::Set(options) => &options.keyspace,
        }
    }
}
