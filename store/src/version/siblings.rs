//! Concurrent values of a key with their causal history: a dotted version vector set.
//!
//! For each actor the set keeps the last counter it knows and the values of that actor's *last* dots:
//! `x: 3 [b c]` knows the writes x:1, x:2 and x:3, of which x:1 has been superseded and x:2 and x:3
//! are the live siblings b and c. So one counter an actor holds both the causal past and the dots
//! of the values, and a vector is as long as the number of actors, never of clients.
//!
//! What this mends in the plain `[server, counter]` clock as it is usually taught: there, two clients
//! who write through one server without having seen each other get `[Sx,1]` and `[Sx,2]`, and the
//! second falsely dominates the first. Here the second write's context does not know x:1, so both
//! stay; and a later write that has seen both removes both.
//!
//! A delete is the write of a tombstone, a sibling without a value: it removes what its context saw
//! and nothing else, and leaves a dot behind by which replicas know that it happened.
//!
//! Invariants: an actor's live values are those of its last dots, oldest first, without gaps;
//! a dot is live in the join of two sets when it is live in both, or live in one and unknown to the
//! other.
//! Source: Preguiça, Baquero, Almeida, Fonte and Gonçalves, "Brief Announcement: Efficient Causality
//! Tracking in Distributed Storage Systems With Dotted Version Vectors", PODC 2012; Almeida et al.,
//! "Scalable and accurate causality tracking for eventually consistent stores", DAIS 2014, §5.
//! Departure: no anonymous values, for each write here is given its dot by the node that takes it.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;

use super::context::Context;
use super::dot::{Actor, Dot};

/// Concurrent values of a key with their causal history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Siblings {
    entries: BTreeMap<Actor, Entry>,
}

/// What is known of one actor's writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its last dot that is known.
    pub(super) counter: u64,
    /// The values of its last `live.len()` dots, oldest first; `None` is a tombstone.
    pub(super) live: Vec<Option<Bytes>>,
}

impl Siblings {
    /// The key's first write: nothing was seen, and nothing was there.
    pub fn new(actor: Actor, value: Option<Bytes>) -> Siblings {
        let mut siblings = Siblings::default();
        siblings.update(&Context::default(), actor, value);
        siblings
    }

    /// Writes `value` (`None` deletes) in the knowledge of `context`: what the context saw goes,
    /// what it did not see stays, and the value gets a fresh dot of `actor`. Returns that dot.
    ///
    /// *Requires* that this set knows every dot `actor` has given for this key: a node must update
    /// its own copy, one write at a time, and keep it before others may see it; or be an actor that
    /// gives this one dot and no other.
    pub fn update(&mut self, context: &Context, actor: Actor, value: Option<Bytes>) -> Dot {
        self.discard(context);
        let entry = self.entries.entry(actor.clone()).or_default();
        entry.counter += 1;
        entry.live.push(value);
        Dot { actor, counter: entry.counter }
    }

    /// Lets the next dot of `actor` be above `floor`, where none of its dots is live: those up to there
    /// may have been given for this key, and forgotten with its tombstone.
    ///
    /// *Requires* what [`Siblings::update`] does; so no dot up to `floor` is live anywhere.
    pub fn number_above(&mut self, floor: u64, actor: &Actor) {
        if floor > 0 {
            let entry = self.entries.entry(actor.clone()).or_default();
            if entry.live.is_empty() {
                entry.counter = entry.counter.max(floor);
            }
        }
    }

    /// The highest counter that is known of any actor; none: zero.
    pub fn counter(&self) -> u64 {
        self.entries.values().map(|entry| entry.counter).max().unwrap_or(0)
    }

    /// Forgets the values that `context` saw, and remembers all it knows.
    pub fn discard(&mut self, context: &Context) {
        for (actor, seen) in context.vector().iter() {
            let entry = self.entries.entry(actor.clone()).or_default();
            entry.keep_newest(entry.counter.saturating_sub(seen));
            entry.counter = entry.counter.max(seen);
        }
    }

    /// What both know and neither has seen superseded; the join of the lattice.
    #[must_use]
    pub fn join(mut self, other: Siblings) -> Siblings {
        for (actor, entry) in other.entries {
            let mine = self.entries.entry(actor).or_default();
            *mine = std::mem::take(mine).join(entry);
        }
        self
    }

    /// All that is known here: a client hands it back with its next write.
    pub fn context(&self) -> Context {
        self.entries.iter().map(|(actor, entry)| (actor.clone(), entry.counter)).collect()
    }

    /// All that is known here but for the siblings beside `dot`: what the writer of `dot` may hand back
    /// with its next write. It has not read those siblings, and must not overwrite them.
    ///
    /// A vector has no gaps: where an older sibling of the same actor is live, `dot` itself is left
    /// out too, and the writer's next write will be beside its last. Reading first mends that.
    pub fn context_of_writer(&self, dot: &Dot) -> Context {
        let seen = |(actor, entry): (&Actor, &Entry)| {
            let is_alone = *actor == dot.actor && entry.live.len() == 1;
            let counter = if is_alone { entry.counter } else { entry.first_live() - 1 };
            (counter > 0).then(|| (actor.clone(), counter))
        };
        self.entries.iter().filter_map(seen).collect()
    }

    /// The live values, ascending, tombstones left out. Equal values of concurrent writes both stay.
    pub fn values(&self) -> Vec<Bytes> {
        let live = self.entries.values().flat_map(|entry| entry.live.iter().flatten());
        let mut values: Vec<Bytes> = live.cloned().collect();
        values.sort_unstable();
        values
    }

    /// How many siblings are live, tombstones included.
    pub fn len(&self) -> usize {
        self.entries.values().map(|entry| entry.live.len()).sum()
    }

    /// Whether no sibling is live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The live dots with their values, ascending by dot.
    pub fn live(&self) -> impl Iterator<Item = (Dot, Option<&Bytes>)> {
        self.entries.iter().flat_map(|(actor, entry)| {
            entry
                .live
                .iter()
                .zip(entry.first_live()..)
                .map(|(value, counter)| (Dot { actor: actor.clone(), counter }, value.as_ref()))
        })
    }

    pub(super) fn entries(&self) -> &BTreeMap<Actor, Entry> {
        &self.entries
    }

    /// *Requires* of each entry what [`Entry::is_sound`] says.
    pub(super) fn from_entries(entries: BTreeMap<Actor, Entry>) -> Siblings {
        assert!(entries.values().all(Entry::is_sound), "live values are those of the last dots");
        Siblings { entries }
    }
}

impl Entry {
    /// Whether there are at least as many dots as live values, and at least one dot.
    pub(super) fn is_sound(&self) -> bool {
        self.counter > 0 && self.live.len() as u64 <= self.counter
    }

    /// Counter of the oldest live dot; past the last if none is live.
    fn first_live(&self) -> u64 {
        self.counter - self.live.len() as u64 + 1
    }

    fn keep_newest(&mut self, count: u64) {
        let stale = (self.live.len() as u64).saturating_sub(count);
        self.live.drain(..stale as usize);
    }

    /// Of the one that knows more, the dots that the other holds live or does not know.
    fn join(self, other: Entry) -> Entry {
        let (mut more, less) =
            if self.counter >= other.counter { (self, other) } else { (other, self) };
        more.keep_newest(more.counter - less.counter + less.live.len() as u64);
        more
    }
}

/// Each actor with its last counter and how many of its last dots are live: `n1/1:3(2),n2/1:1(0)`.
impl fmt::Display for Siblings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (actor, entry)) in self.entries.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{actor}:{}({})", entry.counter, entry.live.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
