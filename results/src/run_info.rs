//! What only the harness knows of a run: everything else is read from its history and findings.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What only the harness knows of a run. Kept in `summary.json`, so that every report can be
/// rendered again from the directory alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Name of the suite.
    pub suite: String,
    /// Every random choice follows from it.
    pub seed: u64,
    /// How the network was made, in words: `namespaces (root)`.
    pub tier: String,
    /// Wall clock when the run began, in UTC. Times in the history count from here.
    pub started: Timestamp,
    /// The one command that repeats the run.
    pub repeat: String,
    /// The nodes, in the order the reports list them.
    pub nodes: Vec<String>,
    /// What else a reader should know before the first table: `register` → `N=3 R=2 W=2, strict`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configuration: BTreeMap<String, String>,
}
