//! The protocol of clients: RESP2 and RESP3, with a codec of our own.

use bytes::Bytes;

/// A reply, before it is written in the protocol version of its connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+OK` and the like.
    Simple(&'static str),
    /// `-WORD message`: the first word says whether the error is definite.
    Error(String),
    /// `:1`.
    Integer(i64),
    /// `$3 abc`.
    Bulk(Bytes),
    /// Nothing: `$-1`, in RESP3 `_`.
    Nil,
    /// `*2 …`.
    Array(Vec<Reply>),
    /// Pairs: a flat array in RESP2, `%1 …` in RESP3.
    Map(Vec<(Reply, Reply)>),
}
