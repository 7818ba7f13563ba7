//! Where things lie among the keys of the engine. Every stored key is made and read here.
//!
//! ```text
//! "d" keyspace 0x00 key                       -> record, as `record` encodes it
//! "h" owner 0x00 sequence (8 bytes, BE)       -> key length (4 bytes, BE), key, record
//! "m" name                                    -> what the node remembers of itself
//! ```
//!
//! A key is kept as clients write it, prefix and all. Keyspace and node names hold no zero byte
//! (the start of a node refuses those), so no name runs into what follows, and keys of a keyspace,
//! like hints of an owner, lie side by side in ascending order.

use bytes::{BufMut, Bytes, BytesMut};

const DATA: u8 = b'd';
const HINT: u8 = b'h';
const META: u8 = b'm';

/// Name under which the incarnation of a data directory is kept.
pub const EPOCH: &str = "epoch";
/// Name under which the last start of the node is kept.
pub const BOOT: &str = "boot";

/// Where the record of `key` lies.
pub fn data(keyspace: &str, key: &[u8]) -> Bytes {
    named(DATA, keyspace, key)
}

/// Before every record of `keyspace`.
pub fn keyspace_start(keyspace: &str) -> Bytes {
    named(DATA, keyspace, &[])
}

/// The client's key of a stored record of `keyspace`, or `None` where another thing begins.
pub fn data_key(keyspace: &str, stored: &Bytes) -> Option<Bytes> {
    rest(DATA, keyspace, stored)
}

/// Where a hint lies.
pub fn hint(owner: &str, sequence: u64) -> Bytes {
    named(HINT, owner, &sequence.to_be_bytes())
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

fn named(kind: u8, name: &str, tail: &[u8]) -> Bytes {
    let mut stored = BytesMut::with_capacity(2 + name.len() + tail.len());
    stored.put_u8(kind);
    stored.put_slice(name.as_bytes());
    stored.put_u8(0);
    stored.put_slice(tail);
    stored.freeze()
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
        let stored = data("accounts", b"accounts:7");
        assert_eq!(data_key("accounts", &stored), Some(Bytes::from_static(b"accounts:7")));
        assert_eq!(hint_sequence("n2", &hint("n2", 7)), Some(7));
        assert!(keyspace_start("accounts") <= stored);
    }

    #[test]
    fn a_name_that_begins_another_is_not_mistaken_for_it() {
        assert_eq!(data_key("account", &data("accounts", b"s:1")), None);
        assert_eq!(hint_sequence("n1", &hint("n10", 1)), None);
        assert_eq!(data_key("n1", &hint("n1", 1)), None);
        assert!(!meta(EPOCH).starts_with(b"d"));
    }

    #[test]
    fn hints_lie_in_the_order_they_were_taken() {
        let taken = [0, 1, 255, 256, u64::MAX].map(|sequence| hint("n2", sequence));
        assert!(taken.is_sorted());
        assert!(after(&taken[3]) > taken[3] && after(&taken[3]) < taken[4]);
    }
}
