//! The vector clock as it is usually taught: `[server, counter]` pairs, each with the time it was last
//! advanced, so that a clock grown too long can drop its oldest pair.
//!
//! Two clocks are compared by their counters alone; the times decide only what is dropped. Those are
//! wall times of different servers, so the pair that is oldest by its time need not be the one that
//! was advanced first.
//!
//! What a dropped pair costs: a clock without it no longer covers its own ancestors. Those come back
//! from any replica that still has them, and stand beside their descendant as if nobody had ever seen
//! them; a client reconciles the two, its write drops a pair again, and so on. Nothing is lost by it,
//! and nothing is ever done. So a limit should leave room for every server that takes writes.
//!
//! The pair just advanced is never the one to go, however early its server's clock says it is. By that
//! a server always holds its own last pair, for no vector without it covers one that has it, and gives
//! no pair twice.
//!
//! Source: DeCandia et al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007, §4.4
//! (clock truncation: "the oldest pair is removed").

use std::collections::BTreeMap;

use super::dot::Actor;
use super::vector::VersionVector;

/// `[server, counter]` pairs, each with the time it was last advanced.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct VectorClock {
    vector: VersionVector,
    /// In microseconds since 1970, by the clock of the pair's server; only of actors in `vector`, and of
    /// none of them where times are not kept.
    times: BTreeMap<Actor, u64>,
}

impl VectorClock {
    /// The counters without their times.
    pub fn vector(&self) -> &VersionVector {
        &self.vector
    }

    /// Whether it has all that `other` has, the times left aside.
    pub fn covers(&self, other: &VectorClock) -> bool {
        self.vector.covers(&other.vector)
    }

    /// Learns that `actor` advanced its pair to `counter` at this time. An earlier pair of the same
    /// actor tells nothing new.
    pub fn learn(&mut self, actor: &Actor, counter: u64, micros: u64) {
        let known = self.vector.counter(actor);
        if counter == 0 || counter < known {
            return;
        }
        let time = self.times.entry(actor.clone()).or_insert(0);
        *time = if counter > known { micros } else { micros.max(*time) };
        self.vector.learn(actor.clone(), counter);
    }

    /// Drops the oldest pairs until at most `limit` are left, but never that of `kept`.
    pub fn drop_oldest(&mut self, limit: usize, kept: &Actor) {
        while self.vector.iter().len() > limit {
            let others = self.pairs().filter(|(actor, ..)| *actor != kept);
            let oldest = others.min_by_key(|(actor, _, micros)| (*micros, *actor));
            let Some(actor) = oldest.map(|(actor, ..)| actor.clone()) else { return };
            self.vector.forget(&actor);
            self.times.remove(&actor);
        }
    }

    /// Actors, their counters and the times of these, ascending by actor; 0 where no time is kept.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&Actor, u64, u64)> {
        self.vector
            .iter()
            .map(|(actor, counter)| (actor, counter, self.times.get(actor).copied().unwrap_or(0)))
    }

    /// Whether it keeps the times of its pairs.
    pub(super) fn has_times(&self) -> bool {
        !self.times.is_empty()
    }
}

/// A clock that keeps no times.
impl From<VersionVector> for VectorClock {
    fn from(vector: VersionVector) -> VectorClock {
        VectorClock { vector, times: BTreeMap::new() }
    }
}

impl<'a> FromIterator<(&'a Actor, u64, u64)> for VectorClock {
    fn from_iter<I: IntoIterator<Item = (&'a Actor, u64, u64)>>(pairs: I) -> VectorClock {
        let mut clock = VectorClock::default();
        for (actor, counter, micros) in pairs {
            clock.learn(actor, counter, micros);
        }
        clock
    }
}

/// `n1/1:3,n2/1:1`: what is compared, and so without the times.
impl std::fmt::Display for VectorClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (actor, counter)) in self.vector.iter().enumerate() {
            write!(f, "{}{actor}:{counter}", if place > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(name: &str) -> Actor {
        Actor::new(name.parse().unwrap(), 1)
    }

    fn clock(pairs: &[(&str, u64, u64)]) -> VectorClock {
        let mut clock = VectorClock::default();
        for (name, counter, micros) in pairs {
            clock.learn(&actor(name), *counter, *micros);
        }
        clock
    }

    #[test]
    fn a_pair_has_the_time_it_was_last_advanced() {
        let mut clock = clock(&[("x", 2, 20), ("x", 1, 90), ("x", 2, 10), ("y", 0, 5)]);
        assert_eq!(clock.pairs().collect::<Vec<_>>(), [(&actor("x"), 2, 20)]);
        clock.learn(&actor("x"), 3, 15);
        assert_eq!(clock.pairs().collect::<Vec<_>>(), [(&actor("x"), 3, 15)], "clocks may go back");
    }

    #[test]
    fn clocks_are_compared_by_their_counters_and_not_their_times() {
        let (late, early) = (clock(&[("x", 2, 90)]), clock(&[("x", 2, 10)]));
        assert!(late.covers(&early) && early.covers(&late) && late != early);
        assert!(!late.covers(&clock(&[("x", 1, 10), ("y", 1, 10)])));
    }

    #[test]
    fn the_oldest_pair_goes_first_and_the_one_just_advanced_never() {
        let mut clock = clock(&[("w", 1, 30), ("x", 9, 10), ("y", 1, 20), ("z", 1, 40)]);
        clock.drop_oldest(4, &actor("z"));
        assert_eq!(clock.to_string(), "w/1:1,x/1:9,y/1:1,z/1:1", "there is room for four");
        clock.drop_oldest(2, &actor("z"));
        assert_eq!(clock.to_string(), "w/1:1,z/1:1");
        clock.drop_oldest(1, &actor("w"));
        assert_eq!(clock.to_string(), "w/1:1", "it is older than z, and just advanced");
        clock.drop_oldest(0, &actor("w"));
        assert_eq!(clock.to_string(), "w/1:1");
    }

    #[test]
    fn a_clock_without_a_pair_does_not_cover_its_own_ancestor() {
        let ancestor = clock(&[("x", 2, 10)]);
        let mut descendant = ancestor.clone();
        descendant.learn(&actor("y"), 1, 20);
        assert!(descendant.covers(&ancestor));
        descendant.drop_oldest(1, &actor("y"));
        assert!(!descendant.covers(&ancestor) && !ancestor.covers(&descendant));
    }
}
