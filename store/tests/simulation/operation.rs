//! What a client asked, and how it ended.

use store::request::{Failure, Outcome as Reply};
use store::version::Context;

use crate::agenda::Micros;
use crate::letter::Key;

/// What a client asked.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// What is there.
    Read,
    /// A write.
    Write {
        /// Whether the key is deleted; if not, the value is the operation's number.
        deletes: bool,
        /// The past the client hands back.
        context: Context,
        /// The values that came with that past: what the client knows to be overwriting.
        saw: Vec<u64>,
    },
}

/// How an operation ended.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "the journal and the verdict print why an operation failed")]
pub(crate) enum Outcome {
    /// It has not ended.
    Open,
    /// It happened, and this was the reply.
    Ok(Reply),
    /// Certainly without any effect.
    Fail(Failure),
    /// Nobody knows.
    Info(String),
}

/// What a client asked, and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Unique in its run, from 1; also the value that it writes.
    pub(crate) number: u64,
    pub(crate) client: usize,
    pub(crate) key: Key,
    pub(crate) asked: Asked,
    pub(crate) outcome: Outcome,
    /// When it ended: the last delete of its register that was forgotten by then.
    pub(crate) forgotten: Option<u64>,
    /// The coordinator.
    pub(crate) node: usize,
    pub(crate) began: Micros,
}

impl Operation {
    /// Whether it is a write that was acknowledged.
    pub(crate) fn is_written(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(Reply::Written(_)))
    }

    /// Whether it certainly had no effect.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Fail(_))
    }

    /// The value it writes, if any.
    pub(crate) fn value(&self) -> Option<u64> {
        matches!(self.asked, Asked::Write { deletes: false, .. }).then_some(self.number)
    }

    /// The values it overwrites, as its client knows them.
    pub(crate) fn saw(&self) -> &[u64] {
        match &self.asked {
            Asked::Write { saw, .. } => saw,
            Asked::Read => &[],
        }
    }
}
