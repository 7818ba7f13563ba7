//! Several ordered sources as one: for each key, the entry of the newest source that has it.

use std::iter::Peekable;

use super::{EngineError, Entry};

/// An ordered source; after an error it gives nothing more.
pub(super) type Source<'a> = Box<dyn Iterator<Item = Result<Entry, EngineError>> + 'a>;

/// Entries of all sources, ascending, tombstones included. Ends after the first error.
///
/// Sources are few (a handful of tables), so the least key is found by looking at each.
pub(super) struct Merge<'a> {
    /// Newest first.
    sources: Vec<Peekable<Source<'a>>>,
}

impl<'a> Merge<'a> {
    /// *Requires* sources newest first, each with ascending keys.
    pub(super) fn new(sources: impl IntoIterator<Item = Source<'a>>) -> Merge<'a> {
        Merge { sources: sources.into_iter().map(Iterator::peekable).collect() }
    }

    /// The error some source stands at, if any.
    fn take_error(&mut self) -> Option<EngineError> {
        let failed = |source: &mut Peekable<Source<'a>>| source.next_if(Result::is_err);
        self.sources.iter_mut().find_map(failed).and_then(Result::err)
    }

    /// Which source has the least key; of equals the newest.
    fn least(&mut self) -> Option<usize> {
        let mut least: Option<(usize, &[u8])> = None;
        for (index, source) in self.sources.iter_mut().enumerate() {
            if let Some(Ok((key, _))) = source.peek()
                && least.is_none_or(|(_, smallest)| key[..] < *smallest)
            {
                least = Some((index, key));
            }
        }
        least.map(|(index, _)| index)
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<Entry, EngineError>;

    fn next(&mut self) -> Option<Result<Entry, EngineError>> {
        if let Some(error) = self.take_error() {
            self.sources.clear();
            return Some(Err(error));
        }
        let newest = self.least()?;
        let entry = self.sources[newest].next()?;
        let Ok((key, _)) = &entry else { return Some(entry) };
        for older in &mut self.sources[newest + 1..] {
            older.next_if(|it| matches!(it, Ok((other, _)) if other == key));
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn source(entries: &[(&'static str, Option<&'static str>)]) -> Source<'static> {
        let entries = entries.iter().map(|&(key, value)| Ok((key.into(), value.map(Bytes::from))));
        Box::new(entries.collect::<Vec<_>>().into_iter())
    }

    #[test]
    fn the_newest_source_wins_and_keys_ascend() {
        let newer = source(&[("a", None), ("c", Some("new"))]);
        let older = source(&[("a", Some("old")), ("b", Some("old")), ("c", Some("old"))]);
        let merged: Vec<Entry> = Merge::new([newer, older]).map(Result::unwrap).collect();
        let expected = [("a", None), ("b", Some("old")), ("c", Some("new"))];
        assert_eq!(merged, expected.map(|(key, value)| (key.into(), value.map(Bytes::from))));
    }

    #[test]
    fn an_error_of_any_source_ends_the_merge() {
        let broken: Source<'_> =
            Box::new(std::iter::once(Err(EngineError::Closed("here".to_owned()))));
        let mut merge = Merge::new([source(&[("a", None)]), broken]);
        assert!(matches!(merge.next(), Some(Err(_))));
        assert!(merge.next().is_none());
    }
}
