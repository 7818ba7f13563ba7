//! What a node must know before it starts: who it is, who the others are, and what each keyspace promises.
//!
//! ```yaml
//! cluster: demo
//! node: n1
//! data: /var/lib/schism/n1
//! sync: always            # or an interval: 100ms; or never
//! members:
//!   - { node: n1, client: 10.0.0.1:7000, peer: 10.0.0.1:7001 }
//! keyspaces:
//!   accounts: { policy: register, n: 3, r: 2, w: 2 }
//! default: { policy: lww, n: 1, r: 1, w: 1 }
//! metrics: 10.0.0.1:9100  # optional: GET /metrics answers a Prometheus there
//! limits: { deadline-ms: 1000, pair-bytes: 10240, hint-bytes: 67108864, hint-age-ms: 10800000, reap-every-ms: 60000 }
//! ```

mod causality;

pub use causality::Causality;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a node must know before it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Name of the cluster; nodes of another cluster are refused at the handshake.
    pub cluster: String,
    /// Which of `members` this node is.
    pub node: String,
    /// Directory of log and tables; made if absent.
    pub data: PathBuf,
    /// When a write counts as durable.
    #[serde(default)]
    pub sync: Sync,
    /// Every node of the cluster, this one included.
    pub members: Vec<Member>,
    /// Keyspaces by name, the prefix of a key before its first `:`.
    #[serde(default)]
    pub keyspaces: BTreeMap<String, Keyspace>,
    /// The keyspace of every other key.
    #[serde(default)]
    pub default: Keyspace,
    /// Where a Prometheus collects metrics; absent: nowhere, and `INFO` must do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// How long and how large a request may be.
    #[serde(default)]
    pub limits: Limits,
}

/// How long and how large a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// A request without its quorum after this many milliseconds has failed.
    pub deadline_ms: u64,
    /// The longest key and value together, in bytes.
    pub pair_bytes: usize,
    /// What hints kept for absent nodes may hold, in bytes; beyond that they are dropped, and
    /// anti-entropy must do.
    pub hint_bytes: usize,
    /// How long a node that is up keeps a hint, in milliseconds; then it is dropped. Beyond any outage
    /// that a sloppy keyspace is to survive without loss.
    pub hint_age_ms: u64,
    /// Between rounds in which tombstones that every replica has are reaped, in milliseconds.
    pub reap_every_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            deadline_ms: 1000,
            pair_bytes: 10 << 10,
            hint_bytes: 64 << 20,
            hint_age_ms: 3 * 60 * 60 * 1000,
            reap_every_ms: 60_000,
        }
    }
}

/// One node of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name, unique in the cluster.
    pub node: String,
    /// Where clients reach it.
    pub client: SocketAddr,
    /// Where other nodes reach it.
    pub peer: SocketAddr,
    /// How many shares of the ring it takes; each share is a fixed number of virtual nodes.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// How a keyspace replicates, and how its conflicts end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Keyspace {
    /// How conflicts end.
    pub policy: Policy,
    /// Replicas of each key.
    pub n: usize,
    /// Replies a read waits for.
    pub r: usize,
    /// Acknowledgements a write waits for.
    pub w: usize,
    /// Whose replies and acknowledgements count.
    #[serde(default, skip_serializing_if = "Quorum::is_default")]
    pub quorum: Quorum,
    /// How a write is told to be later than another or concurrent with it; only of policy `siblings`.
    #[serde(default, skip_serializing_if = "Causality::is_default")]
    pub causality: Causality,
    /// Pairs a server vector may have before its oldest is dropped; without it, none ever is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector_limit: Option<usize>,
    /// Siblings of a key before writes that would make more of them are refused; only of policy
    /// `siblings`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_siblings: Option<usize>,
}

impl Default for Keyspace {
    fn default() -> Keyspace {
        Keyspace {
            policy: Policy::Lww,
            n: 1,
            r: 1,
            w: 1,
            quorum: Quorum::default(),
            causality: Causality::default(),
            vector_limit: None,
            max_siblings: None,
        }
    }
}

/// Whose replies and acknowledgements count toward a quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quorum {
    /// Those of the key's primaries: with `r + w > n` every read hears of every acknowledged write; with
    /// too few primaries in reach there is no answer.
    #[default]
    Strict,
    /// Those of the first healthy nodes of the preference list: an absent primary has a stand-in, which
    /// keeps what it missed and hands it over later. Both sides of a partition answer, and a read may
    /// miss what was acknowledged on the other.
    Sloppy,
}

impl Quorum {
    /// Whether it is what goes without saying.
    pub fn is_default(&self) -> bool {
        *self == Quorum::default()
    }
}

impl std::fmt::Display for Quorum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Quorum::Strict => "strict",
            Quorum::Sloppy => "sloppy",
        })
    }
}

/// How conflicts end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Multi-writer ABD: linearizable when `r + w > n`.
    Register,
    /// Concurrent values are kept, and the client merges them; see [`Causality`].
    Siblings,
    /// The coordinator's wall clock decides: fast, and wrong under clock skew.
    Lww,
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Policy::Register => "register",
            Policy::Siblings => "siblings",
            Policy::Lww => "lww",
        })
    }
}

/// When a write counts as durable. In YAML `always`, an interval such as `100ms`, or `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// After `fdatasync`; writers that arrive together share one.
    #[default]
    Always,
    /// After the system took the bytes (a killed process loses nothing); `fdatasync` begins within this
    /// interval, in milliseconds (a power loss may cost that much, and what came while one was under way).
    Every(u64),
    /// After the system took the bytes, which it writes when it likes (a power loss may cost all since
    /// the last memtable was written as a table, or the last orderly end).
    Never,
}

impl std::fmt::Display for Sync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sync::Always => f.write_str("always"),
            Sync::Every(millis) => write!(f, "{millis}ms"),
            Sync::Never => f.write_str("never"),
        }
    }
}

impl Serialize for Sync {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `100ms`, `1s` or `1m` in milliseconds.
fn millis(text: &str) -> Option<u64> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text[..unit].parse().ok()?;
    match text[unit..].trim() {
        "ms" => Some(count),
        "s" => count.checked_mul(1_000),
        "m" => count.checked_mul(60_000),
        _ => None,
    }
}

impl std::str::FromStr for Sync {
    type Err = String;
    fn from_str(text: &str) -> Result<Sync, String> {
        match text {
            "always" => return Ok(Sync::Always),
            "never" => return Ok(Sync::Never),
            _ => {}
        }
        millis(text).filter(|&millis| millis > 0).map(Sync::Every).ok_or_else(|| {
            format!("sync is `always`, `never` or an interval such as `100ms`, `1s` or `1m`, not `{text}`")
        })
    }
}

impl<'de> Deserialize<'de> for Sync {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Sync;

    #[test]
    fn an_interval_is_read_in_any_unit_and_written_in_milliseconds() {
        let read = |text: &str| text.parse::<Sync>();
        assert_eq!(read("always"), Ok(Sync::Always));
        assert_eq!(read("never"), Ok(Sync::Never));
        assert_eq!(read("100ms"), Ok(Sync::Every(100)));
        assert_eq!(read("2s"), Ok(Sync::Every(2_000)));
        assert_eq!(read("1m"), Ok(Sync::Every(60_000)));
        for wrong in ["", "0ms", "5", "5h", "ms", "-1s", "99999999999999999999s"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(serde_yaml::to_string(&Sync::Every(2_000)).unwrap().trim(), "2000ms");
    }
}
