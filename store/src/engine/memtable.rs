//! The writes not yet in a table, in memory and in order.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::{Entry, Found};

/// What an entry costs beside its bytes, roughly: two handles and a share of a tree node.
const ENTRY_OVERHEAD_BYTES: usize = 96;

/// The writes not yet in a table. A removed key stays, as a tombstone that hides older tables.
#[derive(Debug, Default)]
pub(super) struct Memtable {
    entries: BTreeMap<Bytes, Option<Bytes>>,
    bytes: usize,
}

impl Memtable {
    /// Copies what it keeps: a slice of a connection's buffer would hold all of that in memory.
    pub(super) fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let value = value.map(Bytes::copy_from_slice);
        let added = key.len() + value.as_ref().map_or(0, Bytes::len) + ENTRY_OVERHEAD_BYTES;
        self.bytes += added;
        if let Some(old) = self.entries.insert(Bytes::copy_from_slice(key), value) {
            self.bytes -= key.len() + old.map_or(0, |old| old.len()) + ENTRY_OVERHEAD_BYTES;
        }
    }

    /// What it knows of `key`, if anything.
    pub(super) fn get(&self, key: &[u8]) -> Option<Found> {
        self.entries.get(key).cloned().map(Found::from)
    }

    /// Entries with keys at or after `from`, ascending.
    pub(super) fn range(&self, from: &[u8]) -> impl Iterator<Item = Entry> + '_ {
        let range = (Bound::Included(from), Bound::Unbounded);
        self.entries.range::<[u8], _>(range).map(|(key, value)| (key.clone(), value.clone()))
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overwriting_costs_nothing_more() {
        let mut table = Memtable::default();
        table.put(b"k", Some(b"value"));
        let once = table.bytes();
        table.put(b"k", Some(b"other"));
        assert_eq!(table.bytes(), once);
        table.put(b"k", None);
        assert_eq!(table.bytes(), once - 5);
        assert_eq!(table.get(b"k"), Some(Found::Removed));
        assert_eq!(table.get(b"l"), None);
    }
}
