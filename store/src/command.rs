//! A client's request as a value, between the codec that read it and the coordinator that serves it.
//!
//! [`parse`] takes the arguments of a request apart: into a [`Command`] for the node, into a
//! [`ConnectionCommand`] that ends where the connection lives, or into why it is [`Refused`], in the
//! words of Redis, so that clients which look at its messages find them here.

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};

mod connection;
mod options;
mod parse;
mod refused;
mod table;

pub use connection::ConnectionCommand;
pub use parse::{Parsed, parse};
pub use refused::Refused;
pub(crate) use table::names;

/// A request that concerns keys or the node; those of the connection alone (PING, HELLO, SELECT, …)
/// are answered where the connection lives.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `GET`, `MGET`: one reply a key.
    Get {
        /// In the order of the replies; one, unless `many`.
        keys: Vec<Bytes>,
        /// Whether the reply is an array, as `MGET` answers even for one key.
        many: bool,
    },
    /// `SET`, `MSET`.
    Set {
        /// Keys and values, in the order they were named.
        pairs: Vec<(Bytes, Bytes)>,
    },
    /// `DEL`.
    Delete {
        /// May name a key twice.
        keys: Vec<Bytes>,
    },
    /// `EXISTS`.
    Exists {
        /// A key named twice is counted twice.
        keys: Vec<Bytes>,
    },
    /// `KV.GET`.
    KvGet {
        /// The key, its keyspace's prefix included.
        key: Bytes,
        /// Replies to wait for; `None` leaves it to the keyspace.
        r: Option<Level>,
    },
    /// `KV.PUT`, and with no value `KV.DEL`.
    KvPut {
        /// The key, its keyspace's prefix included.
        key: Bytes,
        /// What to put, or `None` to delete.
        value: Option<Bytes>,
        /// The past the client has read, as it was handed out.
        context: Option<Bytes>,
        /// Replies a read phase waits for; `None` leaves it to the keyspace.
        r: Option<Level>,
        /// Acknowledgements to wait for; `None` leaves it to the keyspace.
        w: Option<Level>,
    },
    /// `KV.REPLICA`.
    KvReplica {
        /// The key, its keyspace's prefix included.
        key: Bytes,
    },
    /// `KV.ROOTS`.
    KvRoots,
    /// `KV.REPAIR`.
    KvRepair {
        /// With which node only; `None` for all that hold some of the same keys.
        node: Option<String>,
    },
    /// `INFO`, of one section or all.
    Info {
        /// The section's name, as the client wrote it.
        section: Option<String>,
    },
    /// `DBSIZE`.
    DbSize,
    /// `CONFIG GET`.
    ConfigGet {
        /// Names or globs, at least one.
        patterns: Vec<String>,
    },
}

/// What a command touches, for who wants to carry out several at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched<'a> {
    /// It reads these keys, and changes nothing.
    Read(SmallVec<[&'a [u8]; 1]>),
    /// It changes these keys.
    Written(SmallVec<[&'a [u8]; 1]>),
    /// It looks at the node as a whole.
    All,
}

impl<'a> Touched<'a> {
    /// The keys it names.
    pub fn keys(&self) -> &[&'a [u8]] {
        match self {
            Touched::Read(keys) | Touched::Written(keys) => keys,
            Touched::All => &[],
        }
    }
}

impl Command {
    /// What it touches.
    pub fn touched(&self) -> Touched<'_> {
        match self {
            Command::Get { keys, .. } | Command::Exists { keys } => {
                Touched::Read(keys.iter().map(|key| &key[..]).collect())
            }
            Command::KvGet { key, .. } | Command::KvReplica { key } => {
                Touched::Read(smallvec![&key[..]])
            }
            Command::Set { pairs } => {
                Touched::Written(pairs.iter().map(|(key, _)| &key[..]).collect())
            }
            Command::Delete { keys } => Touched::Written(keys.iter().map(|key| &key[..]).collect()),
            Command::KvPut { key, .. } => Touched::Written(smallvec![&key[..]]),
            Command::KvRoots
            | Command::KvRepair { .. }
            | Command::Info { .. }
            | Command::DbSize
            | Command::ConfigGet { .. } => Touched::All,
        }
    }
}

/// How many replicas a request waits for, as its client said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `ONE`.
    One,
    /// `QUORUM`: more than half.
    Quorum,
    /// `ALL`.
    All,
    /// A number from 1.
    Count(usize),
}

impl Level {
    /// How many of `n` replicas that is; `None` when it asks for more than there are.
    pub fn of(self, n: usize) -> Option<usize> {
        let count = match self {
            Level::One => 1,
            Level::Quorum => n / 2 + 1,
            Level::All => n,
            Level::Count(count) => count,
        };
        (1..=n).contains(&count).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_counted_against_the_replicas_there_are() {
        assert_eq!(Level::One.of(3), Some(1));
        assert_eq!([3, 4, 5].map(|n| Level::Quorum.of(n)), [Some(2), Some(3), Some(3)]);
        assert_eq!(Level::All.of(5), Some(5));
        assert_eq!(Level::Count(3).of(3), Some(3));
        assert_eq!(Level::Count(4).of(3), None);
        assert_eq!(Level::Count(0).of(3), None);
    }
}
