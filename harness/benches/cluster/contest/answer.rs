//! What was written, and whether an answer can be true.
//!
//! Every value names its key, its writer and how many writes that writer had made, and the rest of
//! it follows from these. So a read can be judged alone: a value that is torn, of another key, or of
//! a write nobody made yet is wrong, and so is none, as every key is there from the beginning.
//! Whether reads are also in the right *order* is not judged here: that is what the suites do.
//!
//! ```text
//! key(10 digits) writer(4) number(16) filling, hexadecimal, up to the size of values
//! ```

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use thiserror::Error;

/// Who fills the store; clients are writers from 1.
pub(crate) const FILLER: u16 = 0;

/// An answer that cannot be true.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum Wrong {
    #[error("wrong answer: key {0} was filled, and is not there")]
    Missing(u64),
    #[error("wrong answer: key {key} holds what nobody writes: {held:?}")]
    Garbled { key: u64, held: String },
    #[error("wrong answer: key {key} holds a value of key {other}")]
    OfAnother { key: u64, other: u64 },
    #[error(
        "wrong answer: key {key} holds write {number} of client {writer}, which made {made} so far"
    )]
    Unmade { key: u64, writer: u16, number: u64, made: u64 },
}

/// How many writes each writer has begun.
#[derive(Debug)]
pub(crate) struct Ledger {
    begun: Vec<AtomicU64>,
    value_bytes: usize,
}

/// The key with this number.
pub(crate) fn key(number: u64) -> Bytes {
    format!("k{number:010}").into()
}

impl Ledger {
    /// Of writers up to `last_writer`, none of whom has written.
    pub(crate) fn new(last_writer: u16, value_bytes: u16) -> Ledger {
        let begun = (0..=last_writer).map(|_| AtomicU64::new(0)).collect();
        Ledger { begun, value_bytes: value_bytes.into() }
    }

    /// A new value for `key`, from now on a true answer.
    pub(crate) fn begin(&self, key: u64, writer: u16) -> Bytes {
        // Relaxed: what is read back has come through a server, which orders more than this counter.
        let number = self.begun[usize::from(writer)].fetch_add(1, Relaxed) + 1;
        self.value(key, writer, number)
    }

    /// Whether a read of `key` may be answered so.
    pub(crate) fn check(&self, key: u64, held: Option<&[u8]>) -> Result<(), Wrong> {
        let held = held.ok_or(Wrong::Missing(key))?;
        let garbled = || Wrong::Garbled { key, held: String::from_utf8_lossy(held).into_owned() };
        let (other, writer, number) = parse(held).ok_or_else(garbled)?;
        if self.value(other, writer, number) != held {
            return Err(garbled());
        }
        if other != key {
            return Err(Wrong::OfAnother { key, other });
        }
        let made = self.begun.get(usize::from(writer)).map_or(0, |begun| begun.load(Relaxed));
        if number > made {
            return Err(Wrong::Unmade { key, writer, number, made });
        }
        Ok(())
    }

    fn value(&self, key: u64, writer: u16, number: u64) -> Bytes {
        let mut value = Vec::with_capacity(self.value_bytes + 16);
        let mut state = (key << 40) ^ (u64::from(writer) << 56) ^ number;
        let vec = "a vector takes what it is given";
        write!(value, "{key:010} {writer:04} {number:016} ").expect(vec);
        while value.len() < self.value_bytes {
            state = mixed(state);
            write!(value, "{state:016x}").expect(vec);
        }
        value.truncate(self.value_bytes);
        value.into()
    }
}

/// Key, writer and number.
fn parse(value: &[u8]) -> Option<(u64, u16, u64)> {
    let mut fields = std::str::from_utf8(value).ok()?.split(' ');
    let key = fields.next()?.parse().ok()?;
    let writer = fields.next()?.parse().ok()?;
    let number = fields.next()?.parse().ok()?;
    Some((key, writer, number))
}

/// A step of `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
fn mixed(state: u64) -> u64 {
    let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_a_true_answer() {
        let ledger = Ledger::new(2, 100);
        let first = ledger.begin(7, 1);
        let second = ledger.begin(7, 1);
        assert_eq!(first.len(), 100);
        assert_ne!(first, second);
        assert_eq!(ledger.check(7, Some(&first)), Ok(()));
        assert_eq!(ledger.check(7, Some(&second)), Ok(()));
    }

    #[test]
    fn nothing_is_a_wrong_answer() {
        assert_eq!(Ledger::new(0, 100).check(3, None), Err(Wrong::Missing(3)));
    }

    #[test]
    fn a_value_of_another_key_is_a_wrong_answer() {
        let ledger = Ledger::new(1, 100);
        let value = ledger.begin(7, 1);
        assert_eq!(ledger.check(8, Some(&value)), Err(Wrong::OfAnother { key: 8, other: 7 }));
    }

    #[test]
    fn a_write_nobody_made_is_a_wrong_answer() {
        let ledger = Ledger::new(1, 100);
        let value = ledger.value(7, 1, 1);
        let unmade = Wrong::Unmade { key: 7, writer: 1, number: 1, made: 0 };
        assert_eq!(ledger.check(7, Some(&value)), Err(unmade));
        let stranger = ledger.value(7, 2, 1);
        assert!(matches!(ledger.check(7, Some(&stranger)), Err(Wrong::Unmade { made: 0, .. })));
    }

    #[test]
    fn any_byte_that_is_not_as_it_was_is_a_wrong_answer() {
        let ledger = Ledger::new(1, 100);
        let value = ledger.begin(7, 1);
        for at in 0..value.len() {
            let mut torn = value.to_vec();
            torn[at] ^= 1;
            assert!(ledger.check(7, Some(&torn)).is_err(), "byte {at}");
        }
        for wrong in [&value[..99], &[&value[..], b"0"].concat(), b"", b"1", &[0xff; 100]] {
            assert!(matches!(ledger.check(7, Some(wrong)), Err(Wrong::Garbled { .. })));
        }
    }
}
