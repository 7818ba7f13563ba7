//! A tree of hashes over what a replica holds, by which two replicas find where they differ while
//! sending little more than the difference.
//!
//! ```text
//! level 0   root
//! level 1   16 spans of the ring
//!  …
//! level 4   65,536 buckets: keys whose tokens share their first 16 bits
//! ```
//!
//! A bucket's hash is the XOR of `xxh3_64(token, digest)` over its keys, so that a write changes it
//! in place, without a look at the bucket's other keys. Each inner node is `xxh3_64` of its
//! [`FANOUT`] children. The hash of what holds nothing is zero, and takes no room: the keys of one
//! replica set lie on some arcs of the ring only, so all trees of a keyspace together are about as
//! large as one that is full (a megabyte and a tenth).
//!
//! Why XOR is sound here: each key stands in a bucket once, and the hashes of two different pairs
//! are as good as independent, so two buckets that differ by accident (a write missed, a bit
//! flipped) have the same XOR once in 2^64. It is no defence against somebody who chooses records
//! to collide; replicas of a cluster trust each other.
//!
//! Fan-out trades rounds against bytes: 16 children in four levels find a lone difference in four
//! rounds and 64 hashes; a binary tree would take sixteen rounds and 32, a flat one 65,536 hashes.
//!
//! Source: Merkle, "A Digital Signature Based on a Conventional Encryption Function", CRYPTO 1987;
//! DeCandia et al., "Dynamo", SOSP 2007, §4.7. Departure: a tree a replica set and keyspace
//! instead of one a key range, as arcs with the same replicas hold the same keys. A bucket that an
//! arc ends in stands in two trees, and each counts its own keys only.

mod bucket;
mod comparison;
mod node;
mod span;

pub use bucket::Bucket;
pub use comparison::{Comparison, Uneven};
pub use span::{DEPTH, FANOUT, Span};

use node::{Node, hash_pair};

use crate::ring::Token;

/// The hashes of what a replica holds of one keyspace, for one replica set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MerkleTree {
    root: Node,
}

impl MerkleTree {
    /// The tree of no keys.
    pub fn new() -> MerkleTree {
        MerkleTree::default()
    }

    /// `key` held a record of digest `old` and holds one of `new` from now on; `None` is no record.
    ///
    /// *Requires* that `old` is what the tree was told last: the old hash is taken out by adding it
    /// once more.
    pub fn update(&mut self, key: &[u8], old: Option<u64>, new: Option<u64>) {
        if old == new {
            return;
        }
        let token = Token::of(key);
        let change = [old, new].into_iter().flatten().fold(0, |sum, d| sum ^ hash_pair(token, d));
        self.root.change(0, Bucket::at(token), change);
    }

    /// The hash of everything: equal on replicas that hold the same.
    pub fn root(&self) -> u64 {
        self.root.hash()
    }

    /// The hashes of a node's children. *Requires* an inner node.
    pub fn children(&self, span: Span) -> [u64; FANOUT] {
        self.root.find(span).map_or([0; FANOUT], Node::children)
    }
}

#[cfg(test)]
mod tests;
