//! A small, complete Dynamo: a plain server that knows nothing of being tested.
//!
//! # What clients may ask
//!
//! Clients speak RESP. A key is `keyspace:name`; a key whose prefix names no keyspace belongs to
//! the default one. How conflicts end is the [`Policy`] of the keyspace.
//!
//! | command | reply |
//! |---|---|
//! | `GET key`, `MGET key…` | the value, or nil; of several siblings the greatest |
//! | `SET key value`, `MSET …` | `+OK` |
//! | `DEL key…`, `EXISTS key…` | how many |
//! | `KV.GET key [R r]` | `[context, [value…]]`: every sibling, ascending; nothing held: an empty list |
//! | `KV.PUT key value [CONTEXT c] [R r] [W w]` | a context to go on from: it knows no sibling that was not read |
//! | `KV.DEL key [CONTEXT c] [R r] [W w]` | the same |
//! | `KV.REPLICA key` | `[version, [value…]]`: this node's own copy, ascending; `-NOTREPLICA` where it is no primary |
//! | `KV.ROOTS` | `[[name, root]…]`: the Merkle root of every replica set this node belongs to (`keyspace/n1,n2,n3`) |
//! | `KV.REPAIR [node]` | this node compares its copies with those of `node`, or of every other replica, and both take over what they lack: `{node: {differing, received, sent, sent_bytes, …}}` |
//! | `PING ECHO HELLO SELECT INFO DBSIZE CONFIG COMMAND CLIENT QUIT` | as Redis does |
//!
//! `r` and `w` are a number from 1, or `ONE`, `QUORUM`, `ALL`.
//! A context is printable text, opaque to clients, and good for the key it was read from. An error begins with one word that says what may
//! have happened:
//!
//! | first word | meaning |
//! |---|---|
//! | `ERR`, `NOPROTO` | definite: the request was refused before anything was done |
//! | `TOOBIG` | definite: the pair is over the limit, or the key has as many siblings as it may; read, merge, write back with the context |
//! | `OVERLOADED` | definite: the node has more requests under way than it takes; nothing was done |
//! | `UNAVAILABLE` | definite: no quorum, and nothing was written anywhere |
//! | `CATCHINGUP` | only among the reasons of an `UNAVAILABLE`: that node started without data, and answers no read before it has compared with the other replicas |
//! | `UNCERTAIN` | **indefinite**: something was sent, too few acknowledged; it may have happened, or may yet |
//! | `NOTREPLICA` | definite: this node is no primary of the key |
//! | `UNREPAIRED` | a comparison was not finished, with whom and why; what was exchanged until then stays |
//!
//! # What a node tells of its work
//!
//! `INFO`, and where the setting `metrics` says so `GET /metrics` for a Prometheus: the same numbers,
//! declared once (see [`metrics`]).

pub mod anti_entropy;
pub mod catch_up;
pub mod clock;
pub mod command;
pub mod config;
pub mod coordinator;
pub mod engine;
pub mod gossip;
pub mod grace;
pub mod handoff;
pub mod hint;
pub mod layout;
pub mod lsm;
pub mod membership;
pub mod merkle;
pub mod metrics;
pub mod node;
pub mod peer;
pub mod placement;
pub mod quorum;
#[cfg(test)]
mod random;
pub mod replica;
pub mod request;
pub mod resp;
pub mod ring;
#[cfg(test)]
mod script;
pub mod server;
pub mod settle;
pub mod stats;
mod turn;
pub mod version;

pub use command::{Command, Level};
pub use config::{Causality, Config, Keyspace, Limits, Member, Policy, Sync};
pub use node::{Node, StartError};
