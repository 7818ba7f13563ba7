//! A record with its encoding beside it.
//!
//! What travels and what lies on disk are bytes, what is compared and joined is a record, and most often
//! one of two records comes out of their join as it went in: then its bytes are at hand, and nothing is
//! written anew. Each record has one encoding, so that bytes may stand for it.

use std::cmp::Ordering;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::format::DecodeError;
use super::record::Record;

/// A record with its encoding beside it.
#[derive(Clone, Debug)]
pub struct Encoded {
    record: Record,
    bytes: Bytes,
}

impl Encoded {
    /// This record, encoded.
    pub fn of(record: Record) -> Encoded {
        let bytes = record.encode();
        Encoded { record, bytes }
    }

    /// The record that was encoded so; its values are slices of `bytes`.
    ///
    /// # Errors
    ///
    /// Where no record is encoded so.
    pub fn read(bytes: Bytes) -> Result<Encoded, DecodeError> {
        let record = Record::decode_shared(&bytes)?;
        Ok(Encoded { record, bytes })
    }

    /// The record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The record alone.
    pub fn into_record(self) -> Record {
        self.record
    }

    /// Its encoding.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What [`Record::digest`] is, without encoding it.
    pub fn digest(&self) -> u64 {
        xxh3_64(&self.bytes)
    }

    /// [`Record::join`].
    #[must_use]
    pub fn join(self, other: Encoded) -> Encoded {
        match (&self.record, &other.record) {
            (Record::Siblings(_), Record::Siblings(_))
            | (Record::Branches(_), Record::Branches(_)) => {
                Encoded::of(self.record.join(other.record))
            }
            (mine, theirs) if mine.order(theirs) == Ordering::Less => other,
            _ => self,
        }
    }
}

impl PartialEq for Encoded {
    fn eq(&self, other: &Encoded) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Encoded {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::version::test_records::{lww, register};
    use crate::version::{Actor, Siblings};

    fn any_record() -> impl Strategy<Value = Record> {
        let value = prop::option::of(prop::sample::select(vec!["a", "b"]));
        let node = prop::sample::select(vec!["n1", "n2"]);
        (0..3u8, 1..4u64, node, value).prop_map(|(kind, counter, node, value)| match kind {
            0 => register(counter, node, 1, value),
            1 => lww(counter, node, 1, value),
            _ => {
                let actor = Actor::new(crate::version::test_records::node(node), counter);
                Record::Siblings(Siblings::new(actor, value.map(Bytes::from)))
            }
        })
    }

    proptest! {
        /// Joined with or without its bytes, a record is the same, and its bytes are its encoding.
        #[test]
        fn bytes_follow_their_record(mine in any_record(), theirs in any_record()) {
            let joined = Encoded::of(mine.clone()).join(Encoded::of(theirs.clone()));
            prop_assert_eq!(joined.record(), &mine.join(theirs));
            prop_assert_eq!(joined.bytes(), &joined.record().encode());
            prop_assert_eq!(joined.digest(), joined.record().digest());
            let read = Encoded::read(joined.bytes().clone()).unwrap();
            prop_assert_eq!(read.record(), joined.record());
        }
    }
}
