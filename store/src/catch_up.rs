//! When a node that lost its disk may answer reads again.
//!
//! A quorum meets every other because nobody forgets. A node that starts with an empty directory may
//! have forgotten what it acknowledged in a former life, and a read that counted it would miss a write
//! that only one other replica still has. So it takes writes at once, and answers no read until it has
//! *exchanged with every other replica* of the key: whatever it acknowledged in its former life was
//! acknowledged by one of those too, wherever a write waits for two.
//!
//! Not at once, though. An acknowledgement of the former life may still wait at a coordinator, which
//! counts it when the other replica's comes in, after our exchange with that one. Requests end by
//! their deadline: so only an exchange counts that was *begun one deadline after the start*.
//!
//! A node cannot know whether it lost anything: one whose cluster has never served starts empty too,
//! and does the same. Then all are up, nothing differs, and it costs one deadline.
//!
//! Pure: time is handed in, measured from the start of the node. Run by real nodes and by those of the
//! simulation, which shows what happens without the one rule and without the other.
//! Source: the obligation is that of a replica of Attiya, Bar-Noy and Dolev, "Sharing Memory Robustly
//! in Message-Passing Systems", JACM 1995, §3, whose processors never lose what they stored.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::ring::NodeId;

/// What a node has yet to hear before it answers reads; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// From when on exchanges count.
    from: Duration,
    /// With whom it has yet to exchange.
    owed: BTreeSet<NodeId>,
}

impl CatchUp {
    /// All that a node has to hear that starts with an empty directory and shares keys with `others`,
    /// in a cluster where a request has failed after `deadline`.
    pub fn begin(others: impl IntoIterator<Item = NodeId>, deadline: Duration) -> CatchUp {
        CatchUp { from: deadline, owed: others.into_iter().collect() }
    }

    /// With whom an exchange begun `now` would bring it on, ascending.
    pub fn due(&self, now: Duration) -> impl Iterator<Item = &NodeId> {
        let counts = now >= self.from;
        self.owed.iter().filter(move |_| counts)
    }

    /// All that `with` held when the exchange began, or later, is held here too, and durable.
    pub fn exchanged(&mut self, with: &NodeId, began: Duration) {
        if began >= self.from {
            self.owed.remove(with);
        }
    }

    /// With whom it has yet to exchange before it answers reads of keys of these `primaries`, ascending.
    pub fn owed<'a>(&'a self, primaries: &'a [NodeId]) -> impl Iterator<Item = &'a NodeId> {
        self.owed.iter().filter(|node| primaries.contains(node))
    }

    /// With how many it has yet to exchange; none: it answers all.
    pub fn left(&self) -> usize {
        self.owed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::test_records::node;

    const DEADLINE: Duration = Duration::from_secs(1);

    fn lost_all() -> CatchUp {
        CatchUp::begin(["n2", "n3"].map(node), DEADLINE)
    }

    fn owed(catch_up: &CatchUp, primaries: [&str; 2]) -> Vec<NodeId> {
        catch_up.owed(&primaries.map(node)).cloned().collect()
    }

    #[test]
    fn who_lost_nothing_answers_at_once() {
        let whole = CatchUp::default();
        assert_eq!((whole.left(), owed(&whole, ["n1", "n2"])), (0, vec![]));
    }

    #[test]
    fn an_exchange_counts_once_no_request_of_the_former_life_is_open() {
        let mut catch_up = lost_all();
        let early = Duration::from_millis(999);
        assert_eq!(catch_up.due(early).count(), 0);
        catch_up.exchanged(&node("n2"), early);
        assert_eq!(catch_up.left(), 2);
        assert_eq!(catch_up.due(DEADLINE).collect::<Vec<_>>(), [&node("n2"), &node("n3")]);
        catch_up.exchanged(&node("n2"), DEADLINE);
        assert_eq!(catch_up.due(DEADLINE).collect::<Vec<_>>(), [&node("n3")]);
    }

    #[test]
    fn a_key_is_answered_when_all_its_other_primaries_were_heard() {
        let mut catch_up = lost_all();
        catch_up.exchanged(&node("n2"), DEADLINE);
        assert_eq!(owed(&catch_up, ["n1", "n2"]), []);
        assert_eq!(owed(&catch_up, ["n1", "n3"]), [node("n3")]);
        catch_up.exchanged(&node("n3"), DEADLINE);
        assert_eq!((owed(&catch_up, ["n1", "n3"]), catch_up.left()), (vec![], 0));
    }
}
