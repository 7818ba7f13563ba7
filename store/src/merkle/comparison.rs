//! The walk down two trees at once, as a value: which hashes to look at next, and what was found.

use std::collections::BTreeSet;

use super::{Bucket, FANOUT, Span};

/// Hashes that are not [`FANOUT`] for each node asked about: whoever sent them has another tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got} hashes came for {asked} nodes of a tree")]
pub struct Uneven {
    /// Nodes whose children were asked for.
    pub asked: usize,
    /// Hashes that came.
    pub got: usize,
}

/// The walk down two trees at once: `new (asks tell)* buckets`, until it asks for nothing.
///
/// Both trees may change during the walk, for writes go on. Then a bucket may be named that does not
/// differ any more, or one missed until the next walk; neither loses anything. The walk ends either
/// way, for every answer takes it a level down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    asks: BTreeSet<Span>,
    buckets: BTreeSet<Bucket>,
}

impl Comparison {
    /// A walk down two trees of these roots.
    pub fn new(ours: u64, theirs: u64) -> Comparison {
        let asks = (ours != theirs).then_some(Span::ROOT).into_iter().collect();
        Comparison { asks, buckets: BTreeSet::new() }
    }

    /// Up to `limit` nodes whose children must be told, all of one level, ascending; none when the
    /// walk is done.
    pub fn asks(&self, limit: usize) -> Vec<Span> {
        let level = self.asks.first().map(|span| span.level);
        let asks = self.asks.iter().take_while(|span| Some(span.level) == level);
        asks.take(limit).copied().collect()
    }

    /// The hashes under `spans` are these, one node's after the other's. What was not asked for is
    /// ignored.
    pub fn tell(&mut self, spans: &[Span], ours: &[u64], theirs: &[u64]) -> Result<(), Uneven> {
        for hashes in [ours, theirs] {
            if hashes.len() != spans.len() * FANOUT {
                return Err(Uneven { asked: spans.len(), got: hashes.len() });
            }
        }
        let pairs = ours.chunks(FANOUT).zip(theirs.chunks(FANOUT));
        for (span, (ours, theirs)) in spans.iter().zip(pairs) {
            if self.asks.remove(span) {
                self.descend(*span, ours, theirs);
            }
        }
        Ok(())
    }

    fn descend(&mut self, span: Span, ours: &[u64], theirs: &[u64]) {
        for nth in (0..FANOUT).filter(|nth| ours[*nth] != theirs[*nth]) {
            let child = span.child(nth);
            self.buckets.extend(child.bucket());
            self.asks.extend(Some(child).filter(|child| child.bucket().is_none()));
        }
    }

    /// The buckets found to differ so far.
    pub fn buckets(&self) -> &BTreeSet<Bucket> {
        &self.buckets
    }

    /// The same, which are then forgotten here.
    pub fn take_buckets(&mut self) -> BTreeSet<Bucket> {
        std::mem::take(&mut self.buckets)
    }
}
