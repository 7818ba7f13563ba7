//! What leaves a level from 1 on, and what is rewritten for its tombstones.
//!
//! Of a level over its target any table may go: they are disjoint. The one that overlaps the fewest
//! bytes of the next level for its own size goes, so that each byte rewritten takes as many down with
//! it as it can; that also prefers tables just above a hole. Source: RocksDB's `kMinOverlappingRatio`.
//! Ties go to the lowest number, the table that has waited longest, which takes the place of LevelDB's
//! round-robin key without anything to remember.

use std::cmp::Ordering;

use super::span::Span;
use super::{Candidate, Picture, Task, is_mostly_tombstones};
use crate::lsm::levels::{LAST, Placed};

/// The table of `level` that costs least to take down.
pub(super) fn pick<T: Placed + Clone>(picture: &Picture<'_, T>, level: usize) -> Option<Task> {
    let candidates =
        picture.levels.level(level).iter().filter_map(|table| sink(picture, level, table));
    candidates.min_by(by_cost).map(|candidate| candidate.task)
}

/// The table with the largest share of tombstones, if that is most of it: deepest level first, so that
/// a rewrite below makes way for those above.
pub(super) fn pick_tombstones<T: Placed + Clone>(picture: &Picture<'_, T>) -> Option<Task> {
    (1..=LAST).rev().find_map(|level| {
        let tables = picture.levels.level(level).iter();
        let candidates = tables
            .filter(|table| is_mostly_tombstones(table.facts()))
            .filter_map(|table| sink_tombstones(picture, level, table));
        candidates.min_by(by_cost).map(|candidate| candidate.task)
    })
}

/// A table to the next level, or to the last where nobody below has keys in its span.
fn sink<T: Placed + Clone>(picture: &Picture<'_, T>, level: usize, table: &T) -> Option<Candidate> {
    let is_last_met = picture.first_overlapping(level + 1, Span::of(table.facts())).is_none();
    picture.sink(level, &[table], if is_last_met { LAST } else { level + 1 })
}

/// A table of tombstones towards what they hide; rewritten in place where that is gone.
fn sink_tombstones<T: Placed + Clone>(
    picture: &Picture<'_, T>,
    level: usize,
    table: &T,
) -> Option<Candidate> {
    match picture.first_overlapping(level + 1, Span::of(table.facts())) {
        None => picture.sink(level, &[table], level),
        Some(_) => picture.sink(level, &[table], level + 1),
    }
}

/// Fewest bytes rewritten for each taken down; then the lowest number.
fn by_cost(one: &Candidate, other: &Candidate) -> Ordering {
    let cross = |a: &Candidate, b: &Candidate| u128::from(a.bottom_bytes) * u128::from(b.top_bytes);
    cross(one, other).cmp(&cross(other, one)).then_with(|| one.task.inputs.cmp(&other.task.inputs))
}
