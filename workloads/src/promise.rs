//! The promises a workload can be held to, by the names of the checkers that judge them.

use serde::{Deserialize, Serialize};

/// A promise of a store to its clients; in YAML by the name of its checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// Every operation takes effect at one moment between its invocation and its completion.
    Linearizable,
    /// A read shows what was acknowledged before it began, or something newer.
    StaleReads,
    /// What was acknowledged is there at the end, or was replaced by what came after it.
    LostWrites,
    /// Replicas that were left in peace hold the same.
    Convergence,
}
