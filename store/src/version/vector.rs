//! All the writes somebody knows of, where of each actor they know a first run without gaps.
//!
//! `{x: 2, y: 1}` knows the dots x:1, x:2 and y:1. One vector *covers* another when it knows all
//! that the other knows; two of which neither covers the other are concurrent.
//!
//! Source: Parker et al., "Detection of Mutual Inconsistency in Distributed Systems", IEEE TSE 1983.

use std::collections::BTreeMap;

use super::dot::{Actor, Dot};

/// All the writes somebody knows of: of each actor those up to a counter.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionVector(BTreeMap<Actor, u64>);

impl VersionVector {
    /// The last counter known of `actor`; 0 if none.
    pub fn counter(&self, actor: &Actor) -> u64 {
        self.0.get(actor).copied().unwrap_or(0)
    }

    /// Learns of `actor`'s writes up to `counter`.
    pub fn learn(&mut self, actor: Actor, counter: u64) {
        if counter > 0 {
            let known = self.0.entry(actor).or_insert(0);
            *known = counter.max(*known);
        }
    }

    /// Unlearns all of `actor`'s writes: for vectors that may do so, see [`VectorClock`], and never for
    /// dots, which would be given a second time.
    ///
    /// [`VectorClock`]: super::VectorClock
    pub(super) fn forget(&mut self, actor: &Actor) {
        self.0.remove(actor);
    }

    /// Whether `dot` is known.
    pub fn knows(&self, dot: &Dot) -> bool {
        dot.counter <= self.counter(&dot.actor)
    }

    /// Whether all that `other` knows is known here.
    pub fn covers(&self, other: &VersionVector) -> bool {
        other.iter().all(|(actor, counter)| counter <= self.counter(actor))
    }

    /// Actors and their last counters, ascending by actor; no counter is 0.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Actor, u64)> {
        self.0.iter().map(|(actor, counter)| (actor, *counter))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Actor, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (Actor, u64)>>(entries: I) -> VersionVector {
        let mut vector = VersionVector::default();
        for (actor, counter) in entries {
            vector.learn(actor, counter);
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(entries: &[(&str, u64)]) -> VersionVector {
        let actor = |name: &str| Actor::new(name.parse().unwrap(), 1);
        entries.iter().map(|(name, counter)| (actor(name), *counter)).collect()
    }

    #[test]
    fn of_concurrent_vectors_neither_covers_the_other() {
        let (old, new) = (vector(&[("x", 2)]), vector(&[("x", 2), ("y", 1)]));
        assert!(new.covers(&old) && !old.covers(&new) && old.covers(&old));
        let concurrent = vector(&[("x", 3)]);
        assert!(!new.covers(&concurrent) && !concurrent.covers(&new));
        assert!(old.covers(&VersionVector::default()));
    }

    #[test]
    fn a_counter_knows_all_before_it_and_is_never_unlearned() {
        let mut vector = vector(&[("x", 3), ("x", 2), ("y", 0)]);
        let x = Actor::new("x".parse().unwrap(), 1);
        vector.learn(x.clone(), 1);
        let knows = |counter| vector.knows(&Dot { actor: x.clone(), counter });
        assert_eq!([1, 3, 4].map(knows), [true, true, false]);
        assert_eq!(vector.iter().collect::<Vec<_>>(), [(&x, 3)], "y has written nothing");
        let reborn = Actor { epoch: 2, ..x };
        assert_eq!(vector.counter(&reborn), 0, "another epoch is another actor");
    }
}
