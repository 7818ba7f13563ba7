//! Who is asked in the stead of whom, in one phase of one request.
//!
//! Stand-ins come from the preference list, behind the primaries, in order, those believed up first;
//! each stands in for one primary only, so that two acknowledgements are always those of two nodes.
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.6.

use std::collections::{BTreeSet, VecDeque};

use super::Target;
use crate::ring::NodeId;

/// Who is asked in the stead of whom.
#[derive(Clone, Debug)]
pub(super) struct StandIns {
    /// Who may yet be asked, in order.
    left: VecDeque<NodeId>,
    /// Primaries in whose stead somebody was asked who has not failed.
    covered: BTreeSet<NodeId>,
    /// Primaries that have failed themselves.
    failed: BTreeSet<NodeId>,
}

/// What is to be done for a primary that cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask this node in its stead.
    Ask(NodeId),
    /// Wait: somebody, or the primary itself, was asked already.
    Wait,
    /// Nobody is left: count its refusal.
    Refuse,
}

impl StandIns {
    pub(super) fn new(target: &Target) -> StandIns {
        let (down, up): (Vec<_>, Vec<_>) =
            target.stand_ins.iter().cloned().partition(|node| target.down.contains(node));
        let left = up.into_iter().chain(down).collect();
        StandIns { left, covered: BTreeSet::new(), failed: BTreeSet::new() }
    }

    /// `owner` is believed down, or silent for long.
    pub(super) fn cover(&mut self, owner: &NodeId) -> Step {
        if self.covered.contains(owner) {
            return Step::Wait;
        }
        match self.left.pop_front() {
            Some(node) => {
                self.covered.insert(owner.clone());
                Step::Ask(node)
            }
            None if self.failed.contains(owner) => Step::Refuse,
            None => Step::Wait,
        }
    }

    /// `owner` failed itself.
    pub(super) fn primary_failed(&mut self, owner: &NodeId) -> Step {
        self.failed.insert(owner.clone());
        self.cover(owner)
    }

    /// Who was asked in the stead of `owner` failed.
    pub(super) fn stand_in_failed(&mut self, owner: &NodeId) -> Step {
        self.covered.remove(owner);
        self.cover(owner)
    }

    /// Whether somebody was asked in the stead of `owner`.
    pub(super) fn covers(&self, owner: &NodeId) -> bool {
        self.covered.contains(owner)
    }
}
