//! What a node that lost its disk has fetched of the others' copies: the store's [`CatchUp`] decides when
//! it may answer again.
//!
//! An exchange with another node is here a fetch of each key that both hold. It began when the first of
//! them did; one that was lost, or came too early to count, is fetched once more.

use std::collections::BTreeMap;
use std::time::Duration;

use store::catch_up::CatchUp;
use store::ring::NodeId;

use crate::agenda::Micros;
use crate::flaw::Flaw;
use crate::letter::Key;
use crate::node::Node;
use crate::plan::{DEADLINE, Plan};

/// What is known of the others' copies.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    decides: CatchUp,
    /// When the node started.
    start: Micros,
    /// Of each node and key: when the fetch began whose copy is joined here, and durable.
    fetched: BTreeMap<(usize, Key), Option<Micros>>,
}

impl Fetches {
    /// All that `node` has to hear if it starts `now` with an empty disk.
    pub(crate) fn begin(plan: &Plan, node: usize, now: Micros) -> Fetches {
        let others = (0..plan.nodes).filter(|other| *other != node);
        let all = others.flat_map(|other| plan.shared(node, other).map(move |key| (other, key)));
        let fetched: BTreeMap<(usize, Key), Option<Micros>> =
            all.map(|copy| (copy, None)).collect();
        let waits = if plan.flaw == Some(Flaw::WipedCatchesUpAtOnce) { 0 } else { DEADLINE };
        let others = fetched.keys().map(|(other, _)| Node::name(*other));
        let decides = CatchUp::begin(others, Duration::from_micros(waits));
        Fetches { decides, start: now, fetched }
    }

    /// Whether reads of a key of these primaries are answered.
    pub(crate) fn answers(&self, primaries: impl Iterator<Item = usize>) -> bool {
        let primaries: Vec<NodeId> = primaries.map(Node::name).collect();
        self.decides.owed(&primaries).next().is_none()
    }

    /// The copy of `other`, asked for at `began`, is joined, and durable.
    pub(crate) fn fetched(&mut self, other: usize, key: Key, began: Micros) {
        let Some(fetch) = self.fetched.get_mut(&(other, key)) else { return };
        *fetch = Some(began);
        let of_other = self.fetched.iter().filter(|((node, _), _)| *node == other);
        let first = of_other.map(|(_, began)| *began).min().flatten();
        if let Some(first) = first.and_then(|first| first.checked_sub(self.start)) {
            self.decides.exchanged(&Node::name(other), Duration::from_micros(first));
        }
    }

    /// Whether nothing is left to be heard.
    pub(crate) fn is_done(&self) -> bool {
        self.decides.left() == 0
    }
}
