//! What the nemesis did, read back from a history: each fault with its begin, end and evidence.
//!
//! The nemesis speaks in four events a fault, all of process `nemesis`, and in one a phase:
//!
//! ```text
//! invoke begin {"fault":1,"kind":"partition","nodes":["n1"],"description":"n1 | n2 n3"}
//! info   begin {"fault":1,"kind":"partition", …, "evidence":{…}}     it took effect
//! invoke end   {"fault":1,"kind":"partition"}
//! info   end   {"fault":1,"kind":"partition","evidence":{"packets dropped":212},"bit":true}
//! info   phase {"phase":"faults"}
//! ```
//!
//! `bit` says whether the evidence shows that the fault had an effect. A fault that left none makes
//! a run `Unknown`: a harness that injects nothing and says *valid* is worse than none.

use serde::{Deserialize, Serialize};

use crate::event::Note;

/// One fault, from its begin to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultWindow {
    /// Number of the fault within the run, from one.
    pub fault: u64,
    /// `partition`, `kill`, `pause`, …
    pub kind: String,
    /// The nodes it concerns.
    pub nodes: Vec<String>,
    /// In a few words, for people.
    pub description: String,
    /// When it had taken effect, in nanoseconds since the run began; absent if it never did.
    pub begin: Option<u64>,
    /// When it had been undone; absent if that was not recorded.
    pub end: Option<u64>,
    /// What was measured of its effect.
    pub evidence: Note,
    /// Whether the evidence shows an effect.
    pub bit: bool,
}
