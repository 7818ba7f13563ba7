//! Which write is later, which are concurrent, and what is left when replicas meet.
//!
//! A [`Record`] is what a replica holds of a key. Its version is, by policy of the keyspace,
//! a [`Tag`] (logical time of a register), [`Siblings`] (dotted version vectors), or a [`Stamp`]
//! (the coordinator's wall clock); or, to show what dots are good for, [`Branches`] (server vectors).
//! Records of any kind [join](Record::join), and that is all that replication, repair and anti-entropy
//! ever do with them. A client's [`Write`] to siblings is numbered by the primary that takes it.

mod branches;
mod context;
mod dot;
mod encoded;
mod format;
mod record;
mod siblings;
mod stamp;
mod tag;
#[cfg(test)]
pub(crate) mod test_histories;
#[cfg(test)]
pub(crate) mod test_records;
mod vector;
mod vector_clock;
mod write;

pub use branches::{Branch, Branches};
pub use context::{Context, ContextError};
pub use dot::{Actor, Dot};
pub use encoded::Encoded;
pub use format::DecodeError;
pub use record::{Kind, Record};
pub use siblings::Siblings;
pub use stamp::Stamp;
pub use tag::{Nonce, Tag};
pub use vector::VersionVector;
pub use vector_clock::VectorClock;
pub use write::{Crowd, RECORD_BYTES, Write, Written};
