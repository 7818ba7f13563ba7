//! Which values of a sibling register may be gone by now, because somebody may have replaced them.
//!
//! Who overwrites or deletes a key of siblings hands back what was read, and replaces exactly that.
//! So a value goes in one way only: some update had read it. The first to take a value away held it
//! alive in what it had read, for what is covered by a context and not shown by it has been taken
//! away before; by induction some update shows it in its reply (see [`Operation::replaced`]).
//!
//! Of an update without an answer nobody knows what it had read. But its client had read before it
//! gave up: such an update may have taken away whatever was written before it ended, and nothing that
//! was written later. Where an acknowledged update of the key does not say what it read, not even
//! that is known, and an update without an answer may have taken away anything.
//!
//! Source: Preguiça et al., "Dotted Version Vectors", 2012, §4 (a write replaces what its context saw).

use std::collections::BTreeMap;

use crate::cluster::{Moment, begin, end};
use crate::operation::Operation;

/// The updates of one key that may have replaced something.
pub(crate) struct Replacements {
    /// When the first update began that had read the value.
    read_by: BTreeMap<i64, Moment>,
    /// Updates that do not say what they had read, by begin: when, and the latest moment by which
    /// they or one before them may have read.
    blind: Vec<(Moment, Moment)>,
}

impl Replacements {
    /// The overwrites and deletes among the operations of one key.
    pub(crate) fn of(operations: &[&Operation]) -> Replacements {
        let happened = |update: &&&Operation| update.is_overwrite() && update.may_have_happened();
        let updates = || operations.iter().copied().filter(|update| happened(&update));
        let mut read_by = BTreeMap::new();
        for update in updates() {
            for value in update.replaced().unwrap_or_default() {
                let first = read_by.entry(*value).or_insert(Moment::MAX);
                *first = begin(update).min(*first);
            }
        }
        let all_tell = updates().all(|update| !update.is_ok() || update.replaced().is_some());
        let blind = updates().filter(|update| update.replaced().is_none());
        let mut blind: Vec<(Moment, Moment)> =
            blind.map(|update| (begin(update), had_read(update, all_tell))).collect();
        blind.sort_unstable();
        for at in 1..blind.len() {
            blind[at].1 = blind[at].1.max(blind[at - 1].1);
        }
        Replacements { read_by, blind }
    }

    /// Whether an update that may have happened had read `value`, and so replaced it.
    pub(crate) fn was_read(&self, value: i64) -> bool {
        self.read_by.contains_key(&value)
    }

    /// Whether an update that began before `now` may have taken away `value`, which `write` wrote.
    pub(crate) fn may_have_taken(&self, value: i64, write: &Operation, now: Moment) -> bool {
        let was_read = self.read_by.get(&value).is_some_and(|begun| *begun < now);
        let begun = self.blind.partition_point(|(begun, _)| *begun < now);
        let until = begun.checked_sub(1).map_or(0, |last| self.blind[last].1);
        was_read || begin(write) < until
    }
}

/// By when `update`, which does not say what it had read, had read it.
fn had_read(update: &Operation, all_tell: bool) -> Moment {
    match update.completed {
        _ if update.is_ok() => end(update),
        Some(line) if all_tell => line + 1,
        _ => Moment::MAX,
    }
}
