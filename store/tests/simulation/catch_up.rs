//! When a node that lost its disk may answer reads of registers again.
//!
//! A quorum of two meets every other because nobody forgets. A node that lost its disk has forgotten
//! what it acknowledged, and a read that counted it would miss a write that only one other replica
//! has. So it keeps silent until it has *exchanged with every other replica* of its keys: whatever it
//! acknowledged in its former life was acknowledged by one of those too.
//!
//! Not at once, though: an acknowledgement of the former life may still be on its way to a coordinator
//! that counts it when the other replica's comes in, after the exchange with that one. Requests end
//! by their deadline, so an exchange counts that was *begun one deadline after the start*.
//!
//! Siblings need none of this, for what a read of theirs misses is not overwritten by who read.

use std::collections::BTreeSet;

use store::Policy;

use crate::agenda::Micros;
use crate::flaw::Flaw;
use crate::letter::Key;
use crate::plan::{DEADLINE, KEYS, Plan};

/// What a node that lost its disk has yet to hear before it answers reads of registers.
#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    /// From when on exchanges count.
    from: Micros,
    /// Copies to be fetched: of whom, and of which key.
    owed: BTreeSet<(usize, Key)>,
}

impl CatchUp {
    /// All that `node` has to hear if it starts `now` with an empty disk.
    pub(crate) fn begin(plan: &Plan, node: usize, now: Micros) -> CatchUp {
        let waits = if plan.flaw == Some(Flaw::WipedCatchesUpAtOnce) { 0 } else { DEADLINE };
        let others = (0..plan.nodes).filter(|other| *other != node);
        let owed = others.flat_map(|other| plan.shared(node, other).map(move |key| (other, key)));
        CatchUp { from: now + waits, owed: owed.collect() }
    }

    /// Whether reads of `key` are answered.
    pub(crate) fn answers(&self, key: Key) -> bool {
        KEYS[key].policy != Policy::Register || self.owed.iter().all(|(_, owed)| *owed != key)
    }

    /// Whether what is fetched from `now` on counts.
    pub(crate) fn counts(&self, now: Micros) -> bool {
        now >= self.from
    }

    /// The copy of `other` is joined, and durable.
    pub(crate) fn fetched(&mut self, other: usize, key: Key) {
        self.owed.remove(&(other, key));
    }

    /// Whether nothing is left to be heard.
    pub(crate) fn is_done(&self) -> bool {
        self.owed.is_empty()
    }
}
