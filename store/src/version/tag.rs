//! The logical time of a register write: later than all its writer had read, and no one else's.
//!
//! A writer asks a read quorum for its highest tag and takes the next counter. Two writers may take
//! the same counter at once; the node's name then breaks the tie, alike on every replica.
//!
//! Counter and name are not enough. A coordinator `n1` may leave its write (5, n1) on a minority and
//! crash; after its restart it reads a quorum that missed that write, finds 4 the highest, and would
//! give (5, n1) again, to *another value*: two replicas would hold one tag and different values, and
//! no read could ever tell. Nor is a crash needed: two clients may write through one coordinator at
//! once, and both of their read phases find 4. So each write has a [`Nonce`] of its own: the boot it was made in, and its
//! number in that boot.
//!
//! Source: Lynch and Shvartsman, "Robust emulation of shared memory using dynamic quorum-acknowledged
//! broadcasts", FTCS 1997, after Attiya, Bar-Noy and Dolev, "Sharing memory robustly in
//! message-passing systems", JACM 1995. Departure: the nonce, as their writers do not restart.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::ring::NodeId;

/// What no other write of the same node has: *Requires* that the shell never gives one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce {
    /// Rises with every start of the node.
    pub epoch: u64,
    /// Counts the writes of that boot.
    pub sequence: u64,
}

impl Nonce {
    /// The epoch of an actor that numbers this one write and no other: 64 bits of `xxh3`, which an epoch
    /// drawn at random, as others are, would be no surer not to be.
    pub fn epoch_of_its_own(self) -> u64 {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sequence.to_le_bytes());
        xxh3_64(&bytes)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.sequence)
    }
}

/// The logical time of a register write, ordered by counter, node, nonce.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// One more than the highest its writer had read.
    pub counter: u64,
    /// Who coordinated the write.
    pub node: NodeId,
    /// Which write of that node.
    pub nonce: Nonce,
}

impl Tag {
    /// The tag of a new write by `node`, whose read phase found `highest`.
    pub fn next(highest: Option<&Tag>, node: NodeId, nonce: Nonce) -> Tag {
        Tag::above(highest.map_or(0, |tag| tag.counter), node, nonce)
    }

    /// The tag of a new write by `node`, whose read phase found no counter above this one.
    pub fn above(counter: u64, node: NodeId, nonce: Nonce) -> Tag {
        Tag { counter: counter + 1, node, nonce }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.counter, self.node, self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str) -> NodeId {
        name.parse().unwrap()
    }

    fn nonce(epoch: u64, sequence: u64) -> Nonce {
        Nonce { epoch, sequence }
    }

    #[test]
    fn a_tag_is_later_than_all_its_writer_had_read() {
        let first = Tag::next(None, node("n9"), nonce(8, 8));
        let second = Tag::next(Some(&first), node("n1"), nonce(1, 1));
        assert!(first < second, "{first} is not before {second}");
        assert_eq!(second.to_string(), "2/n1/1.1");
    }

    #[test]
    fn writers_that_take_the_same_counter_are_ordered_by_name() {
        let [a, b] = ["n1", "n2"].map(|name| Tag::next(None, node(name), nonce(1, 1)));
        assert!(a < b);
    }

    #[test]
    fn a_coordinator_that_crashed_in_a_write_does_not_give_its_tag_again() {
        let seen = Tag { counter: 4, node: node("n2"), nonce: nonce(1, 9) };
        let before = Tag::next(Some(&seen), node("n1"), nonce(1, 7));
        let after = Tag::next(Some(&seen), node("n1"), nonce(2, 0));
        assert!(before < after, "{before} is not before {after}");
    }
}
