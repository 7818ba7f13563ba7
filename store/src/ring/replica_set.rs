//! Nodes that hold the same keys.
//!
//! Arcs with the same primaries in another order hold their keys on the same nodes, so one Merkle
//! tree a set (and keyspace) is enough to compare them, however many arcs the set has.

use std::fmt;
use std::sync::Arc;

use super::NodeId;

/// Nodes that hold the same keys, ascending. Prints as `n1,n2,n3`; a clone shares the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaSet(Arc<[NodeId]>);

impl ReplicaSet {
    /// The set of these nodes.
    pub fn new(nodes: impl IntoIterator<Item = NodeId>) -> ReplicaSet {
        let mut nodes: Vec<NodeId> = nodes.into_iter().collect();
        nodes.sort_unstable();
        nodes.dedup();
        ReplicaSet(nodes.into())
    }

    /// The nodes, ascending.
    pub fn nodes(&self) -> &[NodeId] {
        &self.0
    }

    /// Whether `node` is one of them.
    pub fn contains(&self, node: &NodeId) -> bool {
        self.0.binary_search(node).is_ok()
    }
}

impl fmt::Display for ReplicaSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, node) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{node}")?;
        }
        Ok(())
    }
}
