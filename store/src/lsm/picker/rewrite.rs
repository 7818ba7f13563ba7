//! A table rewritten where it stands, to be rid of a block that was repaired.
//!
//! Nothing else might ever merge it: at the bottom of a tree that is at rest, its readers would get the
//! error for good.

use super::span::Span;
use super::{Kind, Task};
use crate::lsm::levels::{Levels, Placed};

/// The task that rewrites one of `tables`; `None` where none of them counts any more.
pub(in crate::lsm) fn rewrite<T: Placed + Clone>(
    levels: &Levels<T>,
    tables: &[u64],
) -> Option<Task> {
    let (level, table) = levels.iter().find(|(_, table)| tables.contains(&table.facts().number))?;
    let span = Span::of(table.facts());
    let meets = |below| levels.overlapping(below, span.from, span.to).next().is_some();
    // On level 0 an older neighbour may have its keys.
    let is_bottom = level > 0 && !(level + 1..=super::LAST).any(meets);
    let inputs = vec![(level, table.facts().number)];
    Some(Task { inputs, output_level: level, kind: Kind::Merge, is_bottom })
}
