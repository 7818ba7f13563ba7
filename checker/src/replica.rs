//! What each replica held of a key in the end, as far as it said so.
//!
//! A final read is directed at every node. A node that answers holds a copy; one that fails with
//! `NOTREPLICA` is not responsible for the key; of any other nothing is known. A node may be asked
//! again: what it said last counts.

use std::collections::BTreeMap;

use crate::event::Function;
use crate::operation::Operation;

/// How a node says that it holds no copy of a key.
const NOT_RESPONSIBLE: &str = "NOTREPLICA";

/// What the replicas of one key said last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replicas<'h> {
    /// Reads that were answered, by node.
    pub(crate) copies: Vec<&'h Operation>,
    /// Nodes of which nothing is known.
    pub(crate) silent: Vec<&'h str>,
}

impl<'h> Replicas<'h> {
    /// The replica reads among the operations of one key.
    pub(crate) fn of(operations: &[&'h Operation]) -> Replicas<'h> {
        let mut last = BTreeMap::<&str, &Operation>::new();
        for read in operations.iter().filter(|read| read.f == Function::ReadReplica) {
            last.insert(read.node.as_deref().unwrap_or_default(), read);
        }
        let mut replicas = Replicas::default();
        for (node, read) in last {
            if read.is_ok() {
                replicas.copies.push(read);
            } else if !declines(read) {
                replicas.silent.push(node);
            }
        }
        replicas
    }

    /// Whether anybody was asked.
    pub(crate) fn were_asked(&self) -> bool {
        !self.copies.is_empty() || !self.silent.is_empty()
    }

    /// Why these may not be all copies of the key, where they may not. Once as many answered as are
    /// `promised` a silent node is none of them; where nothing is promised, it may be one.
    pub(crate) fn lack(&self, promised: Option<usize>) -> Option<String> {
        if !self.were_asked() {
            return Some("no replica was read".to_owned());
        }
        let answered = self.copies.len();
        if promised.map_or(self.silent.is_empty(), |promised| answered >= promised) {
            return None;
        }
        let wanted = promised.map(|promised| format!(" of {promised}")).unwrap_or_default();
        let silent = match self.silent.as_slice() {
            [] => String::new(),
            nodes => format!(", {} did not answer", nodes.join(" ")),
        };
        Some(format!("{answered}{wanted} replicas answered{silent}"))
    }
}

fn declines(read: &Operation) -> bool {
    read.error.as_deref().is_some_and(|error| error.starts_with(NOT_RESPONSIBLE))
}
