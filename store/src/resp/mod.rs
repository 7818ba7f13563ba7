//! The protocol of clients: RESP2 and RESP3, with a codec of our own.
//!
//! A request is a flat array of byte strings, so its parser is a loop, not a recursion; a reply may
//! nest, and its parser keeps its own stack, bounded by [`Limits::depth`]. Both consume what they
//! have understood at once, so that bytes arriving one by one cost no more than all together.
//!
//! Shape: `bytes -RequestDecoder-> Vec<Bytes> -Command::parse-> Command … Reply -encode-> bytes`,
//! and for clients `encode_request -> bytes … bytes -ReplyDecoder-> Reply`.
//! Source: Redis serialization protocol specification (RESP2, RESP3), and Redis 7 where it is silent.
//! Departure: every length has a limit, and the CRLF after a bulk string is checked.

use std::borrow::Cow;

use bytes::Bytes;

mod encode;
mod inline;
mod line;
mod reply;
mod request;

pub use encode::encode_request;
pub use reply::ReplyDecoder;
pub use request::RequestDecoder;

/// A reply, before it is written in the protocol version of its connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+OK` and the like.
    Simple(Cow<'static, str>),
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

impl Reply {
    /// `+OK`.
    pub const OK: Reply = Reply::Simple(Cow::Borrowed("OK"));

    /// A bulk string that owns a copy of `bytes`.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Reply {
        Reply::Bulk(Bytes::copy_from_slice(bytes.as_ref()))
    }
}

/// The version of the protocol a connection speaks; a connection begins in RESP2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What every client understands.
    #[default]
    Resp2,
    /// Chosen by `HELLO 3`: adds nil and maps.
    Resp3,
}

/// How much a peer may make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arguments of a request, or elements of one aggregate of a reply.
    pub elements: usize,
    /// Bytes of one bulk string.
    pub bulk_bytes: usize,
    /// Bytes of a whole request or reply, its headers included.
    pub total_bytes: usize,
    /// How deep aggregates of a reply may nest.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { elements: 64 * 1024, bulk_bytes: 8 << 20, total_bytes: 64 << 20, depth: 16 }
    }
}

/// The bytes are not RESP, or are more than we hold; what follows them cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum ProtocolError {
    /// What is wrong, in the words of Redis where it has some.
    #[error("Protocol error: {0}")]
    Malformed(String),
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl ProtocolError {
    fn malformed(message: impl Into<String>) -> ProtocolError {
        ProtocolError::Malformed(message.into())
    }
}
