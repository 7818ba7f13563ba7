//! A tree of hashes over what a replica holds, by which two replicas find where they differ while
//! sending little more than the difference.
//!
//! Keys fall into [`BUCKETS`] by the low bits of their token. (The high bits place a key on the
//! ring, and the keys of one replica set lie on a few arcs only: by those most buckets would stay
//! empty.) A bucket's hash is the XOR of `xxh3_64(token, digest)` over its keys, so that a write
//! changes it in place, without a look at the bucket's other keys. Each inner node is `xxh3_64` of
//! its [`FANOUT`] children.
//!
//! Why XOR is sound here: each key stands in a bucket once, and the hashes of two different pairs
//! are as good as independent, so two buckets that differ by accident (a write missed, a bit
//! flipped) have the same XOR once in 2^64. It is no defence against somebody who chooses records
//! to collide; replicas of a cluster trust each other.
//!
//! Fan-out trades rounds against bytes: 32 × 32 finds a lone difference in two rounds and 64
//! hashes; a binary tree would take ten rounds and 20.
//!
//! Source: Merkle, "A Digital Signature Based on a Conventional Encryption Function", CRYPTO 1987;
//! DeCandia et al., "Dynamo", SOSP 2007, §4.7. Departure: a tree a replica set and keyspace
//! instead of one a key range, as arcs with the same replicas hold the same keys.

mod comparison;

pub use comparison::Comparison;

use xxhash_rust::xxh3::xxh3_64;

use crate::ring::Token;

/// Children of an inner node.
pub const FANOUT: usize = 32;

/// Levels below the root.
pub const DEPTH: u8 = 2;

/// Leaves of the tree.
pub const BUCKETS: usize = FANOUT.pow(DEPTH as u32);

/// Names a node of the tree: the `index`-th of its level; the root is the one node of level 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Distance from the root, at most [`DEPTH`].
    pub level: u8,
    /// Place in its level, from 0.
    pub index: u32,
}

impl Span {
    /// The whole tree.
    pub const ROOT: Span = Span { level: 0, index: 0 };

    /// The bucket that `key` falls into.
    pub fn bucket_of(key: &[u8]) -> Span {
        Span { level: DEPTH, index: (Token::of(key).0 % BUCKETS as u64) as u32 }
    }

    /// Whether this is a bucket, without children.
    pub fn is_bucket(self) -> bool {
        self.level == DEPTH
    }

    fn child(self, nth: usize) -> Span {
        Span { level: self.level + 1, index: self.index * FANOUT as u32 + nth as u32 }
    }

    fn parent(self) -> Span {
        Span { level: self.level - 1, index: self.index / FANOUT as u32 }
    }
}

/// The hashes of what a replica holds of one keyspace, for one replica set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerkleTree {
    /// Hashes of each level, the root's first: `FANOUT^level` of them.
    levels: Vec<Vec<u64>>,
}

impl Default for MerkleTree {
    fn default() -> MerkleTree {
        let mut levels = vec![vec![0; BUCKETS]];
        for _ in 0..DEPTH {
            levels.push(levels[levels.len() - 1].chunks(FANOUT).map(hash_children).collect());
        }
        levels.reverse();
        MerkleTree { levels }
    }
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
        let mut span = Span::bucket_of(key);
        self.levels[usize::from(DEPTH)][span.index as usize] ^= change;
        while span != Span::ROOT {
            span = span.parent();
            let hash = hash_children(self.children(span).expect("a parent has children"));
            self.levels[usize::from(span.level)][span.index as usize] = hash;
        }
    }

    /// The hash of everything: equal on replicas that hold the same.
    pub fn root(&self) -> u64 {
        self.levels[0][0]
    }

    /// The hash of one node; `None` if the tree has no such node.
    pub fn hash(&self, span: Span) -> Option<u64> {
        self.levels.get(usize::from(span.level))?.get(span.index as usize).copied()
    }

    /// The hashes of a node's [`FANOUT`] children; `None` of a bucket, or if there is no such node.
    pub fn children(&self, span: Span) -> Option<&[u64]> {
        let below = self.levels.get(usize::from(span.level) + 1)?;
        below.chunks(FANOUT).nth(span.index as usize)
    }

    /// The children of `span` whose hashes are not those of `theirs`: where to look further.
    /// A list of another length than [`FANOUT`] tells nothing, and so differs everywhere.
    pub fn difference(&self, span: Span, theirs: &[u64]) -> Vec<Span> {
        let ours = self.children(span).unwrap_or_default();
        let differs = |nth: &usize| theirs.len() != FANOUT || ours[*nth] != theirs[*nth];
        (0..ours.len()).filter(differs).map(|nth| span.child(nth)).collect()
    }
}

fn hash_pair(token: Token, digest: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&token.0.to_le_bytes());
    bytes[8..].copy_from_slice(&digest.to_le_bytes());
    xxh3_64(&bytes)
}

fn hash_children(children: &[u64]) -> u64 {
    let mut bytes = [0; FANOUT * 8];
    for (slot, child) in bytes.chunks_mut(8).zip(children) {
        slot.copy_from_slice(&child.to_le_bytes());
    }
    xxh3_64(&bytes)
}

#[cfg(test)]
mod tests;
