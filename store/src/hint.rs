//! Writes a node keeps for another that was away, until it has them.
//!
//! A coordinator that could not reach a primary takes a [`Hint`]. Once the owner is up, its hints are
//! replayed in the order they were taken, and each is dropped only when the owner has acknowledged
//! it: a hint sent is not yet a hint held. One that the owner refuses goes to the end of the line, for
//! it may refuse it for ever. Replays may repeat and overtake each other, for records join.
//!
//! The queue is bounded in bytes and in age. A hint that does not fit, or that its owner has not come
//! for in all that time, is dropped and counted: an outage must not fill this node's memory, nor one
//! for ever keep the tombstones of a whole cluster; anti-entropy still finds what is missing. Of a
//! sloppy quorum, whose acknowledgements may be hints, that may be the last copy: who wants none lost
//! sets an age beyond any outage. Age is counted while the holder is up, for clocks lie: who starts
//! anew counts anew.
//!
//! Invariants: hints never count toward a strict quorum; per owner, first taken is first sent.
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.6.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use crate::ring::NodeId;
use crate::version::Record;

/// A write kept for a replica that missed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The replica it is for.
    pub owner: NodeId,
    /// The key, with its keyspace.
    pub key: Bytes,
    /// What the owner is to join into what it holds.
    pub record: Record,
}

/// Names a hint in its queue; ascends in the order hints were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HintId(u64);

struct Kept {
    id: HintId,
    bytes: usize,
    /// When it was taken.
    taken: Duration,
    hint: Hint,
}

/// The hints of one owner.
#[derive(Default)]
struct Line {
    /// In the order they were taken.
    kept: VecDeque<Kept>,
    /// Those of each key, for who reads it in the owner's stead.
    keys: BTreeMap<Bytes, OfKey>,
}

/// The hints of one key.
#[derive(Default)]
struct OfKey {
    ids: BTreeSet<HintId>,
    /// Their join; `None` since one of them went.
    joined: Option<Record>,
}

impl Line {
    fn push(&mut self, kept: Kept) {
        let of_key = self.keys.entry(kept.hint.key.clone()).or_default();
        of_key.joined = match of_key.joined.take() {
            Some(joined) => Some(joined.join(kept.hint.record.clone())),
            None => of_key.ids.is_empty().then(|| kept.hint.record.clone()),
        };
        of_key.ids.insert(kept.id);
        self.kept.push_back(kept);
    }

    fn get(&self, id: HintId) -> Option<&Kept> {
        let at = self.kept.binary_search_by_key(&id, |kept| kept.id).ok()?;
        self.kept.get(at)
    }

    fn remove(&mut self, id: HintId) -> Option<Kept> {
        let at = self.kept.binary_search_by_key(&id, |kept| kept.id).ok()?;
        let kept = self.kept.remove(at)?;
        if let Some(of_key) = self.keys.get_mut(&kept.hint.key) {
            of_key.ids.remove(&id);
            of_key.joined = None;
            if of_key.ids.is_empty() {
                self.keys.remove(&kept.hint.key);
            }
        }
        Some(kept)
    }
}

/// The hints of one node, by owner, in the order they were taken.
pub struct HintQueue {
    owners: BTreeMap<NodeId, Line>,
    next: u64,
    bytes: usize,
    limit_bytes: usize,
    dropped: u64,
}

impl HintQueue {
    /// An empty queue that keeps keys and records of at most `limit_bytes` in all.
    pub fn new(limit_bytes: usize) -> HintQueue {
        HintQueue { owners: BTreeMap::new(), next: 0, bytes: 0, limit_bytes, dropped: 0 }
    }

    /// Keeps `hint` behind those of the same owner, from `now` on, a time since the start of its holder.
    /// *Returns* `None`, and counts a drop, if it does not fit.
    pub fn take(&mut self, hint: Hint, now: Duration) -> Option<HintId> {
        let bytes = hint.key.len() + hint.record.encode().len();
        if self.bytes + bytes > self.limit_bytes {
            self.dropped += 1;
            return None;
        }
        let id = HintId(self.next);
        self.next += 1;
        self.bytes += bytes;
        self.owners.entry(hint.owner.clone()).or_default().push(Kept {
            id,
            bytes,
            taken: now,
            hint,
        });
        Some(id)
    }

    /// The hints of `owner` in the order to replay them.
    pub fn of(&self, owner: &NodeId) -> impl Iterator<Item = (HintId, &Hint)> {
        let kept = self.owners.get(owner).into_iter().flat_map(|line| &line.kept);
        kept.map(|kept| (kept.id, &kept.hint))
    }

    /// The owner has acknowledged this hint: only now is it dropped. *Returns* whether it was kept;
    /// an acknowledgement that comes twice changes nothing.
    pub fn acknowledge(&mut self, owner: &NodeId, id: HintId) -> bool {
        let Some(line) = self.owners.get_mut(owner) else { return false };
        let Some(kept) = line.remove(id) else { return false };
        self.bytes -= kept.bytes;
        if line.kept.is_empty() {
            self.owners.remove(owner);
        }
        true
    }

    /// The owner has refused this hint: it goes behind its others, lest they wait for what the owner
    /// may never take. *Returns* its new name, if it was kept.
    pub fn postpone(&mut self, owner: &NodeId, id: HintId) -> Option<HintId> {
        let line = self.owners.get_mut(owner)?;
        let refused = line.remove(id)?;
        let id = HintId(self.next);
        self.next += 1;
        line.push(Kept { id, ..refused });
        Some(id)
    }

    /// Drops, and counts, what was taken before `then`. *Returns* what that was.
    pub fn expire(&mut self, then: Duration) -> Vec<HintId> {
        let old = self.owners.iter().flat_map(|(owner, line)| {
            let old = line.kept.iter().filter(|kept| kept.taken < then);
            old.map(|kept| (owner.clone(), kept.id))
        });
        let old: Vec<(NodeId, HintId)> = old.collect();
        for (owner, id) in &old {
            self.acknowledge(owner, *id);
        }
        self.dropped += old.len() as u64;
        old.into_iter().map(|(_, id)| id).collect()
    }

    /// What is kept of `key` for `owner`, joined; `None` if nothing is.
    pub fn held(&mut self, owner: &NodeId, key: &Bytes) -> Option<Record> {
        let line = self.owners.get_mut(owner)?;
        let of_key = line.keys.get(key)?;
        if of_key.joined.is_some() {
            return of_key.joined.clone();
        }
        let kept = of_key.ids.iter().filter_map(|id| line.get(*id));
        let joined = kept.map(|kept| kept.hint.record.clone()).reduce(Record::join);
        line.keys.get_mut(key)?.joined.clone_from(&joined);
        joined
    }

    /// Nodes for whom hints are kept, ascending.
    pub fn owners(&self) -> impl Iterator<Item = &NodeId> {
        self.owners.keys()
    }

    /// How many hints are kept, by owner; owners without one are left out.
    pub fn count_by_owner(&self) -> BTreeMap<NodeId, usize> {
        self.owners.iter().map(|(owner, line)| (owner.clone(), line.kept.len())).collect()
    }

    /// How many hints are kept.
    pub fn len(&self) -> usize {
        self.owners.values().map(|line| line.kept.len()).sum()
    }

    /// Whether no hint is kept.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Bytes of the keys and encoded records kept.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many hints did not fit, or were kept too long, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::version::test_records::{node, register};

    fn hint(owner: &str, counter: u64) -> Hint {
        let record = register(counter, "n1", counter, Some("v"));
        Hint { owner: node(owner), key: format!("k{counter}").into(), record }
    }

    fn keys(queue: &HintQueue, owner: &str) -> Vec<Bytes> {
        queue.of(&node(owner)).map(|(_, hint)| hint.key.clone()).collect()
    }

    #[test]
    fn hints_are_replayed_in_the_order_they_were_taken() {
        let mut queue = HintQueue::new(10_000);
        for (owner, counter) in [("n2", 3), ("n3", 9), ("n2", 1), ("n2", 2)] {
            queue.take(hint(owner, counter), Duration::ZERO).unwrap();
        }
        assert_eq!(keys(&queue, "n2"), ["k3", "k1", "k2"]);
        assert_eq!(keys(&queue, "n3"), ["k9"]);
        assert_eq!(queue.owners().collect::<Vec<_>>(), [&node("n2"), &node("n3")]);
    }

    #[test]
    fn a_hint_is_dropped_only_after_its_owner_has_acked() {
        let mut queue = HintQueue::new(10_000);
        let first = queue.take(hint("n2", 1), Duration::ZERO).unwrap();
        let second = queue.take(hint("n2", 2), Duration::ZERO).unwrap();
        // Sent, and the owner went away again: the replay starts over with the same hints.
        assert_eq!(queue.of(&node("n2")).next().unwrap().0, first);
        assert_eq!(keys(&queue, "n2"), ["k1", "k2"]);
        // Another node's word is not the owner's.
        assert!(!queue.acknowledge(&node("n3"), first));
        assert_eq!(keys(&queue, "n2"), ["k1", "k2"]);
        // Acknowledgements may overtake each other; each drops its own hint and no other.
        assert!(queue.acknowledge(&node("n2"), second));
        assert_eq!(keys(&queue, "n2"), ["k1"]);
        assert!(!queue.acknowledge(&node("n2"), second));
        assert!(queue.acknowledge(&node("n2"), first));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_hint_that_is_refused_goes_behind_the_others() {
        let mut queue = HintQueue::new(10_000);
        let ids = [1, 2, 3].map(|counter| queue.take(hint("n2", counter), Duration::ZERO).unwrap());
        let bytes = queue.bytes();
        let postponed = queue.postpone(&node("n2"), ids[0]).unwrap();
        assert_eq!(keys(&queue, "n2"), ["k2", "k3", "k1"]);
        assert_eq!((queue.len(), queue.bytes()), (3, bytes), "it is kept");
        assert_eq!(queue.postpone(&node("n2"), ids[0]), None, "its name has changed");
        assert!(queue.acknowledge(&node("n2"), postponed));
        assert_eq!(keys(&queue, "n2"), ["k2", "k3"]);
    }

    #[test]
    fn a_hint_that_does_not_fit_is_counted_and_those_kept_stay() {
        let size = hint("n2", 1).key.len() + hint("n2", 1).record.encode().len();
        let mut queue = HintQueue::new(2 * size);
        let first = queue.take(hint("n2", 1), Duration::ZERO).unwrap();
        queue.take(hint("n3", 2), Duration::ZERO).unwrap();
        assert_eq!((queue.take(hint("n2", 3), Duration::ZERO), queue.dropped()), (None, 1));
        assert_eq!((queue.len(), queue.bytes()), (2, 2 * size));
        queue.acknowledge(&node("n2"), first);
        assert_eq!(queue.bytes(), size);
        assert!(queue.take(hint("n2", 4), Duration::ZERO).is_some());
        assert_eq!((keys(&queue, "n2"), queue.dropped()), (vec!["k4".into()], 1));
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let mut queue = HintQueue::new(10_000);
        let mut given = Vec::new();
        for counter in 1..5 {
            given.push(queue.take(hint("n2", counter), Duration::ZERO).unwrap());
            queue.acknowledge(&node("n2"), given[0]);
        }
        assert!(given.is_sorted_by(|a, b| a < b), "{given:?}");
        assert_eq!(queue.len(), 3, "a late acknowledgement dropped another hint");
    }

    #[test]
    fn what_is_held_of_a_key_is_the_join_of_its_hints() {
        let mut queue = HintQueue::new(10_000);
        let of = |counter| Hint { key: "k".into(), ..hint("n2", counter) };
        let held = |queue: &mut HintQueue| queue.held(&node("n2"), &"k".into());
        assert_eq!(held(&mut queue), None);
        let ids = [2, 9, 5].map(|counter| queue.take(of(counter), Duration::ZERO).unwrap());
        queue.take(hint("n3", 77), Duration::ZERO).unwrap();
        assert_eq!(held(&mut queue), Some(of(9).record));
        assert_eq!(queue.held(&node("n3"), &"k".into()), None);
        queue.postpone(&node("n2"), ids[0]);
        queue.acknowledge(&node("n2"), ids[1]);
        assert_eq!(held(&mut queue), Some(of(5).record));
        queue.take(of(7), Duration::ZERO).unwrap();
        assert_eq!(held(&mut queue), Some(of(7).record), "the join was kept, and goes on");
    }

    #[test]
    fn a_hint_its_owner_has_not_come_for_is_dropped_and_counted_also_where_it_was_put_off() {
        let mut queue = HintQueue::new(10_000);
        let hour = |hours: u64| Duration::from_secs(3600 * hours);
        let ids = [0, 1, 2].map(|at| queue.take(hint("n2", at + 1), hour(at)).unwrap());
        let later = queue.postpone(&node("n2"), ids[0]).unwrap();
        assert_eq!(queue.expire(hour(0)), [], "none was taken before");
        assert_eq!(queue.expire(hour(1)), [later]);
        assert_eq!((keys(&queue, "n2"), queue.dropped()), (vec!["k2".into(), "k3".into()], 1));
        queue.expire(hour(9));
        assert_eq!((queue.is_empty(), queue.bytes(), queue.dropped()), (true, 0, 3));
    }

    /// A time in seconds, as `@5`.
    fn at(text: &str) -> Duration {
        Duration::from_secs(text.strip_prefix('@').unwrap().parse().unwrap())
    }

    #[test]
    fn hints_by_script() {
        let mut queue = HintQueue::new(0);
        let told = |queue: &HintQueue| {
            let mut lines = String::new();
            for owner in queue.owners() {
                let kept = queue.of(owner).map(|(HintId(id), hint)| {
                    format!("{id}:{}={}", String::from_utf8_lossy(&hint.key), hint.record.version())
                });
                writeln!(lines, "{owner}: {}", kept.collect::<Vec<_>>().join(" ")).unwrap();
            }
            write!(lines, "({} bytes, {} dropped)", queue.bytes(), queue.dropped()).unwrap();
            lines
        };
        crate::script::replay("hints/queue.txt", |verb, arguments| {
            match (verb, arguments) {
                ("room", [bytes]) => queue = HintQueue::new(bytes.parse().unwrap()),
                ("take", [owner, key, counter, now]) => {
                    let counter = counter.parse().unwrap();
                    let record = register(counter, "n1", counter, Some("v"));
                    let key = Bytes::copy_from_slice(key.as_bytes());
                    queue.take(Hint { owner: node(owner), key, record }, at(now));
                }
                ("acknowledged", [owner, id]) => {
                    queue.acknowledge(&node(owner), HintId(id.parse().unwrap()));
                }
                ("refused", [owner, id]) => {
                    queue.postpone(&node(owner), HintId(id.parse().unwrap()));
                }
                ("expire", [then]) => drop(queue.expire(at(then))),
                ("held", [owner, key]) => {
                    let held = queue.held(&node(owner), &Bytes::copy_from_slice(key.as_bytes()));
                    return held.map_or("nothing".into(), |record| record.version());
                }
                _ => panic!("no command: {verb} {arguments:?}"),
            }
            told(&queue)
        });
    }
}
