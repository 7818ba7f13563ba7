//! What a replica holds of a key: values and the version that orders them.
//!
//! Every kind of record is a lattice: [`Record::join`] takes what two replicas hold and returns what
//! both will hold once they have heard of each other. It is idempotent, commutative and associative,
//! so records may be delivered twice, late and in any order (a retry, a hint, read repair,
//! anti-entropy), and replicas that have heard the same writes hold the same bytes.
//!
//! A deleted key still has a record, with a tombstone for its value: a replica that holds nothing
//! could not tell a delete it has missed from a write it has missed.
//!
//! Source: Shapiro et al., "Conflict-free Replicated Data Types", SSS 2011 (state-based convergence).

use std::cmp::Ordering;
use std::fmt;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::branches::Branches;
use super::context::Context;
use super::format::{self, DecodeError};
use super::siblings::Siblings;
use super::stamp::Stamp;
use super::tag::Tag;
use crate::config::{Causality, Keyspace, Policy};

/// What a replica holds of a key. A value that is `None` is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Of a `register` keyspace: the write with the highest tag.
    Register {
        /// When it was written, in logical time.
        tag: Tag,
        /// What was written.
        value: Option<Bytes>,
    },
    /// Of a `siblings` keyspace: every write that no other has superseded.
    Siblings(Siblings),
    /// Of a `siblings` keyspace whose causality is `server-vector`: every version that no other's
    /// vector covers.
    Branches(Branches),
    /// Of an `lww` keyspace: the write with the latest stamp.
    Lww {
        /// When it was written, by its coordinator's clock.
        stamp: Stamp,
        /// What was written.
        value: Option<Bytes>,
    },
}

/// What orders the versions of a record; ascending by what it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Stamps.
    Lww,
    /// Tags.
    Register,
    /// Server vectors.
    Branches,
    /// Dots.
    Siblings,
}

impl Kind {
    /// Of the records that a keyspace of these `settings` holds.
    pub fn of(settings: &Keyspace) -> Kind {
        match (settings.policy, settings.causality) {
            (Policy::Lww, _) => Kind::Lww,
            (Policy::Register, _) => Kind::Register,
            (Policy::Siblings, Causality::ServerVector) => Kind::Branches,
            (Policy::Siblings, Causality::Dotted) => Kind::Siblings,
        }
    }
}

/// The settings that ask for it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Lww => "lww",
            Kind::Register => "register",
            Kind::Branches => "siblings with causality server-vector",
            Kind::Siblings => "siblings",
        })
    }
}

impl Record {
    /// What orders its versions.
    pub fn kind(&self) -> Kind {
        match self {
            Record::Register { .. } => Kind::Register,
            Record::Siblings(_) => Kind::Siblings,
            Record::Branches(_) => Kind::Branches,
            Record::Lww { .. } => Kind::Lww,
        }
    }

    /// What a replica holds that has heard of both.
    ///
    /// Records of different kinds meet only when nodes were configured apart. Then the [`Kind`] that
    /// promises more stays, for nothing compares their versions; what matters is that all replicas
    /// choose alike.
    #[must_use]
    pub fn join(self, other: Record) -> Record {
        match (self, other) {
            (Record::Siblings(mine), Record::Siblings(theirs)) => {
                Record::Siblings(mine.join(theirs))
            }
            (Record::Branches(mine), Record::Branches(theirs)) => {
                Record::Branches(mine.join(theirs))
            }
            (mine, theirs) if mine.order(&theirs) == Ordering::Less => theirs,
            (mine, _) => mine,
        }
    }

    /// [`Record::join`] where a replica may hold nothing.
    pub fn join_held(mine: Option<Record>, theirs: Option<Record>) -> Option<Record> {
        match (mine, theirs) {
            (Some(mine), Some(theirs)) => Some(mine.join(theirs)),
            (mine, theirs) => mine.or(theirs),
        }
    }

    /// The order by which one of two records stays whole. Equal tags mean equal values, for a nonce is
    /// never given twice; should that promise be broken, the greater value stays, on every replica.
    pub(super) fn order(&self, other: &Record) -> Ordering {
        match (self, other) {
            (
                Record::Register { tag: mine, value: my_value },
                Record::Register { tag: theirs, value: their_value },
            ) => (mine, my_value).cmp(&(theirs, their_value)),
            (
                Record::Lww { stamp: mine, value: my_value },
                Record::Lww { stamp: theirs, value: their_value },
            ) => (mine, my_value).cmp(&(theirs, their_value)),
            _ => self.kind().cmp(&other.kind()),
        }
    }

    /// The record as bytes, for disk and wire; drawn in `format.rs`.
    pub fn encode(&self) -> Bytes {
        format::encode_record(self)
    }

    /// The same as [`Record::decode`], without a copy: its values are slices of `bytes`, and keep all of
    /// them in memory.
    pub fn decode_shared(bytes: &Bytes) -> Result<Record, DecodeError> {
        format::decode_shared(bytes)
    }

    /// The record that was encoded so.
    pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
        format::decode_record(bytes)
    }

    /// The version as stable printable text without spaces: equal text means the same version.
    pub fn version(&self) -> String {
        match self {
            Record::Register { tag, .. } => format!("tag={tag}"),
            Record::Siblings(siblings) => format!("dots={siblings}"),
            Record::Branches(branches) => format!("vectors={branches}"),
            Record::Lww { stamp, .. } => format!("stamp={stamp}"),
        }
    }

    /// The values a reader sees, ascending: none of a deleted key, several only of siblings.
    pub fn values(&self) -> Vec<Bytes> {
        match self {
            Record::Register { value, .. } | Record::Lww { value, .. } => {
                value.iter().cloned().collect()
            }
            Record::Siblings(siblings) => siblings.values(),
            Record::Branches(branches) => branches.values(),
        }
    }

    /// Whether it only says that the key was deleted.
    pub fn is_tombstone(&self) -> bool {
        !self.has_value()
    }

    /// What must be remembered of this record for it to be forgotten: the highest counter in it, above
    /// which the next write of its key must be. `None`: it cannot be forgotten. Server vectors count
    /// from what is held and from nothing else; and a counter that only a forged context can have brought
    /// about must not leave all other keys without counters to go on with, which contexts can carry.
    pub fn counter(&self) -> Option<u64> {
        const HONEST: u64 = 1 << 47;
        let counter = match self {
            Record::Register { tag, .. } => tag.counter,
            Record::Siblings(siblings) => siblings.counter(),
            // Its writer's clock goes on by itself.
            Record::Lww { .. } => 0,
            Record::Branches(_) => return None,
        };
        (counter < HONEST).then_some(counter)
    }

    /// The greatest value a reader sees.
    pub fn greatest(&self) -> Option<Bytes> {
        match self {
            Record::Register { value, .. } | Record::Lww { value, .. } => value.clone(),
            Record::Siblings(_) | Record::Branches(_) => self.values().pop(),
        }
    }

    /// Whether a reader sees any value.
    pub fn has_value(&self) -> bool {
        match self {
            Record::Register { value, .. } | Record::Lww { value, .. } => value.is_some(),
            Record::Siblings(_) | Record::Branches(_) => !self.values().is_empty(),
        }
    }

    /// How many values stand beside each other, tombstones included.
    pub fn siblings(&self) -> usize {
        match self {
            Record::Register { .. } | Record::Lww { .. } => 1,
            Record::Siblings(siblings) => siblings.len(),
            Record::Branches(branches) => branches.len(),
        }
    }

    /// What a client must hand back to supersede these values; empty where no client has to.
    pub fn context(&self) -> Context {
        match self {
            Record::Siblings(siblings) => siblings.context(),
            Record::Branches(branches) => branches.context(),
            Record::Register { .. } | Record::Lww { .. } => Context::default(),
        }
    }

    /// The tag of a register's write.
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Record::Register { tag, .. } => Some(tag),
            Record::Siblings(_) | Record::Branches(_) | Record::Lww { .. } => None,
        }
    }

    /// `xxh3_64` of the encoding: equal on replicas that hold the same.
    pub fn digest(&self) -> u64 {
        xxh3_64(&self.encode())
    }
}

#[cfg(test)]
mod tests;
