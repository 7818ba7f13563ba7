//! Where things lie among the keys of the engine. Every stored key is made and read here.
//!
//! ```text
//! "d" keyspace 0x00 bucket (2 bytes, BE) key  -> record, as `record` encodes it
//! "h" owner 0x00 sequence (8 bytes, BE)       -> key length (4 bytes, BE), key, record
//! "m" name                                    -> what the node remembers of itself
//! ```
//!
//! A key is kept as clients write it, prefix and all. Keyspace and node names hold no zero byte
//! (the start of a node refuses those), so no name runs into what follows, and keys of a bucket,
//! like hints of an owner, lie side by side in ascending order.
//!
//! Why by bucket: the first 16 bits of the token are both the leaf of a Merkle tree and a place on
//! the ring. To list a leaf is to scan one short range; to hand an arc of the ring to another node is
//! to scan the buckets it covers, and to look at the tokens of those at its two ends. The whole
//! token would order keys within a bucket too, where nobody asks for it, and would cost six bytes a
//! record more and the prefixes that keys of one bucket share. The price we pay: clients' keys are
//! not in order on disk, and those written one after the other do not lie side by side.
//!
//! A directory remembers its [`VERSION`]; one that lies otherwise is refused when a node starts, for
//! its records would be there and never be found.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::merkle::Bucket;

const DATA: u8 = b'd';
const HINT: u8 = b'h';
const META: u8 = b'm';

/// Of the drawing above. The first version, which no directory remembers, had no buckets.
pub const VERSION: u64 = 2;

/// Name under which the incarnation of a data directory is kept.
pub const EPOCH: &str = "epoch";
/// Name under which the last start of the node is kept.
pub const BOOT: &str = "boot";
/// Name under which a directory remembers that nothing is missing in it.
pub const WHOLE: &str = "whole";
/// Name under which the highest counter is kept that was forgotten with a tombstone.
pub const FLOOR: &str = "floor";
/// Name under which the version of the layout is kept.
pub const LAYOUT: &str = "layout";

/// Where the record of `key` lies.
pub fn data(keyspace: &str, key: &[u8]) -> Bytes {
    named(DATA, keyspace, &[&Bucket::of(key).0.to_be_bytes(), key])
}

/// Before every record of every keyspace.
pub fn data_start() -> Bytes {
    Bytes::from_static(&[DATA])
}

/// After every record of every keyspace.
pub fn data_end() -> Bytes {
    Bytes::from_static(&[DATA + 1])
}

/// The keyspace of a stored record; `None` of anything else.
pub fn keyspace_of(stored: &[u8]) -> Option<&str> {
    let tail = stored.strip_prefix(&[DATA])?;
    let end = tail.iter().position(|&byte| byte == 0)?;
    std::str::from_utf8(&tail[..end]).ok()
}

/// Before every record of `bucket`, and after those of the bucket before it.
pub fn bucket_start(keyspace: &str, bucket: Bucket) -> Bytes {
    named(DATA, keyspace, &[&bucket.0.to_be_bytes()])
}

/// After every record of `keyspace`.
pub fn keyspace_end(keyspace: &str) -> Bytes {
    let mut end = named(DATA, keyspace, &[]).to_vec();
    *end.last_mut().expect("a zero byte ends the name") += 1;
    end.into()
}

/// The bucket and the client's key of a stored record of `keyspace`; `None` of anything else.
pub fn data_key(keyspace: &str, stored: &Bytes) -> Option<(Bucket, Bytes)> {
    let mut tail = rest(DATA, keyspace, stored)?;
    let bucket = tail.try_get_u16().ok()?;
    Some((Bucket(bucket), tail))
}

/// Where a hint lies.
pub fn hint(owner: &str, sequence: u64) -> Bytes {
    named(HINT, owner, &[&sequence.to_be_bytes()])
}

/// The sequence of a stored hint of `owner`, or `None` where another thing begins.
pub fn hint_sequence(owner: &str, stored: &Bytes) -> Option<u64> {
    let sequence = rest(HINT, owner, stored)?;
    Some(u64::from_be_bytes(sequence[..].try_into().ok()?))
}

/// Where the node remembers something of itself.
pub fn meta(name: &str) -> Bytes {
    let mut stored = BytesMut::with_capacity(1 + name.len());
    stored.put_u8(META);
    stored.put_slice(name.as_bytes());
    stored.freeze()
}

/// The first key after `stored`.
pub fn after(stored: &[u8]) -> Bytes {
    let mut next = BytesMut::with_capacity(stored.len() + 1);
    next.put_slice(stored);
    next.put_u8(0);
    next.freeze()
}

fn named(kind: u8, name: &str, tail: &[&[u8]]) -> Bytes {
    let tail_bytes: usize = tail.iter().map(|part| part.len()).sum();
    let mut stored = Vec::with_capacity(2 + name.len() + tail_bytes);
    stored.put_u8(kind);
    stored.put_slice(name.as_bytes());
    stored.put_u8(0);
    for part in tail {
        stored.put_slice(part);
    }
    stored.into()
}

fn rest(kind: u8, name: &str, stored: &Bytes) -> Option<Bytes> {
    let tail = stored.strip_prefix(&[kind])?.strip_prefix(name.as_bytes())?.strip_prefix(&[0])?;
    Some(stored.slice(stored.len() - tail.len()..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_laid_down_is_found_again() {
        let key = Bytes::from_static(b"accounts:7");
        let stored = data("accounts", &key);
        assert_eq!(data_key("accounts", &stored), Some((Bucket::of(&key), key)));
        assert_eq!(keyspace_of(&stored), Some("accounts"));
        assert_eq!(hint_sequence("n2", &hint("n2", 7)), Some(7));
    }

    #[test]
    fn the_layout_is_the_same_in_every_release_of_its_version() {
        let stored = data("accounts", b"accounts:1");
        assert_eq!(&stored[..], b"daccounts\0\xf2\xf9accounts:1", "its token begins with f2f9");
        assert_eq!(VERSION, 2);
    }

    #[test]
    fn a_name_that_begins_another_is_not_mistaken_for_it() {
        assert_eq!(data_key("account", &data("accounts", b"s:1")), None);
        assert_eq!(hint_sequence("n1", &hint("n10", 1)), None);
        assert_eq!(data_key("n1", &hint("n1", 1)), None);
        for other in [meta(EPOCH), hint("n1", 1)] {
            assert!(other < data_start() || other >= data_end());
            assert_eq!(keyspace_of(&other), None);
        }
    }

    #[test]
    fn keys_of_a_bucket_lie_between_its_start_and_the_next() {
        for key in (0..2000).map(|i| format!("k{i}").into_bytes()).chain([vec![], vec![0xff; 9]]) {
            let (bucket, stored) = (Bucket::of(&key), data("a", &key));
            assert!(bucket_start("a", bucket) <= stored, "{key:?}");
            let next = bucket.0.checked_add(1).map(|next| bucket_start("a", Bucket(next)));
            assert!(stored < next.unwrap_or(keyspace_end("a")), "{key:?}");
        }
    }

    #[test]
    fn hints_lie_in_the_order_they_were_taken() {
        let taken = [0, 1, 255, 256, u64::MAX].map(|sequence| hint("n2", sequence));
        assert!(taken.is_sorted());
        assert!(after(&taken[3]) > taken[3] && after(&taken[3]) < taken[4]);
    }
}
