//! Which block a key is in: separator keys in order, each with the place of its block.
//!
//! An index is searched in the bytes it is stored in. The fields stand in an array of fixed width
//! behind the keys, so the i-th key is found without parsing those before it, and a binary search
//! touches only what it compares. The layout is drawn in [`format`](super::format).
//!
//! Invariant: an [`Index`] is made of bytes that [`is_sound`](Index::is_sound) has seen, once, when
//! they came from the disk; its own look-ups then need no doubt.

use bytes::BufMut;

use super::format::{Place, TRAILER_BYTES, length_u32, u32_at};

/// Length of the fields of one block.
const FIELDS_BYTES: usize = 16;
/// Length of the count at the end.
const COUNT_BYTES: usize = 4;

/// An index, while its blocks are written.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    keys: Vec<u8>,
    fields: Vec<u8>,
}

impl IndexBuilder {
    /// Adds the next block; no key in it is above `separator`, all keys after it are.
    pub(super) fn add(&mut self, separator: &[u8], place: Place) {
        self.keys.put_slice(separator);
        self.fields.put_u32_le(length_u32(self.keys.len()));
        self.fields.put_u64_le(place.offset);
        self.fields.put_u32_le(place.length);
    }

    /// Appends the index to `out`, and begins a new one.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.put_slice(&self.keys);
        out.put_slice(&self.fields);
        out.put_u32_le(length_u32(self.fields.len() / FIELDS_BYTES));
        self.keys.clear();
        self.fields.clear();
    }
}

/// An index, in the bytes it is stored in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index<'a> {
    keys: &'a [u8],
    fields: &'a [[u8; FIELDS_BYTES]],
}

impl<'a> Index<'a> {
    /// The index in `bytes`; `None` if there is no room for as many blocks as it says.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Index<'a>> {
        let (rest, _) = bytes.split_last_chunk::<COUNT_BYTES>()?;
        let count = u32_at(bytes, rest.len())? as usize;
        let keys_end = rest.len().checked_sub(count.checked_mul(FIELDS_BYTES)?)?;
        let (keys, fields) = rest.split_at(keys_end);
        Some(Index { keys, fields: fields.as_chunks().0 })
    }

    /// Whether its keys ascend strictly, and its blocks lie behind one another between `begin` and
    /// `end`: with nothing between them, or, where `gaps`, with something before each.
    pub(super) fn is_sound(self, begin: u64, end: u64, gaps: bool) -> bool {
        let (mut key_end, mut next) = (0, begin);
        for at in 0..self.len() {
            let place = self.place(at);
            let follows = if gaps { place.offset > next } else { place.offset == next };
            let Some(place_end) = place.end().filter(|_| follows) else { return false };
            let ends_later = self.key_end(at) >= key_end && self.key_end(at) <= self.keys.len();
            if !ends_later || (place.length as usize) < TRAILER_BYTES {
                return false;
            }
            (key_end, next) = (self.key_end(at), place_end);
        }
        let ascends = (1..self.len()).all(|at| self.key(at - 1) < self.key(at));
        !self.fields.is_empty() && key_end == self.keys.len() && next == end && ascends
    }

    pub(super) fn len(self) -> usize {
        self.fields.len()
    }

    /// The separator of block `at`.
    pub(super) fn key(self, at: usize) -> &'a [u8] {
        let begin = at.checked_sub(1).map_or(0, |before| self.key_end(before));
        &self.keys[begin..self.key_end(at)]
    }

    /// The separator of the block before `at`; `None` for the first.
    pub(super) fn key_before(self, at: usize) -> Option<&'a [u8]> {
        at.checked_sub(1).map(|before| self.key(before))
    }

    /// Where block `at` is.
    pub(super) fn place(self, at: usize) -> Place {
        let [_, _, _, _, offset @ .., a, b, c, d] = self.fields[at];
        Place { offset: u64::from_le_bytes(offset), length: u32::from_le_bytes([a, b, c, d]) }
    }

    /// The first block that may hold `key` or what follows it; `None` where all are below.
    pub(super) fn find(self, key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) < key { low = middle + 1 } else { high = middle }
        }
        (low < self.len()).then_some(low)
    }

    fn key_end(self, at: usize) -> usize {
        let [a, b, c, d, ..] = self.fields[at];
        u32::from_le_bytes([a, b, c, d]) as usize
    }
}

/// A short key that is not below `last`, and below `next`. *Requires* `last < next`.
pub(super) fn separator<'a>(last: &'a [u8], next: &'a [u8]) -> &'a [u8] {
    let shared = last.iter().zip(next).take_while(|(one, other)| one == other).count();
    let is_shorter = shared + 1 < last.len() && shared + 1 < next.len();
    if is_shorter { &next[..=shared] } else { last }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(offset: u64, length: u32) -> Place {
        Place { offset, length }
    }

    fn index_of(blocks: &[(&[u8], Place)]) -> Vec<u8> {
        let (mut builder, mut out) = (IndexBuilder::default(), Vec::new());
        for (key, place) in blocks {
            builder.add(key, *place);
        }
        builder.finish(&mut out);
        out
    }

    fn sound(blocks: &[(&[u8], Place)], begin: u64, end: u64, gaps: bool) -> bool {
        Index::new(&index_of(blocks)).unwrap().is_sound(begin, end, gaps)
    }

    #[test]
    fn a_key_is_in_the_first_block_whose_separator_is_not_below_it() {
        let bytes = index_of(&[(b"d", place(8, 10)), (b"hh", place(18, 20)), (b"z", place(38, 9))]);
        let index = Index::new(&bytes).unwrap();
        assert!(index.is_sound(8, 47, false));
        for (key, at) in [("", 0), ("d", 0), ("da", 1), ("hh", 1), ("hha", 2), ("z", 2)] {
            assert_eq!(index.find(key.as_bytes()), Some(at), "{key}");
        }
        assert_eq!(index.find(b"za"), None);
        assert_eq!((index.key(1), index.place(1)), (&b"hh"[..], place(18, 20)));
        assert_eq!((index.key_before(0), index.key_before(1)), (None, Some(&b"d"[..])));
    }

    #[test]
    fn blocks_must_follow_one_another_and_keys_ascend() {
        let (a, b): (&[u8], &[u8]) = (b"a", b"b");
        assert!(sound(&[(a, place(8, 10)), (b, place(18, 9))], 8, 27, false));
        assert!(!sound(&[(b, place(8, 10)), (a, place(18, 9))], 8, 27, false), "descends");
        assert!(!sound(&[(a, place(8, 10)), (a, place(18, 9))], 8, 27, false), "a key twice");
        assert!(!sound(&[(a, place(8, 10)), (b, place(19, 9))], 8, 28, false), "a hole");
        assert!(!sound(&[(a, place(8, 10)), (b, place(18, 8))], 8, 26, false), "no trailer");
        assert!(!sound(&[(a, place(8, 10))], 9, 18, false), "begins elsewhere");
        assert!(!sound(&[(a, place(8, 10))], 8, 19, false), "ends elsewhere");
        assert!(!sound(&[(a, place(u64::MAX, 10))], u64::MAX, 9, false), "beyond counting");
        assert!(!sound(&[], 8, 8, false), "no block");
        assert!(sound(&[(a, place(20, 10)), (b, place(40, 9))], 8, 49, true));
        assert!(!sound(&[(a, place(8, 10)), (b, place(40, 9))], 8, 49, true), "a guide of nothing");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_index_or_refused(bytes: Vec<u8>, count in 0..4u32) {
            for tail in [vec![], count.to_le_bytes().to_vec()] {
                let bytes = [bytes.clone(), tail].concat();
                let index = Index::new(&bytes).filter(|index| index.is_sound(8, 100, false));
                prop_assert!(index.is_none_or(|index| index.find(index.key(0)) == Some(0)));
            }
        }

        #[test]
        fn a_separator_separates(mut keys: [Vec<u8>; 2]) {
            keys.sort();
            let [last, next] = &keys;
            prop_assume!(last < next);
            let key = separator(last, next);
            prop_assert!(key >= &last[..] && key < &next[..] && key.len() <= last.len());
        }
    }
}
