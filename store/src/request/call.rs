//! What a request asks of nodes, and what else it wants done.

use bytes::Bytes;

use super::Failure;
use crate::ring::NodeId;
use crate::version::{Context, Encoded, Record};

/// What a request asks of one node, this one included.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Your own copy; or that it is the same, where its digest is `known`.
    Read {
        /// Digest of the copy that the coordinator holds, if it holds one.
        known: Option<u64>,
    },
    /// What you keep of the key in the stead of `owner`.
    ReadHeld {
        /// Whose.
        owner: NodeId,
    },
    /// Join this with your own copy, and say so when that is durable.
    Store(Record),
    /// Keep this in the stead of `owner` until it has it, and say so when that is durable.
    Hold {
        /// Whose.
        owner: NodeId,
        /// What.
        record: Record,
    },
    /// Write this under a fresh dot of yours, and say so when that is durable. Asked only of oneself.
    Update {
        /// The past its client has read.
        context: Context,
        /// The new value; `None` deletes.
        value: Option<Bytes>,
    },
    /// Coordinate this write, as a primary of its key.
    Forward {
        /// The past its client has read.
        context: Context,
        /// The new value; `None` deletes.
        value: Option<Bytes>,
        /// Acknowledgements to wait for.
        w: usize,
    },
}

/// What a node replies.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To [`Call::Read`] and [`Call::ReadHeld`]: what is held of the key, if anything.
    Copy(Option<Encoded>),
    /// To [`Call::Read`]: nothing is held, and no tombstone with a counter above this was forgotten.
    Nothing {
        /// See [`Replica`](crate::replica::Replica).
        floor: u64,
    },
    /// To [`Call::Read`]: what is held has the digest that was known.
    Same,
    /// To [`Call::Store`] and [`Call::Hold`]: it is done, and durable.
    Done,
    /// To [`Call::Update`]: the own copy, durable with the new value in it, and the context with which
    /// its writer may go on: it knows of no sibling that the writer has not read.
    Updated(Record, Context),
    /// To [`Call::Forward`]: the context after the write.
    Forwarded(Context),
}

/// Names a call of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId {
    /// Who is asked.
    pub to: NodeId,
    /// What for.
    pub purpose: Purpose,
}

/// What a call is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The read phase.
    Read,
    /// The read phase, in the stead of a primary.
    ReadFor(NodeId),
    /// A dot of this node.
    Update,
    /// To be coordinated by a primary.
    Forward,
    /// The write phase.
    Store,
    /// The write phase, in the stead of a primary.
    HoldFor(NodeId),
    /// A replica that a read found behind.
    Repair,
}

/// What a request wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask a node, and tell [`Request::hear`](super::Request::hear) what became of it, once: its reply, or
    /// why there is none. A call that is not answered by the deadline has ended.
    Call(CallId, Call),
    /// Tell the client. Comes exactly once.
    Answer(Result<Outcome, Failure>),
    /// Keep this at this node until its owner has it.
    Hint {
        /// For whom.
        owner: NodeId,
        /// What it missed.
        record: Record,
    },
    /// Call [`Request::wake`](super::Request::wake) with this, once it takes so long. Instead of what was
    /// asked for before, if that is still to come.
    Wake(Patience),
    /// Count this.
    Count(Event),
}

/// How long is waited before more is done for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as hardly a reply takes: replicas that were spared are asked too.
    Hedge,
    /// As long as nobody takes who is well: who is silent gets a stand-in.
    StandIn,
}

/// What is worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A register read wrote back before it replied.
    WroteBack,
    /// A replica that a read had found behind was mended.
    Repaired,
    /// A sibling update was handed to a primary.
    Forwarded,
    /// A stand-in was asked in the stead of a primary.
    StoodIn,
    /// A replica that a read had spared was asked after all.
    Hedged,
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// What a quorum held, joined; `None`: nobody held anything.
    Read(Option<Record>),
    /// The context after the write.
    Written(Context),
}
