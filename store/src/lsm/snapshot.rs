//! Everything as it was at one moment, for as long as somebody looks at it.
//!
//! A snapshot shares the state that counted when it was taken: its memtables and tables. The active
//! memtable keeps what is overwritten from then on. So it costs memory for what is written meanwhile,
//! and disk for tables that were merged since: it is meant to be held for a scan, not for a day.

use std::sync::Arc;

use bytes::Bytes;

use super::cursor::Cursor;
use super::merge::Merge;
use super::state::State;
use super::view::View;
use crate::engine::EngineError;

/// Everything as it was at one moment.
pub struct Snapshot {
    state: Arc<State>,
    sequence: u64,
}

impl Snapshot {
    pub(super) fn take(view: &View) -> Snapshot {
        let state = view.current();
        // Should the memtable be frozen between these lines, nothing is written to it any more: the
        // pin then sees all that this state will ever hold, which is one moment too.
        let sequence = state.active.pin();
        Snapshot { state, sequence }
    }

    /// The value `key` had.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.state.get_at(key, self.sequence)
    }

    /// The pairs with keys at or after `from`, ascending.
    pub fn range(&self, from: &[u8]) -> Result<Range<'_>, EngineError> {
        let mut entries = self.state.cursor(self.sequence);
        entries.seek(from)?;
        let mut range = Range { entries, _snapshot: self };
        range.pass_tombstones()?;
        Ok(range)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.state.active.unpin(self.sequence);
    }
}

/// A walk over the pairs of a snapshot: `(pair advance)*` until there is no pair.
pub struct Range<'a> {
    entries: Merge<'static>,
    _snapshot: &'a Snapshot,
}

impl Range<'_> {
    /// The pair it stands at; `None` past the last.
    pub fn pair(&self) -> Option<(&[u8], &[u8])> {
        self.entries.entry().and_then(|(key, value)| Some((key, value?)))
    }

    /// The value it stands at, to keep.
    pub fn value(&self) -> Option<Bytes> {
        self.entries.value()
    }

    /// Goes to the next pair. *Requires* that it stands at one.
    pub fn advance(&mut self) -> Result<(), EngineError> {
        self.entries.advance()?;
        self.pass_tombstones()
    }

    fn pass_tombstones(&mut self) -> Result<(), EngineError> {
        while matches!(self.entries.entry(), Some((_, None))) {
            self.entries.advance()?;
        }
        Ok(())
    }
}
