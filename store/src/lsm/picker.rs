//! Which tables to merge next.
//!
//! Leveled compaction with a size-tiered level 0. Each level has a [target](targets); the one most
//! over its own gives tables to a deeper one. Level 0, whose tables overlap, gives [together](level0)
//! what belongs together; a deeper level gives [one table](deeper), that which is cheapest to merge
//! for its size. A table that meets nothing on its way down is moved, without a byte being rewritten:
//! a fill in ascending order costs what its flushes cost. When no level is over its target, tables
//! that are mostly tombstones go down, or at the bottom are rewritten without them.
//!
//! # Invariants
//! - *Read order*: of two tables that both have a key, the one read first has its newer version,
//!   before and after every task. So nothing sinks past a table that may have one of its keys: inputs
//!   from level 0 come with all older tables of level 0 they overlap, and no task skips a level on
//!   which anything overlaps its inputs. (A *newer* table left behind is harmless: it is read first.)
//! - Outputs fit: everything on the output level within the span of the inputs is among them.
//! - A tombstone goes only where nothing below may have its key (`is_bottom`).
//! - Termination: each task takes bytes deeper, or takes tables or tombstones away; none ever undoes
//!   another.
//!
//! *Requires*: one task at a time. Flushes may be applied between picking a task and applying its
//! edit, as they come in above all that a task has seen; another task may not. And a merge at the
//! bottom drops all its tombstones: a layer that must keep some holds such tables back (`held`), or
//! the same table would be picked for ever.
//!
//! Source: Dong et al., "Optimizing Space Amplification in RocksDB", CIDR 2017 (targets); LevelDB's
//! `version_set.cc` (scores); RocksDB's `kMinOverlappingRatio` and intra-L0 compaction; Cassandra's
//! size-tiered strategy.

use std::collections::BTreeSet;

use self::span::Span;
use self::targets::Targets;
use super::levels::{Edit, LAST, Levels, Place, Placed};
use super::table::TableFacts;

mod deeper;
mod level0;
mod rewrite;
mod span;
mod targets;
#[cfg(test)]
mod tests;

pub(super) use rewrite::rewrite;

/// What the tree should look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// From so many tables on, level 0 is merged.
    pub level0_trigger: usize,
    /// The most bytes of the first level below 0 that is in use.
    pub level1_bytes: u64,
    /// How many times larger a level is than the one above it.
    pub fanout: u64,
    /// Where outputs below level 0 are cut.
    pub table_bytes: u64,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape { level0_trigger: 4, level1_bytes: 256 << 20, fanout: 10, table_bytes: 64 << 20 }
    }
}

/// How a task is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The one input stands on the output level from now on; nothing is written but the manifest.
    Move,
    /// The inputs are merged into new tables: cut at `table_bytes` below level 0, and on level 0 not
    /// cut at all, as it is the number of tables there that costs.
    Merge,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Level and number of the tables, in read order: of two entries of one key the first wins.
    pub(super) inputs: Vec<(usize, u64)>,
    /// Where the outputs go.
    pub(super) output_level: usize,
    /// How.
    pub(super) kind: Kind,
    /// Whether no table below may have a key of the inputs: tombstones may go.
    pub(super) is_bottom: bool,
}

impl Task {
    /// The step that ends this task: `outputs` instead of its inputs. For a move they are the input.
    pub(super) fn edit<T>(&self, outputs: Vec<T>) -> Edit<T> {
        let place =
            if self.output_level == 0 { Place::Gap } else { Place::Level(self.output_level) };
        Edit {
            removed: self.inputs.iter().map(|(_, number)| *number).collect(),
            added: outputs.into_iter().map(|table| (place, table)).collect(),
        }
    }
}

/// What to do next, if anything. Tables in `held` are never inputs: they have damaged blocks, and
/// merging would make one damaged block the loss of a table.
pub(super) fn pick<T: Placed + Clone>(
    levels: &Levels<T>,
    shape: &Shape,
    held: &BTreeSet<u64>,
) -> Option<Task> {
    let targets = Targets::of(levels, shape);
    let picture = Picture { levels, shape, held, targets };
    let due = picture.targets.due(levels, shape).into_iter().find_map(|level| match level {
        0 => level0::pick(&picture),
        level => deeper::pick(&picture, level),
    });
    due.or_else(|| deeper::pick_tombstones(&picture))
}

/// All that a choice is made from.
struct Picture<'a, T> {
    levels: &'a Levels<T>,
    shape: &'a Shape,
    held: &'a BTreeSet<u64>,
    targets: Targets,
}

/// A task that could be done, and what it costs.
struct Candidate {
    task: Task,
    /// Bytes that go down.
    top_bytes: u64,
    /// Bytes of the output level that are rewritten for it.
    bottom_bytes: u64,
}

impl<T: Placed + Clone> Picture<'_, T> {
    fn is_held(&self, table: &T) -> bool {
        self.held.contains(&table.facts().number)
    }

    /// The first of the levels from `from` on with a table that overlaps `span`.
    fn first_overlapping(&self, from: usize, span: Span<'_>) -> Option<usize> {
        (from..=LAST)
            .find(|&level| self.levels.overlapping(level, span.from, span.to).next().is_some())
    }

    /// Taking `tables`, which go together, from `level` to `output_level`, with all they overlap there;
    /// `None` where one of them is held.
    ///
    /// *Requires* that nothing between the two levels overlaps them.
    fn sink(&self, level: usize, tables: &[&T], output_level: usize) -> Option<Candidate> {
        let top = Span::around(tables.iter().map(|table| table.facts()))?;
        let bottom: Vec<&T> = if output_level == level {
            Vec::new()
        } else {
            self.levels.overlapping(output_level, top.from, top.to).collect()
        };
        if tables.iter().chain(&bottom).any(|table| self.is_held(table)) {
            return None;
        }
        let all = Span::around(tables.iter().chain(&bottom).map(|table| table.facts()))?;
        let is_bottom = self.first_overlapping(output_level + 1, all).is_none();
        let is_alone = tables.len() == 1 && bottom.is_empty() && output_level != level;
        // At the bottom a table's tombstones do nothing but cost.
        let is_moved = is_alone && !(is_bottom && is_mostly_tombstones(tables[0].facts()));
        let placed = |level| move |table: &&T| (level, table.facts().number);
        let inputs = tables
            .iter()
            .map(placed(level))
            .chain(bottom.iter().map(placed(output_level)))
            .collect();
        let kind = if is_moved { Kind::Move } else { Kind::Merge };
        Some(Candidate {
            task: Task { inputs, output_level, kind, is_bottom },
            top_bytes: bytes(tables),
            bottom_bytes: bytes(&bottom),
        })
    }
}

fn bytes<T: Placed>(tables: &[&T]) -> u64 {
    tables.iter().map(|table| table.facts().bytes).sum()
}

/// Whether a table is worth a rewrite for its tombstones alone.
fn is_mostly_tombstones(facts: &TableFacts) -> bool {
    facts.tombstones > 0 && facts.tombstones >= facts.entries.div_ceil(2)
}
