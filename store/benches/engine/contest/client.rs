//! Who puts and gets pairs of a data set, and knows what must come back.
//!
//! An engine that answers wrongly is not faster: every answer is checked, by its length, and every
//! scan by its count.

use anyhow::{Result, ensure};

use super::dataset::Dataset;
use super::peer::{Checksum, Peer};

/// A user of an open engine.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) peer: &'a dyn Peer,
    pub(crate) dataset: &'a Dataset,
}

impl Client<'_> {
    /// Puts the pair of an ordinal.
    pub(crate) fn put(self, ordinal: u64) -> Result<()> {
        self.peer.put(&Dataset::key(ordinal), self.dataset.value(ordinal))
    }

    /// Gets the value of an ordinal that was put.
    pub(crate) fn get(self, ordinal: u64) -> Result<()> {
        let found = self.peer.get(&Dataset::key(ordinal))?;
        let expected = self.dataset.value_bytes;
        ensure!(found == Some(expected), "{found:?} bytes of {expected} found at {ordinal}");
        Ok(())
    }

    /// Asks for a key that nobody put.
    pub(crate) fn miss(self, ordinal: u64) -> Result<()> {
        let found = self.peer.get(&Dataset::absent_key(ordinal))?;
        ensure!(found.is_none(), "{found:?} bytes found where nothing was put, after {ordinal}");
        Ok(())
    }

    /// Scans so many pairs.
    pub(crate) fn scan(self, expected: u64) -> Result<Checksum> {
        let mut seen = Checksum::default();
        self.peer.scan(&mut seen)?;
        ensure!(seen.entries == expected, "{} pairs of {expected} were found", seen.entries);
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every question alike.
    struct Says(Option<usize>);

    impl Peer for Says {
        fn put(&self, _key: &[u8], _value: &[u8]) -> Result<()> {
            Ok(())
        }
        fn get(&self, _key: &[u8]) -> Result<Option<usize>> {
            Ok(self.0)
        }
        fn scan(&self, seen: &mut Checksum) -> Result<()> {
            seen.add(b"key", b"value");
            Ok(())
        }
        fn settle(&self) -> Result<()> {
            Ok(())
        }
        fn close(self: Box<Self>) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_engine_that_answers_wrongly_is_found_out() {
        let dataset = Dataset::new(10, 100);
        let cases = [(Some(100), true, false), (Some(99), false, false), (None, false, true)];
        for (answer, finds, misses) in cases {
            let client = Client { peer: &Says(answer), dataset: &dataset };
            assert_eq!(client.get(3).is_ok(), finds, "{answer:?}");
            assert_eq!(client.miss(3).is_ok(), misses, "{answer:?}");
        }
        let client = Client { peer: &Says(None), dataset: &dataset };
        assert_eq!(client.scan(1).unwrap().entries, 1);
        assert!(client.scan(2).is_err());
    }
}
