//! A client's request as a value, between the codec that parsed it and the coordinator that serves it.

use bytes::Bytes;

/// A request that concerns keys or the node; those of the connection alone (PING, HELLO, SELECT, …)
/// are answered where the connection lives.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `GET`, `MGET`: one reply a key.
    Get { keys: Vec<Bytes>, many: bool },
    /// `SET`, `MSET`.
    Set { pairs: Vec<(Bytes, Bytes)> },
    /// `DEL`.
    Delete { keys: Vec<Bytes> },
    /// `EXISTS`.
    Exists { keys: Vec<Bytes> },
    /// `KV.GET`.
    KvGet { key: Bytes, r: Option<usize> },
    /// `KV.PUT`, and with no value `KV.DEL`.
    KvPut {
        key: Bytes,
        value: Option<Bytes>,
        context: Option<Bytes>,
        r: Option<usize>,
        w: Option<usize>,
    },
    /// `KV.REPLICA`.
    KvReplica { key: Bytes },
    /// `KV.ROOTS`.
    KvRoots,
    /// `INFO`, of one section or all.
    Info { section: Option<String> },
    /// `DBSIZE`.
    DbSize,
    /// `CONFIG GET`, of these patterns.
    ConfigGet { patterns: Vec<String> },
}
