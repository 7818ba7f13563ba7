//! What nodes send each other: an ask, and where its answer is to go.

use store::request::Call;

use crate::agenda::Micros;

/// Names a call among all calls of a run.
pub(crate) type CallNumber = u64;

/// Place of a key in the plan.
pub(crate) type Key = usize;

/// Where the answer to a call goes: to the life of the node that made it, for no later one knows of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Return {
    /// Who called.
    pub(crate) node: usize,
    /// In which of its lives.
    pub(crate) life: u64,
    /// Which call.
    pub(crate) call: CallNumber,
}

/// What one node asks of another.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// What a request asks.
    Call(Call),
    /// A copy for the sake of anti-entropy, which counts toward no quorum.
    Fetch,
    /// That the tombstone with this digest be forgotten.
    Forget(u64),
}

/// An ask on its way.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Where the answer goes.
    pub(crate) from: Return,
    /// Who is asked.
    pub(crate) to: usize,
    /// The life of that node with which there was a connection; a later one never gets this.
    pub(crate) to_life: u64,
    /// About which key.
    pub(crate) key: Key,
    /// What is asked.
    pub(crate) ask: Ask,
    /// How long the caller will wait, seen from when it was sent.
    pub(crate) left: Micros,
}
