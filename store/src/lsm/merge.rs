//! Several ordered sources as one: for each key, the entry of the newest source that has it.
//!
//! Most of the time one source runs ahead alone: a deep level holds most keys. So the merge remembers
//! the least key of all the others, and looks at them again only when the source it stands in has
//! passed it.

use bytes::Bytes;

use super::cursor::{Cursor, EntryRef};
use crate::engine::EngineError;

/// A place in the merge of sources, newest first.
pub(super) struct Merge<'a> {
    sources: Vec<Box<dyn Cursor + Send + 'a>>,
    /// The source it stands in.
    at: Option<usize>,
    /// The least key the other sources stand at, if any of them stands anywhere.
    others: Vec<u8>,
    others_are_done: bool,
}

impl<'a> Merge<'a> {
    /// *Requires* sources newest first.
    pub(super) fn new(sources: Vec<Box<dyn Cursor + Send + 'a>>) -> Merge<'a> {
        Merge { sources, at: None, others: Vec::new(), others_are_done: true }
    }

    fn key(&self, source: usize) -> Option<&[u8]> {
        self.sources[source].entry().map(|(key, _)| key)
    }

    /// Stands in the source with the least key, of equals in the newest, and notes the next least.
    fn choose(&mut self) {
        let mut least: Option<(usize, &[u8])> = None;
        let mut next: Option<&[u8]> = None;
        for (index, source) in self.sources.iter().enumerate() {
            let Some((key, _)) = source.entry() else { continue };
            match least {
                Some((_, smallest)) if key >= smallest => {
                    next = Some(next.map_or(key, |next| next.min(key)));
                }
                _ => {
                    next = least.map(|(_, smallest)| smallest);
                    least = Some((index, key));
                }
            }
        }
        self.at = least.map(|(index, _)| index);
        self.others_are_done = next.is_none();
        self.others.clear();
        self.others.extend_from_slice(next.unwrap_or_default());
    }

    /// Whether the source it stands in is still ahead of all others.
    fn is_alone(&self, key: &[u8]) -> bool {
        self.others_are_done || key < &self.others[..]
    }

    /// Passes what older sources have of the key it stands at.
    fn pass_older(&mut self, at: usize) -> Result<(), EngineError> {
        let (newer, older) = self.sources.split_at_mut(at + 1);
        let key = newer[at].entry().map(|(key, _)| key);
        for source in older {
            if source.entry().map(|(key, _)| key) == key {
                source.advance()?;
            }
        }
        Ok(())
    }
}

impl Cursor for Merge<'_> {
    fn seek(&mut self, from: &[u8]) -> Result<(), EngineError> {
        self.at = None;
        for source in &mut self.sources {
            source.seek(from)?;
        }
        self.choose();
        Ok(())
    }

    fn advance(&mut self) -> Result<(), EngineError> {
        let at = self.at.take().expect("an advancing cursor stands at an entry");
        if self.key(at).is_some_and(|key| !self.is_alone(key)) {
            self.pass_older(at)?;
            self.sources[at].advance()?;
            self.choose();
            return Ok(());
        }
        self.sources[at].advance()?;
        match self.key(at) {
            Some(key) if self.is_alone(key) => self.at = Some(at),
            _ => self.choose(),
        }
        Ok(())
    }

    fn entry(&self) -> Option<EntryRef<'_>> {
        self.sources[self.at?].entry()
    }

    fn value(&self) -> Option<Bytes> {
        self.sources[self.at?].value()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A list of entries, or what fails when one goes further than it.
    struct Listed {
        entries: Vec<(Bytes, Option<Bytes>)>,
        at: usize,
        fails: bool,
    }

    impl Listed {
        fn stands(&self) -> Result<(), EngineError> {
            if self.fails && self.at == self.entries.len() {
                return Err(EngineError::Closed("a planted failure".to_owned()));
            }
            Ok(())
        }
    }

    impl Cursor for Listed {
        fn seek(&mut self, from: &[u8]) -> Result<(), EngineError> {
            self.at = self.entries.partition_point(|(key, _)| &key[..] < from);
            self.stands()
        }

        fn advance(&mut self) -> Result<(), EngineError> {
            assert!(self.at < self.entries.len(), "it advances from where it stands");
            self.at += 1;
            self.stands()
        }

        fn entry(&self) -> Option<EntryRef<'_>> {
            self.entries.get(self.at).map(|(key, value)| (&key[..], value.as_deref()))
        }
    }

    fn listed(entries: impl IntoIterator<Item = (Bytes, Option<Bytes>)>) -> Listed {
        Listed { entries: entries.into_iter().collect(), at: 0, fails: false }
    }

    fn walk(
        merge: &mut Merge<'_>,
        from: &[u8],
    ) -> Result<Vec<(Bytes, Option<Bytes>)>, EngineError> {
        merge.seek(from)?;
        let mut walked = Vec::new();
        while let Some((key, value)) = merge.entry() {
            assert_eq!(value.map(Bytes::copy_from_slice), merge.value());
            walked.push((Bytes::copy_from_slice(key), merge.value()));
            merge.advance()?;
        }
        Ok(walked)
    }

    fn pair(key: &'static str, value: Option<&'static str>) -> (Bytes, Option<Bytes>) {
        (key.into(), value.map(Bytes::from))
    }

    #[test]
    fn the_newest_of_a_key_hides_the_rest_even_where_it_is_a_tombstone() {
        let new = [pair("a", None), pair("c", Some("new"))];
        let old = [pair("a", Some("1")), pair("b", Some("2")), pair("c", Some("3"))];
        let mut merge =
            Merge::new(vec![Box::new(listed(new.clone())), Box::new(listed(old.clone()))]);
        let expected = vec![new[0].clone(), old[1].clone(), new[1].clone()];
        assert_eq!(walk(&mut merge, b"").unwrap(), expected);
    }

    #[test]
    fn a_failure_of_any_source_is_told_and_nothing_is_skipped_over() {
        for broken in 0..2 {
            let mut sources = [listed([pair("a", None)]), listed([pair("b", None)])];
            sources[broken].fails = true;
            let [new, old] = sources;
            let mut merge = Merge::new(vec![Box::new(new), Box::new(old)]);
            let walked = walk(&mut merge, b"");
            assert!(matches!(walked, Err(EngineError::Closed(_))), "source {broken}: {walked:?}");
            assert_eq!(merge.entry(), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_merge_is_the_union_in_which_newer_sources_win(
            sources in prop::collection::vec(
                prop::collection::btree_map("[a-d]{0,3}", prop::option::of(0..9_u8), 0..20), 0..6),
            from in "[a-d]{0,3}",
        ) {
            let mut model = BTreeMap::new();
            for source in sources.iter().rev() {
                model.extend(source.clone());
            }
            let entry = |(key, value): (String, Option<u8>)| (Bytes::from(key), value.map(|v| Bytes::from(vec![v])));
            let cursors = sources.into_iter().map(|source| Box::new(listed(source.into_iter().map(entry))) as Box<dyn Cursor + Send>);
            let mut merge = Merge::new(cursors.collect());
            let expected: Vec<_> = model.range(from.clone()..).map(|(k, v)| entry((k.clone(), *v))).collect();
            prop_assert_eq!(walk(&mut merge, from.as_bytes()).unwrap(), expected);
        }
    }
}
