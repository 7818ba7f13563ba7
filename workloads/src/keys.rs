//! Which keys are worked on now: a few at a time, each for a bounded number of operations.
//!
//! Judging a key costs more than linearly in its operations, and in those left open by an `info`, so
//! a key is *retired* after its share and a fresh one takes its place: a long run makes more keys,
//! not longer ones. A few keys at a time, shared by all workers, keep the operations on each
//! concurrent, which is where anomalies live.
//!
//! Where keys are deleted, one may have several *lives*. Each ends with a delete; then the key rests, for
//! as long as it takes that [`REST`] other lives end, and is worked on again. A store that drops a
//! deleted key for good does so while it rests, and what it dropped too early comes back, or is in the
//! way, in the next life. Values go on ascending through all lives.
//!
//! Source: Horn and Kroening, "Faster linearizability checking via P-compositionality", 2015 (a
//! history is linearizable if and only if its part for each key is); Jepsen's `independent` keys.

use std::collections::VecDeque;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// Lives of other keys that end while a deleted key rests.
const REST: usize = 24;

/// The keys worked on now.
#[derive(Debug)]
pub(crate) struct ActiveKeys {
    keyspace: String,
    ops_per_key: u64,
    lives: u64,
    slots: Vec<ActiveKey>,
    /// Deleted keys with lives left, the longest at rest first.
    resting: VecDeque<ActiveKey>,
    /// Number of the next fresh key.
    next: u64,
}

/// A key in work.
#[derive(Debug)]
pub(crate) struct ActiveKey {
    /// `keyspace:number`.
    pub(crate) name: String,
    /// Operations asked of it so far in this life.
    operations: u64,
    /// Lives it has had, this one included.
    lives: u64,
    /// Whether it was just picked for the last time in this life, to be deleted.
    pub(crate) ends_life: bool,
    /// The value last handed out; those of a key ascend from one.
    last_value: i64,
    /// Operations on it whose end is unknown.
    pub(crate) infos: u64,
}

impl ActiveKeys {
    /// The keys `keyspace:0`, `keyspace:1`, …: the first `count` of them in work.
    pub(crate) fn new(keyspace: &str, count: usize, ops_per_key: u64) -> ActiveKeys {
        let (keyspace, slots, resting) = (keyspace.to_owned(), Vec::new(), VecDeque::new());
        let mut keys = ActiveKeys { keyspace, ops_per_key, lives: 1, slots, resting, next: 0 };
        keys.slots = (0..count).map(|_| keys.fresh()).collect();
        keys
    }

    /// The same with `lives` for each key.
    pub(crate) fn with_lives(self, lives: u64) -> ActiveKeys {
        ActiveKeys { lives, ..self }
    }

    /// Any of the keys in work, one operation older. One that has had its share is replaced first.
    pub(crate) fn pick(&mut self, rng: &mut ChaCha8Rng) -> &mut ActiveKey {
        let at = rng.random_range(0..self.slots.len());
        if self.slots[at].operations >= self.ops_per_key {
            let next = self.reborn().unwrap_or_else(|| self.fresh());
            let past = std::mem::replace(&mut self.slots[at], next);
            if past.lives < self.lives {
                self.resting.push_back(past);
            }
        }
        let key = &mut self.slots[at];
        key.operations += 1;
        key.ends_life = self.lives > 1 && key.operations == self.ops_per_key;
        key
    }

    /// The key of this name, if it is still in work.
    pub(crate) fn find(&mut self, name: &str) -> Option<&mut ActiveKey> {
        self.slots.iter_mut().find(|key| key.name == name)
    }

    /// The key that has rested for long enough, in its next life.
    fn reborn(&mut self) -> Option<ActiveKey> {
        let key = if self.resting.len() > REST { self.resting.pop_front()? } else { return None };
        Some(ActiveKey { operations: 0, ends_life: false, lives: key.lives + 1, ..key })
    }

    fn fresh(&mut self) -> ActiveKey {
        let name = format!("{}:{}", self.keyspace, self.next);
        self.next += 1;
        ActiveKey { name, operations: 0, lives: 1, ends_life: false, last_value: 0, infos: 0 }
    }
}

impl ActiveKey {
    /// A value this key never had.
    pub(crate) fn next_value(&mut self) -> i64 {
        self.last_value += 1;
        self.last_value
    }

    /// Ends its work for good: the next pick of it finds another key.
    pub(crate) fn retire(&mut self) {
        (self.operations, self.lives) = (u64::MAX, u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_key_is_picked_its_share_and_never_again() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut keys = ActiveKeys::new("k", 3, 10);
        let mut picks = std::collections::BTreeMap::<String, u64>::new();
        for _ in 0..1000 {
            *picks.entry(keys.pick(&mut rng).name.clone()).or_default() += 1;
        }
        let in_work = keys.slots.iter().map(|key| key.name.clone()).collect::<Vec<_>>();
        for (name, count) in &picks {
            assert!(*count == 10 || in_work.contains(name), "{name} was picked {count} times");
            assert!(*count <= 10, "{name} was picked {count} times");
        }
        assert!(picks.len() >= 100);
    }

    #[test]
    fn a_retired_key_is_not_picked_again() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut keys = ActiveKeys::new("k", 1, 10);
        assert_eq!(keys.pick(&mut rng).name, "k:0");
        keys.find("k:0").unwrap().retire();
        assert_eq!(keys.pick(&mut rng).name, "k:1");
        assert!(keys.find("k:0").is_none());
    }
}
