//! The walk down two trees at once, as a value: which hashes to ask for next, and what was found.

use std::collections::BTreeSet;

use super::{MerkleTree, Span};

/// The walk down two trees at once: `new (asks tell*)* buckets`, until it asks for nothing.
///
/// Our tree may change during the walk, for writes go on. Then a bucket may be named that does not
/// differ any more, or one missed until the next walk; neither loses anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    asks: BTreeSet<Span>,
    buckets: BTreeSet<Span>,
}

impl Comparison {
    /// A walk down `ours` and a tree with the root `theirs`.
    pub fn new(ours: &MerkleTree, theirs: u64) -> Comparison {
        let mut comparison = Comparison::default();
        if ours.root() != theirs {
            comparison.asks.insert(Span::ROOT);
        }
        comparison
    }

    /// Nodes of their tree whose children must be told, ascending; none when the walk is done.
    pub fn asks(&self) -> Vec<Span> {
        self.asks.iter().copied().collect()
    }

    /// They say that `children` are the hashes under `span`. What was not asked for is ignored.
    pub fn tell(&mut self, ours: &MerkleTree, span: Span, children: &[u64]) {
        if self.asks.remove(&span) {
            let differing = ours.difference(span, children);
            let (buckets, inner): (Vec<Span>, Vec<Span>) =
                differing.into_iter().partition(|span| span.is_bucket());
            self.buckets.extend(buckets);
            self.asks.extend(inner);
        }
    }

    /// The buckets found to differ, ascending.
    pub fn buckets(&self) -> Vec<Span> {
        self.buckets.iter().copied().collect()
    }
}
