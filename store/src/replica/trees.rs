//! The Merkle trees over this node's copies, one for each keyspace and replica set it belongs to.

use std::sync::{Mutex, PoisonError};

use crate::merkle::{FANOUT, MerkleTree, Span};
use crate::placement::{Placement, TreeId};

/// The Merkle trees over this node's copies.
pub struct Trees {
    // One lock a tree: a write holds it for the few hashes on the path to the root.
    trees: Vec<Option<Mutex<MerkleTree>>>,
}

impl Trees {
    /// An empty tree for each that this node belongs to.
    pub(super) fn new(placement: &Placement) -> Trees {
        let is_mine = |tree: &crate::placement::Tree| tree.replicas.contains(placement.me());
        let trees = placement.trees().iter();
        Trees { trees: trees.map(|tree| is_mine(tree).then(Mutex::default)).collect() }
    }

    /// See [`MerkleTree::update`]. A key whose primaries are others is in no tree of ours.
    pub(super) fn update(&self, tree: TreeId, key: &[u8], old: Option<u64>, new: Option<u64>) {
        if let Some(tree) = self.trees.get(tree).and_then(Option::as_ref) {
            tree.lock().unwrap_or_else(PoisonError::into_inner).update(key, old, new);
        }
    }

    /// Looks at one tree; `None` if this node does not belong to it.
    fn with<T>(&self, tree: TreeId, look: impl FnOnce(&MerkleTree) -> T) -> Option<T> {
        let tree = self.trees.get(tree)?.as_ref()?;
        Some(look(&tree.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// See [`MerkleTree::children`]; `None` if this node does not belong to the tree.
    pub fn children(&self, tree: TreeId, span: Span) -> Option<[u64; FANOUT]> {
        self.with(tree, |tree| tree.children(span))
    }

    /// The root of a tree; `None` if this node does not belong to it.
    pub fn root(&self, tree: TreeId) -> Option<u64> {
        self.with(tree, MerkleTree::root)
    }
}
