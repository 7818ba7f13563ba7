//! Which nodes answer for a key, and who stands in while they are away.
//!
//! Walk the ring clockwise from the key's token. The first `n` distinct nodes are its *primaries*;
//! those after them are *fallbacks*, each of which may hold a hint for one absent primary.
//!
//! Shape: `primaries.len() == min(n, members)`; primaries and fallbacks together are every member,
//! and no node stands in them twice, for virtual nodes of one machine fail as one.
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.3 and §4.6.
//! Departure: we stop after one lap, so a cluster smaller than `n` answers with fewer replicas.

use super::{NodeId, ReplicaSet};

/// Which nodes answer for a key, and who stands in while they are away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PreferenceList {
    /// The nodes that hold the key, nearest first.
    pub primaries: Vec<NodeId>,
    /// Every other member, in the order they stand in.
    pub fallbacks: Vec<NodeId>,
}

impl PreferenceList {
    /// Whether `node` is to hold the key.
    pub fn has_primary(&self, node: &NodeId) -> bool {
        self.primaries.contains(node)
    }

    /// The primaries as a set, without their order.
    pub fn replica_set(&self) -> ReplicaSet {
        ReplicaSet::new(self.primaries.iter().cloned())
    }
}
