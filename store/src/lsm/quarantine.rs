//! Blocks that came back wrong from the disk, and the keys that may be missing with them.
//!
//! A block whose checksum or shape is wrong is never data, and never "not found": whoever reads it
//! gets an error. Its table says so here, with the range of keys the block may have held, and the
//! layer above fetches that range from the other replicas and writes it anew. Then it *releases* the
//! block: a merge may now leave it out, and with the merge the bad block is gone. Until the merge,
//! readers of the block still get the error: a newer value may stand above it, but nothing here can
//! tell what else the block held. A table whose footer, top index or properties are wrong is one such
//! block, with all its keys.
//!
//! ```text
//! (absent) -report-> held -release-> released -forget_table-> (absent)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// The keys that a damaged block may hold, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// Number of the table.
    pub table: u64,
    /// Its file.
    pub path: PathBuf,
    /// Offset of the block in bytes from the start of the file.
    pub offset: u64,
    /// All its keys are above this one; `None` where nothing stands before the block.
    pub after: Option<Bytes>,
    /// No key of it is above this one.
    pub to: Bytes,
    /// Whether the range was repaired, so that a merge may leave the block out.
    pub released: bool,
}

/// All damaged blocks that are known, by table and offset.
#[derive(Debug, Default)]
pub(crate) struct Quarantine {
    /// Asked only after a block was found damaged, so it is never fought over.
    ranges: Mutex<BTreeMap<(u64, u64), DamagedRange>>,
}

impl Quarantine {
    /// Takes a damaged block in; one that is known stays as it is.
    pub(super) fn report(&self, range: DamagedRange) {
        self.ranges().entry((range.table, range.offset)).or_insert(range);
    }

    /// Every damaged block that is known, by table and offset.
    pub(crate) fn list(&self) -> Vec<DamagedRange> {
        self.ranges().values().cloned().collect()
    }

    /// Tables with a block that waits for repair: they are left out of merges.
    pub(crate) fn held(&self) -> BTreeSet<u64> {
        self.ranges().values().filter(|range| !range.released).map(|range| range.table).collect()
    }

    /// Tables whose damaged blocks were all repaired: a rewrite rids them of these.
    pub(crate) fn released(&self) -> Vec<u64> {
        let held = self.held();
        let mut tables: Vec<u64> = self.ranges().keys().map(|(table, _)| *table).collect();
        tables.dedup();
        tables.retain(|table| !held.contains(table));
        tables
    }

    /// Says that the range of a block was repaired. Returns whether the block was known.
    pub(crate) fn release(&self, table: u64, offset: u64) -> bool {
        let mut ranges = self.ranges();
        let known = ranges.get_mut(&(table, offset));
        known.map(|range| range.released = true).is_some()
    }

    /// Whether a merge may leave this block out.
    pub(super) fn is_released(&self, table: u64, offset: u64) -> bool {
        self.ranges().get(&(table, offset)).is_some_and(|range| range.released)
    }

    /// Drops what is known of a table that is gone.
    pub(crate) fn forget_table(&self, table: u64) {
        self.ranges().retain(|(of, _), _| *of != table);
    }

    fn ranges(&self) -> MutexGuard<'_, BTreeMap<(u64, u64), DamagedRange>> {
        // Each change is one step: a thread that panicked left nothing half done.
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(table: u64, offset: u64) -> DamagedRange {
        let (path, to) = (PathBuf::from("t"), Bytes::from_static(b"z"));
        DamagedRange { table, path, offset, after: None, to, released: false }
    }

    #[test]
    fn a_table_is_held_until_all_its_blocks_are_released() {
        let quarantine = Quarantine::default();
        assert!(!quarantine.held().contains(&4));
        quarantine.report(range(4, 8));
        quarantine.report(range(4, 100));
        assert!(
            quarantine.held().contains(&4)
                && !quarantine.held().contains(&3)
                && !quarantine.held().contains(&5)
        );
        assert!(quarantine.release(4, 8));
        assert!(quarantine.held().contains(&4) && quarantine.is_released(4, 8));
        assert!(quarantine.release(4, 100));
        assert!(!quarantine.held().contains(&4));
        assert_eq!(quarantine.list().len(), 2, "released, but still there");
    }

    #[test]
    fn a_second_report_does_not_hold_again_what_was_released() {
        let quarantine = Quarantine::default();
        quarantine.report(range(4, 8));
        quarantine.release(4, 8);
        quarantine.report(range(4, 8));
        assert!(quarantine.is_released(4, 8));
    }

    #[test]
    fn what_was_never_reported_cannot_be_released() {
        let quarantine = Quarantine::default();
        assert!(!quarantine.release(4, 8));
        assert!(!quarantine.is_released(4, 8));
    }

    #[test]
    fn a_table_that_is_gone_is_forgotten() {
        let quarantine = Quarantine::default();
        quarantine.report(range(4, 8));
        quarantine.report(range(5, 8));
        quarantine.forget_table(4);
        assert_eq!(quarantine.list(), [range(5, 8)]);
    }
}
