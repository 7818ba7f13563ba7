//! A span of keys, both ends included.

use crate::lsm::table::TableFacts;

/// From the first key to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span<'a> {
    pub(super) from: &'a [u8],
    pub(super) to: &'a [u8],
}

impl<'a> Span<'a> {
    pub(super) fn of(table: &'a TableFacts) -> Span<'a> {
        Span { from: &table.smallest, to: &table.largest }
    }

    /// The smallest span that has them all; `None` of none.
    pub(super) fn around(tables: impl IntoIterator<Item = &'a TableFacts>) -> Option<Span<'a>> {
        tables.into_iter().map(Span::of).reduce(Span::join)
    }

    pub(super) fn join(self, other: Span<'a>) -> Span<'a> {
        Span { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    pub(super) fn overlaps(self, other: Span<'_>) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}
