//! When a write counts as durable: the two promises that ours and Redis can both make.

use std::fmt;
use std::str::FromStr;

/// When a write counts as durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Durability {
    /// It is synced within a second.
    Second,
    /// It is synced before it is answered.
    Always,
}

impl Durability {
    /// Both, in the order of the report.
    pub(crate) const ALL: [Durability; 2] = [Durability::Second, Durability::Always];

    /// As our configuration says it.
    pub(crate) fn ours(self) -> store::Sync {
        match self {
            Durability::Second => store::Sync::Every(1000),
            Durability::Always => store::Sync::Always,
        }
    }

    /// As Redis' `appendfsync` says it.
    pub(crate) fn redis(self) -> &'static str {
        match self {
            Durability::Second => "everysec",
            Durability::Always => "always",
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::Second => "1s",
            Durability::Always => "always",
        })
    }
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Durability, String> {
        let found = Durability::ALL.into_iter().find(|durability| durability.to_string() == text);
        found.ok_or_else(|| format!("sync is `1s` or `always`, not `{text}`"))
    }
}
