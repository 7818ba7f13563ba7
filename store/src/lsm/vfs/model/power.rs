//! The count of operations, and what is planned to happen at one: the power goes, or it fails.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

/// Operations done, and faults to come.
#[derive(Debug, Default)]
pub(super) struct Power {
    operations: u64,
    cut_after: Option<u64>,
    faults: BTreeMap<u64, ErrorKind>,
}

/// The error of a disk without power.
#[derive(Debug, thiserror::Error)]
#[error("power is off")]
struct Off;

/// Whether `error` says that the power is off, so that the operation was not even begun.
pub(super) fn is_off(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<Off>())
}

impl Power {
    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn cut_after(&mut self, operations: u64) {
        self.cut_after = Some(operations);
    }

    pub(super) fn fail(&mut self, operation: u64, kind: ErrorKind) {
        self.faults.insert(operation, kind);
    }

    /// Whether anything works at all.
    pub(super) fn look(&self) -> io::Result<()> {
        let is_off = self.cut_after.is_some_and(|last| self.operations >= last);
        if is_off { Err(io::Error::other(Off)) } else { Ok(()) }
    }

    /// Counts an operation; its fault, if one was planned.
    pub(super) fn operate(&mut self) -> io::Result<()> {
        self.look()?;
        let number = self.operations;
        self.operations += 1;
        self.faults.remove(&number).map_or(Ok(()), |kind| Err(kind.into()))
    }
}
