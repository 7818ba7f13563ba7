//! Which keys are worked on now: a few at a time, each for a bounded number of operations.
//!
//! Judging a key costs more than linearly in its operations, and in those left open by an `info`, so
//! a key is *retired* after its share and a fresh one takes its place: a long run makes more keys,
//! not longer ones. A few keys at a time, shared by all workers, keep the operations on each
//! concurrent, which is where anomalies live.
//!
//! Source: Horn and Kroening, "Faster linearizability checking via P-compositionality", 2015 (a
//! history is linearizable if and only if its part for each key is); Jepsen's `independent` keys.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// The keys worked on now.
#[derive(Debug)]
pub(crate) struct ActiveKeys {
    keyspace: String,
    ops_per_key: u64,
    slots: Vec<ActiveKey>,
    /// Number of the next fresh key.
    next: u64,
}

/// A key in work.
#[derive(Debug)]
pub(crate) struct ActiveKey {
    /// `keyspace:number`.
    pub(crate) name: String,
    /// Operations asked of it so far.
    operations: u64,
    /// The value last handed out; those of a key ascend from one.
    last_value: i64,
    /// Operations on it whose end is unknown.
    pub(crate) infos: u64,
}

impl ActiveKeys {
    /// The keys `keyspace:0`, `keyspace:1`, …: the first `count` of them in work.
    pub(crate) fn new(keyspace: &str, count: usize, ops_per_key: u64) -> ActiveKeys {
        let keyspace = keyspace.to_owned();
        let mut keys = ActiveKeys { keyspace, ops_per_key, slots: Vec::new(), next: 0 };
        keys.slots = (0..count).map(|_| keys.fresh()).collect();
        keys
    }

    /// Any of the keys in work, one operation older. One that has had its share is replaced first.
    pub(crate) fn pick(&mut self, rng: &mut ChaCha8Rng) -> &mut ActiveKey {
        let at = rng.random_range(0..self.slots.len());
        if self.slots[at].operations >= self.ops_per_key {
            self.slots[at] = self.fresh();
        }
        let key = &mut self.slots[at];
        key.operations += 1;
        key
    }

    /// The key of this name, if it is still in work.
    pub(crate) fn find(&mut self, name: &str) -> Option<&mut ActiveKey> {
        self.slots.iter_mut().find(|key| key.name == name)
    }

    fn fresh(&mut self) -> ActiveKey {
        let name = format!("{}:{}", self.keyspace, self.next);
        self.next += 1;
        ActiveKey { name, operations: 0, last_value: 0, infos: 0 }
    }
}

impl ActiveKey {
    /// A value this key never had.
    pub(crate) fn next_value(&mut self) -> i64 {
        self.last_value += 1;
        self.last_value
    }

    /// Ends its work: the next pick of it finds a fresh key.
    pub(crate) fn retire(&mut self) {
        self.operations = u64::MAX;
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
