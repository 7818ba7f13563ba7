//! What is known of a table without reading it.

use bytes::Bytes;

/// A table, as the levels and the manifest know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableFacts {
    /// Its number, never used twice in a directory.
    pub(crate) number: u64,
    /// Length of its file.
    pub(crate) bytes: u64,
    /// How many keys it knows, tombstones included.
    pub(crate) entries: u64,
    /// How many of them were removed.
    pub(crate) tombstones: u64,
    /// Its first key.
    pub(crate) smallest: Bytes,
    /// Its last key.
    pub(crate) largest: Bytes,
}

impl TableFacts {
    /// Whether it may have a key between `from` and `to`, both included.
    pub(crate) fn overlaps(&self, from: &[u8], to: &[u8]) -> bool {
        self.smallest <= to && from <= self.largest
    }
}
