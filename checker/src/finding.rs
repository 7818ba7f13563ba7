//! What a checker found: a verdict, the anomalies by name, and the fewest operations that show each.

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::operation::Operation;

/// How a history was judged. Ordered by gravity, so that composing takes the maximum: a violation
/// always outranks an unknown, and an unknown outranks a valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every promise judged was kept.
    Valid,
    /// Nothing was found broken, but not everything could be judged.
    Unknown,
    /// A promise was broken, and a witness shows it.
    Invalid,
}

impl Verdict {
    /// The gravest of all; `Unknown` of none, for what nobody judged was not found valid.
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Unknown)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Valid => "valid",
            Verdict::Unknown => "unknown",
            Verdict::Invalid => "invalid",
        })
    }
}

/// A judge of histories. Pure: the same history gives the same finding.
pub trait Checker: Send + Sync {
    /// The name under which suites, findings and reports know this checker.
    fn name(&self) -> &'static str;
    /// Judges `history`.
    fn check(&self, history: &History) -> Finding;
}

/// The judgement of one checker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// [`Checker::name`].
    pub checker: String,
    /// The keyspace judged, where the checker was bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyspace: Option<String>,
    /// The worst over all keys.
    pub verdict: Verdict,
    /// One sentence: what was judged, and how it came out (`37 keys, 10 512 operations: all …`).
    pub summary: String,
    /// What was broken, worst or earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
}

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// The field's name for it: `stale read`, `lost acknowledged write`, `divergent replicas`, …
    pub name: String,
    /// The key it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The fewest operations that show it, by invocation.
    pub witness: Vec<Operation>,
    /// One paragraph: why these operations cannot all be right.
    pub because: String,
}
