//! One node of a tree and all below it; where there is nothing below, nothing is kept.

use xxhash_rust::xxh3::xxh3_64;

use super::Bucket;
use super::span::{DEPTH, FANOUT, Span, turn};
use crate::ring::Token;

/// A node and its children. Invariant: without children its hash is zero, unless it is a bucket, so
/// that trees over the same records are equal, whatever they held before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    hash: u64,
    below: Option<Box<[Node; FANOUT]>>,
}

impl Node {
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// The hashes of its children; of a node that holds nothing, zeros.
    pub(super) fn children(&self) -> [u64; FANOUT] {
        self.below.as_ref().map_or([0; FANOUT], |below| below.each_ref().map(Node::hash))
    }

    /// Adds `change` to `bucket`'s hash, this node being one of `level`, and hashes the way to it.
    pub(super) fn change(&mut self, level: u8, bucket: Bucket, change: u64) {
        if level == DEPTH {
            self.hash ^= change;
            return;
        }
        let below = self.below.get_or_insert_default();
        below[turn(level, bucket)].change(level + 1, bucket, change);
        let children = self.children();
        if children == [0; FANOUT] {
            *self = Node::default();
        } else {
            self.hash = hash_children(children);
        }
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
