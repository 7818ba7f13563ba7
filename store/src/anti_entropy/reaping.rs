//! When tombstones may be forgotten, as a value: what is to be done next comes out, what was heard goes
//! in.
//!
//! A tombstone T is what keeps an older value V of its key dead. If T is forgotten while a V is left
//! anywhere, on a replica that was away, in a hint, in a message, then V looks like news, and comes
//! back. Clocks do not help: a node may be away, frozen or cut off for longer than any grace period
//! somebody chose. So no time is waited for here, and everybody is asked:
//!
//! ```text
//! settle    every member once: which start of it this is, and how many hints it has taken
//! compare   with every other replica of the tree: all of them now hold T, or what came after it,
//!           so nobody will find a V on a replica any more
//! settle    every member of the cluster, three times: what it had begun is over and delivered, it keeps
//!           no hint, and has taken none since the first time
//! forget    T, wherever it is still what is held
//! ```
//!
//! Why before the comparison: who is started anew after it may have lost T with its disk, and is told by
//! its boot. Why every member: each coordinates, and each keeps hints. Why three times after it: a
//! request may have read V from what a stand-in kept, and have it kept by another, behind the back of
//! who was asked before. No hint was anywhere between the last answer of the first time and the first
//! of the third. So whoever holds a V has read it before the second time, which waits for all that was
//! begun before it; and who would have it kept by another is seen the third time. One who is away, and one who says no, ends the
//! round: nothing was forgotten, and the next one tries again. The price: while a member is away
//! tombstones stay.
//!
//! After the third time no V is left, for ever: so it does not matter how late a replica forgets T, or
//! that it is brought T once more by one that forgets later. What a replica must remember is how high
//! the counters went that it has forgotten: its *floor*, see [`Replica`](crate::replica::Replica).
//!
//! Source: the problem, that of "doomstones" and of deleted data that comes back, as in Riak (riak_kv
//! #679) and in Cassandra where a repair takes longer than `gc_grace_seconds`. Departure: no time.

use std::collections::{BTreeMap, BTreeSet};

use crate::peer::message::Calm;
use crate::ring::NodeId;

/// Times that every member is asked to settle: before the comparison, and after it.
const TIMES: [usize; 2] = [1, 3];

/// A round in which some tombstones of one tree are to be forgotten.
#[derive(Clone, Debug)]
pub struct Reaping {
    /// Other replicas with whom to compare.
    uncompared: BTreeSet<NodeId>,
    members: BTreeSet<NodeId>,
    /// What each member said the first time.
    first: BTreeMap<NodeId, Calm>,
    /// Who has yet to settle this time.
    unsettled: BTreeSet<NodeId>,
    /// Times that all have settled.
    times: usize,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Compare with these, in any order.
    Compare(BTreeSet<NodeId>),
    /// Ask these to settle, in any order; this node is one of them.
    Settle(BTreeSet<NodeId>),
    /// All replicas may forget what was a tombstone when the round began.
    Forget,
}

/// Why a round ends without having forgotten anything; phrased to follow the name of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Restless {
    /// A hint may hold what a tombstone keeps dead.
    #[error("keeps {0} hints")]
    Hints(u64),
    /// Hints came and went.
    #[error("has taken hints meanwhile, or was started anew")]
    Changed,
}

impl Reaping {
    /// A round for a tree that this node shares with `fellows`, in a cluster of these `members`, this node
    /// among them. *Requires* that the tombstones to be forgotten were held here before.
    pub fn begin(fellows: BTreeSet<NodeId>, members: BTreeSet<NodeId>) -> Reaping {
        let unsettled = members.clone();
        Reaping { uncompared: fellows, members, first: BTreeMap::new(), unsettled, times: 0 }
    }

    /// What is to be done next.
    pub fn step(&self) -> Step {
        let [before, after] = TIMES;
        if self.times < before {
            Step::Settle(self.unsettled.clone())
        } else if !self.uncompared.is_empty() {
            Step::Compare(self.uncompared.clone())
        } else if self.times < before + after {
            Step::Settle(self.unsettled.clone())
        } else {
            Step::Forget
        }
    }

    /// A comparison with `fellow` was begun after the round, and left nothing out.
    pub fn compared(&mut self, fellow: &NodeId) {
        self.uncompared.remove(fellow);
    }

    /// `member` was asked to settle after [`Reaping::step`] had named it, and has.
    ///
    /// # Errors
    ///
    /// Where the round is over, for a hint may hold what a tombstone keeps dead.
    pub fn settled(&mut self, member: &NodeId, calm: Calm) -> Result<(), Restless> {
        if calm.hints_kept > 0 {
            return Err(Restless::Hints(calm.hints_kept));
        }
        if *self.first.entry(member.clone()).or_insert(calm) != calm {
            return Err(Restless::Changed);
        }
        self.unsettled.remove(member);
        if self.unsettled.is_empty() {
            self.times += 1;
            self.unsettled.clone_from(&self.members);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::test_records::node;

    const CALM: Calm = Calm { hints_kept: 0, hints_taken: 7, boot: 1 };

    fn nodes<const N: usize>(names: [&str; N]) -> BTreeSet<NodeId> {
        names.map(node).into()
    }

    fn all() -> BTreeSet<NodeId> {
        nodes(["n1", "n2", "n3", "n4"])
    }

    fn all_settle(reaping: &mut Reaping) {
        for member in all() {
            reaping.settled(&member, CALM).unwrap();
        }
    }

    /// A round of n1 for a tree on n1, n2, n3, when the comparisons are done.
    fn compared() -> Reaping {
        let mut reaping = Reaping::begin(nodes(["n2", "n3"]), all());
        assert_eq!(reaping.step(), Step::Settle(all()));
        all_settle(&mut reaping);
        assert_eq!(reaping.step(), Step::Compare(nodes(["n2", "n3"])));
        reaping.compared(&node("n3"));
        assert_eq!(reaping.step(), Step::Compare(nodes(["n2"])));
        reaping.compared(&node("n2"));
        reaping
    }

    #[test]
    fn tombstones_are_forgotten_once_all_replicas_have_them_and_all_members_settled_three_times() {
        let mut reaping = compared();
        for time in 0..TIMES[1] {
            let mut left = all();
            for member in all() {
                assert_eq!(reaping.step(), Step::Settle(left.clone()), "time {time}");
                reaping.settled(&member, CALM).unwrap();
                left.remove(&member);
            }
        }
        assert_eq!(reaping.step(), Step::Forget);
    }

    #[test]
    fn a_hint_anywhere_ends_the_round() {
        let kept = Calm { hints_kept: 2, ..CALM };
        assert_eq!(compared().settled(&node("n4"), kept), Err(Restless::Hints(2)));
    }

    #[test]
    fn a_hint_that_came_and_went_and_a_start_end_the_round() {
        for changed in [Calm { hints_taken: 8, ..CALM }, Calm { boot: 2, ..CALM }] {
            for times in 0..TIMES[1] {
                let mut reaping = compared();
                (0..times).for_each(|_| all_settle(&mut reaping));
                assert_eq!(reaping.settled(&node("n4"), changed), Err(Restless::Changed));
            }
        }
    }
}
