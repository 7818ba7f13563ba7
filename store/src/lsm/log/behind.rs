//! Segments that ended without a sync, until tables hold what they hold.
//!
//! Where no sync is promised, a segment ends without one. Whoever then says that all up to some
//! sequence is on the platter must have synced these too: hence they are kept. And kept open, for it is
//! by the handle that a file was written through that the system is sure to tell of a write that failed
//! meanwhile.
//! Source: Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::segment::Segment;
use crate::engine::EngineError;

/// Segments that ended and are not known to be on the platter, oldest first.
#[derive(Debug, Default)]
pub(in super::super) struct Behind {
    /// A lock of its own: who leads adds and syncs, who flushes forgets, and a leader may be waiting for
    /// that flush.
    segments: Mutex<Vec<Segment>>,
}

impl Behind {
    /// Keeps one that ended, newer than all before.
    pub(in super::super) fn add(&self, segment: Segment) {
        self.lock().push(segment);
    }

    /// Forgets those below `number`: tables hold what they held. The last handle of each goes here.
    pub(in super::super) fn forget_below(&self, number: u64) {
        let mut segments = self.lock();
        let kept = segments.partition_point(|segment| segment.number() < number);
        let gone: Vec<Segment> = segments.drain(..kept).collect();
        drop(segments);
        drop(gone);
    }

    /// Puts all of them on the platter, and forgets them. After an error none is known to be there.
    pub(in super::super) fn sync(&self) -> Result<(), EngineError> {
        let mut segments = self.lock();
        segments.iter_mut().try_for_each(Segment::sync)?;
        segments.clear();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
