//! A place in an ordered sequence of entries: how memtables, tables and their merge are walked.

use bytes::Bytes;

use crate::engine::EngineError;

/// A key, and its value or `None` where it was removed; borrowed from where the cursor stands.
pub(super) type EntryRef<'a> = (&'a [u8], Option<&'a [u8]>);

/// A place in entries whose keys ascend. Not anywhere until the first `seek`.
///
/// After an error it stands nowhere, and must be sought again.
pub(super) trait Cursor {
    /// Goes to the first entry with a key at or after `from`.
    fn seek(&mut self, from: &[u8]) -> Result<(), EngineError>;
    /// Goes to the next entry. *Requires* that it stands at one.
    fn advance(&mut self) -> Result<(), EngineError>;
    /// The entry it stands at; `None` past the last.
    fn entry(&self) -> Option<EntryRef<'_>>;
    /// The value it stands at, to keep: a share of the bytes it lies in where that is cheap.
    fn value(&self) -> Option<Bytes> {
        self.entry().and_then(|(_, value)| value).map(Bytes::copy_from_slice)
    }
}
