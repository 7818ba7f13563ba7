//! Why a copy could not be read or written, in the words that clients and operators are told.
//!
//! The first word says what may have happened, as in all replies to clients: under `TOOBIG` nothing
//! has; what an engine failed to keep it may yet have kept, and the coordinator says so.

use crate::engine::EngineError;
use crate::version::{Crowd, DecodeError, Kind};

/// Why a copy could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReplicaError {
    /// The engine refused.
    #[error("ERR the engine failed: {0}")]
    Engine(#[from] EngineError),
    /// A record is not what was written, or came from a newer node.
    #[error("ERR a record cannot be read: {0}")]
    Damaged(#[from] DecodeError),
    /// The same, where the key is known.
    #[error("ERR the record of key `{key}` cannot be read: {why}")]
    Unreadable {
        /// Which key.
        key: String,
        /// What is wrong with its record.
        why: DecodeError,
    },
    /// What lies among the records is none, or lies where nobody will look for it.
    #[error("ERR what is stored at `{place}` is no record of this layout")]
    Misplaced {
        /// The stored key, its unprintable bytes escaped.
        place: String,
    },
    /// The directory was written by a release that lays its records elsewhere.
    #[error(
        "ERR the data lies in layout {kept}, and this release finds it in layout {asked} only: start \
         it with the release that wrote it, or begin an empty directory, which other replicas fill"
    )]
    Layout {
        /// In which the data lies.
        kept: u64,
        /// Of this release.
        asked: u64,
    },
    /// It started with an empty directory, and has yet to exchange with these nodes.
    #[error(
        "CATCHINGUP this node may have lost its data, and answers reads of this key once it has \
         compared with {0}"
    )]
    CatchingUp(String),
    /// Siblings nobody merges have grown over a limit; nothing was written.
    #[error("TOOBIG {0}; read them all and write back their merge, with the context of that read")]
    Crowded(Crowd),
    /// Keyspaces were added or taken away under the data: it would be there, and never be found.
    #[error("ERR key `{key}` is kept in keyspace `{keyspace}`, and would now belong to `{asked}`")]
    Moved {
        /// Which key, the first met.
        key: String,
        /// Where it is kept.
        keyspace: String,
        /// Where it would be looked for.
        asked: String,
    },
    /// The data of a keyspace was kept under another policy or causality, and says nothing under this
    /// one.
    #[error("ERR keyspace `{keyspace}` holds data kept as `{kept}`, and cannot become `{asked}`")]
    Kind {
        /// Which keyspace.
        keyspace: String,
        /// What orders its data.
        kept: Kind,
        /// What should, as it is configured.
        asked: Kind,
    },
}
