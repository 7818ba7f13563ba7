//! One node of a tree and all below it; where there is nothing below, nothing is kept.
//!
//! A write changes the hash of its bucket, and only forgets those above: they are hashed anew when
//! somebody asks. A thousand writes between two exchanges then cost a thousand additions and the hashes
//! of one walk, and not four hashes each.

use std::cell::Cell;

use xxhash_rust::xxh3::xxh3_64;

use super::Bucket;
use super::span::{DEPTH, FANOUT, Span, turn};
use crate::ring::Token;

/// A node and its children. Invariant: without children its hash is zero, unless it is a bucket, so
/// that trees over the same records are equal, whatever they held before.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Zero beside children: not hashed since they changed. (Should a hash be zero, it is hashed again.)
    hash: Cell<u64>,
    below: Option<Box<[Node; FANOUT]>>,
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.hash() == other.hash() && self.below == other.below
    }
}

impl Eq for Node {}

impl Node {
    pub(super) fn hash(&self) -> u64 {
        if self.hash.get() == 0 && self.below.is_some() {
            self.hash.set(hash_children(self.children()));
        }
        self.hash.get()
    }

    /// The hashes of its children; of a node that holds nothing, zeros.
    pub(super) fn children(&self) -> [u64; FANOUT] {
        self.below.as_ref().map_or([0; FANOUT], |below| below.each_ref().map(Node::hash))
    }

    /// Adds `change` to `bucket`'s hash, this node being one of `level`, and forgets those on the way.
    pub(super) fn change(&mut self, level: u8, bucket: Bucket, change: u64) {
        if level == DEPTH {
            self.hash.set(self.hash.get() ^ change);
            return;
        }
        self.hash.set(0);
        let below = self.below.get_or_insert_default();
        let child = &mut below[turn(level, bucket)];
        child.change(level + 1, bucket, change);
        if child.is_empty() && below.iter().all(Node::is_empty) {
            self.below = None;
        }
    }

    fn is_empty(&self) -> bool {
        self.hash.get() == 0 && self.below.is_none()
    }

    /// The node called `span`, this one being the root; `None` where nothing is held.
    pub(super) fn find(&self, span: Span) -> Option<&Node> {
        let width = FANOUT.pow(u32::from(DEPTH - span.level)) as u32;
        let first = Bucket((span.index * width) as u16);
        (0..span.level).try_fold(self, |node, level| {
            node.below.as_ref().map(|below| &below[turn(level, first)])
        })
    }
}

/// The hash of a key at `token` with a record of `digest`.
pub(super) fn hash_pair(token: Token, digest: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&token.0.to_le_bytes());
    bytes[8..].copy_from_slice(&digest.to_le_bytes());
    xxh3_64(&bytes)
}

fn hash_children(children: [u64; FANOUT]) -> u64 {
    let mut bytes = [0; FANOUT * 8];
    for (place, child) in bytes.chunks_exact_mut(8).zip(children) {
        place.copy_from_slice(&child.to_le_bytes());
    }
    xxh3_64(&bytes)
}
