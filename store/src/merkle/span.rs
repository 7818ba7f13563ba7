//! A node of the tree, by name: the buckets below it, which are a span of the ring.

use super::Bucket;

/// Children of an inner node.
pub const FANOUT: usize = 16;

/// Levels below the root.
pub const DEPTH: u8 = 4;

const _: () = assert!(FANOUT.pow(DEPTH as u32) == Bucket::COUNT, "every bucket is a leaf");

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

    /// The inner node of this name; `None` if no tree has it.
    pub fn inner(level: u32, index: u32) -> Option<Span> {
        let level = u8::try_from(level).ok().filter(|level| *level < DEPTH)?;
        let count = FANOUT.pow(level.into()) as u32;
        (index < count).then_some(Span { level, index })
    }

    /// The bucket that this is, if it is a leaf.
    pub fn bucket(self) -> Option<Bucket> {
        (self.level == DEPTH).then_some(Bucket(self.index as u16))
    }

    /// The `nth` of its [`FANOUT`] children. *Requires* an inner node.
    #[must_use]
    pub fn child(self, nth: usize) -> Span {
        assert!(self.level < DEPTH && nth < FANOUT, "a bucket has no children");
        Span { level: self.level + 1, index: self.index * FANOUT as u32 + nth as u32 }
    }
}

/// Which child of a node of `level` leads to `bucket`.
pub(super) fn turn(level: u8, bucket: Bucket) -> usize {
    let below = FANOUT.pow(u32::from(DEPTH - level - 1));
    usize::from(bucket.0) / below % FANOUT
}
