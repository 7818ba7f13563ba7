//! A node's disk: what is durable, and what is on its way there.
//!
//! Writes become durable in the order they were handed over, after a while. A crash loses those that
//! are not, but for a few at the front: the disk may have them, and nobody was told.

use std::collections::{BTreeMap, VecDeque};

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use store::hint::Hint;
use store::request::Reply;
use store::version::{Dot, Record};

use crate::agenda::Micros;
use crate::letter::{Key, Return};

/// A change of what the disk holds.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The own copy of a key is this; under this dot, if it was given here.
    Copy(Key, Record, Option<Dot>),
    /// The tombstone of a key is forgotten; no counter forgotten so far is above this.
    Forgotten(Key, u64),
    /// This hint is kept.
    Hint(u64, Hint),
    /// This hint is dropped.
    NoHint(u64),
}

/// What is to be done when a change is durable.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// Tell who asked for it.
    Reply(Return, Reply),
    /// Another replica's copy was joined: send back what it lacks.
    Fetched {
        /// Whose copy.
        other: usize,
        /// Of which key.
        key: Key,
        /// What the other held.
        theirs: Option<Record>,
        /// When it was asked for.
        began: Micros,
    },
}

/// A node's disk.
#[derive(Default)]
pub(crate) struct Disk {
    /// The own copies.
    pub(crate) copies: BTreeMap<Key, Record>,
    /// The highest counter forgotten.
    pub(crate) floor: u64,
    /// Hints by the order they were taken in.
    pub(crate) hints: BTreeMap<u64, Hint>,
    /// Handed over and not yet durable, oldest first.
    flying: VecDeque<(Change, Then)>,
}

impl Disk {
    /// The own copy as the next write of the key finds it, durable or not.
    pub(crate) fn newest(&self, key: Key) -> Option<&Record> {
        let flying = self.flying.iter().rev().find_map(|(change, _)| match change {
            Change::Copy(of, record, _) if *of == key => Some(Some(record)),
            Change::Forgotten(of, _) if *of == key => Some(None),
            _ => None,
        });
        flying.unwrap_or_else(|| self.copies.get(&key))
    }

    /// Whether a write of `key` is on its way.
    pub(crate) fn is_flying(&self, key: Key) -> bool {
        let is_of = |change: &Change| match change {
            Change::Copy(of, ..) | Change::Forgotten(of, _) => *of == key,
            Change::Hint(..) | Change::NoHint(_) => false,
        };
        self.flying.iter().any(|(change, _)| is_of(change))
    }

    /// Hands a change over.
    pub(crate) fn hand_over(&mut self, change: Change, then: Then) {
        self.flying.push_back((change, then));
    }

    /// The oldest change on its way is durable.
    pub(crate) fn land(&mut self) -> Option<(Change, Then)> {
        let (change, then) = self.flying.pop_front()?;
        match change.clone() {
            Change::Copy(key, record, _) => drop(self.copies.insert(key, record)),
            Change::Forgotten(key, floor) => {
                self.copies.remove(&key);
                self.floor = self.floor.max(floor);
            }
            Change::Hint(number, hint) => drop(self.hints.insert(number, hint)),
            Change::NoHint(number) => drop(self.hints.remove(&number)),
        }
        Some((change, then))
    }

    /// The power is gone. *Returns* what became durable and nobody was told of.
    pub(crate) fn crash(&mut self, random: &mut ChaCha8Rng) -> Vec<Change> {
        let survive = random.random_range(0..=self.flying.len());
        let survived = (0..survive).filter_map(|_| Some(self.land()?.0)).collect();
        self.flying.clear();
        survived
    }
}
