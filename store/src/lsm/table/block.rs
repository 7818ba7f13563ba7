//! Entries of a data block: written with shared prefixes, searched from restart to restart.
//!
//! The layout is drawn in [`format`](super::format). Neighbours in key order look alike, so each key
//! stores only what differs from the one before. At every restart a key is whole; a search bisects the
//! restarts, then walks at most sixteen entries.
//!
//! No length is believed: where one does not fit the block, the answer is [`Malformed`].

use std::cmp::Ordering;
use std::ops::Range;

use bytes::{BufMut, Bytes};

use super::format::{RESTART_INTERVAL, length_u32, put_varint, take_varint, u32_at};
use crate::lsm::Found;
use crate::lsm::cursor::EntryRef;

/// The bytes are no data block, though their checksum says that somebody wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A block, while it is written.
#[derive(Debug, Default)]
pub(super) struct BlockBuilder {
    entries: Vec<u8>,
    restarts: Vec<u32>,
    /// The key added last, and how many stand in the block.
    last: Vec<u8>,
    count: usize,
}

impl BlockBuilder {
    /// Appends an entry. *Requires* a key above the last.
    pub(super) fn add(&mut self, key: &[u8], value: Option<&[u8]>) {
        let mut shared = 0;
        if self.count.is_multiple_of(RESTART_INTERVAL) {
            self.restarts.push(length_u32(self.entries.len()));
        } else {
            shared = key.iter().zip(&self.last).take_while(|(one, other)| one == other).count();
        }
        put_varint(&mut self.entries, length_u32(shared));
        put_varint(&mut self.entries, length_u32(key.len() - shared));
        put_varint(&mut self.entries, value.map_or(0, |value| length_u32(value.len() + 1)));
        self.entries.put_slice(&key[shared..]);
        self.entries.put_slice(value.unwrap_or_default());
        self.last.truncate(shared);
        self.last.extend_from_slice(&key[shared..]);
        self.count += 1;
    }

    /// Length of the block so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.entries.len() + 4 * self.restarts.len() + 4
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The key added last.
    pub(super) fn last(&self) -> &[u8] {
        &self.last
    }

    /// Ends the block.
    pub(super) fn finish(&mut self) -> &[u8] {
        for restart in &self.restarts {
            self.entries.put_u32_le(*restart);
        }
        self.entries.put_u32_le(length_u32(self.restarts.len()));
        &self.entries
    }

    /// Begins the next block, in the same memory.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.restarts.clear();
        self.last.clear();
        self.count = 0;
    }
}

/// The parts of a block.
#[derive(Clone, Copy)]
struct Parts<'a> {
    entries: &'a [u8],
    restarts: &'a [[u8; 4]],
}

impl<'a> Parts<'a> {
    fn new(block: &'a [u8]) -> Result<Parts<'a>, Malformed> {
        let restarts_end = block.len().checked_sub(4).ok_or(Malformed)?;
        let count = u32_at(block, restarts_end).ok_or(Malformed)? as usize;
        let entries_end = count.checked_mul(4).and_then(|bytes| restarts_end.checked_sub(bytes));
        let (entries, rest) = block.split_at(entries_end.ok_or(Malformed)?);
        let restarts = rest[..4 * count].as_chunks().0;
        if restarts.first() == Some(&[0; 4]) {
            Ok(Parts { entries, restarts })
        } else {
            Err(Malformed)
        }
    }

    fn restart(self, at: usize) -> usize {
        u32::from_le_bytes(self.restarts[at]) as usize
    }

    /// Where to begin a walk to `key`: the last restart whose key is not above it.
    fn restart_for(self, key: &[u8]) -> Result<usize, Malformed> {
        let (mut low, mut high) = (1, self.restarts.len());
        while low < high {
            let middle = low.midpoint(high);
            let header = Header::at(self.entries, self.restart(middle))?;
            if header.shared != 0 {
                return Err(Malformed);
            }
            if self.entries[header.suffix()] <= *key { low = middle + 1 } else { high = middle }
        }
        Ok(self.restart(low - 1))
    }
}

/// The numbers before an entry, checked to fit the block.
#[derive(Clone, Copy)]
struct Header {
    shared: usize,
    suffix_begin: usize,
    value_begin: usize,
    end: usize,
    is_put: bool,
}

impl Header {
    #[inline]
    fn at(entries: &[u8], begin: usize) -> Result<Header, Malformed> {
        let (shared, unshared, value, suffix_begin) = Header::numbers(entries, begin)?;
        // Each is below 2^32, and so is their sum below what a usize can count.
        let value_begin = suffix_begin + unshared;
        let end = value_begin + value.saturating_sub(1);
        if end > entries.len() {
            return Err(Malformed);
        }
        Ok(Header { shared, suffix_begin, value_begin, end, is_put: value > 0 })
    }

    #[inline]
    fn numbers(entries: &[u8], begin: usize) -> Result<(usize, usize, usize, usize), Malformed> {
        let rest = entries.get(begin..).ok_or(Malformed)?;
        // Nearly all entries are short: three numbers of one byte.
        if let [shared @ 0..0x80, unshared @ 0..0x80, value @ 0..0x80, ..] = *rest {
            return Ok((shared.into(), unshared.into(), value.into(), begin + 3));
        }
        let mut at = begin;
        let mut take = || take_varint(entries, &mut at).map(|n| n as usize).ok_or(Malformed);
        let (shared, unshared, value) = (take()?, take()?, take()?);
        Ok((shared, unshared, value, at))
    }

    fn suffix(self) -> Range<usize> {
        self.suffix_begin..self.value_begin
    }

    fn value(self) -> Option<Range<usize>> {
        self.is_put.then_some(self.value_begin..self.end)
    }
}

/// What a block knows of `key`, if anything; a value is a share of the block.
///
/// Keys are never put together: of the key walked past last, it is enough to know how many bytes it
/// has in common with the one that is sought. A key that shares more with its forerunner than that
/// is below the sought one as well, and one that shares less is above.
pub(super) fn find(block: &Bytes, key: &[u8]) -> Result<Option<Found>, Malformed> {
    let parts = Parts::new(block)?;
    let mut at = parts.restart_for(key)?;
    let mut matched = 0;
    while at < parts.entries.len() {
        let header = Header::at(parts.entries, at)?;
        match header.shared.cmp(&matched) {
            Ordering::Less => return Ok(None),
            Ordering::Greater => {}
            Ordering::Equal => {
                let (suffix, rest) = (&parts.entries[header.suffix()], &key[matched..]);
                let same = suffix.iter().zip(rest).take_while(|(one, other)| one == other).count();
                match suffix[same..].first().cmp(&rest[same..].first()) {
                    Ordering::Less => matched += same,
                    Ordering::Equal => {
                        let value = header.value().map(|range| block.slice(range));
                        return Ok(Some(value.into()));
                    }
                    Ordering::Greater => return Ok(None),
                }
            }
        }
        at = header.end;
    }
    Ok(None)
}

/// A place in a block, or past its end. Without a block: past the end.
#[derive(Debug, Default)]
pub(super) struct BlockCursor {
    block: Bytes,
    /// Where the entries end and the restarts begin.
    entries_end: usize,
    /// Where the next entry begins.
    next: usize,
    /// The key it stands at; its memory is used again for each.
    key: Vec<u8>,
    value: Option<Range<usize>>,
    stands: bool,
}

impl BlockCursor {
    /// Goes to the first entry of `block` with a key at or after `from`.
    pub(super) fn seek(&mut self, block: Bytes, from: &[u8]) -> Result<(), Malformed> {
        self.enter(block, |parts| parts.restart_for(from))?;
        while self.stands && self.key[..] < *from {
            self.advance()?;
        }
        Ok(())
    }

    /// Goes to the first entry of `block`.
    pub(super) fn seek_first(&mut self, block: Bytes) -> Result<(), Malformed> {
        self.enter(block, |_| Ok(0))
    }

    fn enter(
        &mut self,
        block: Bytes,
        begin: impl FnOnce(Parts<'_>) -> Result<usize, Malformed>,
    ) -> Result<(), Malformed> {
        self.leave();
        let parts = Parts::new(&block)?;
        (self.next, self.entries_end) = (begin(parts)?, parts.entries.len());
        self.block = block;
        self.advance()
    }

    /// Stands nowhere any more, and holds no block.
    pub(super) fn leave(&mut self) {
        self.key.clear();
        (self.block, self.value, self.stands) = (Bytes::new(), None, false);
        (self.next, self.entries_end) = (0, 0);
    }

    /// Goes to the next entry, or past the end.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<(), Malformed> {
        self.stands = false;
        if self.next >= self.entries_end {
            return Ok(());
        }
        let entries = &self.block[..self.entries_end];
        let header = Header::at(entries, self.next)?;
        if header.shared > self.key.len() {
            return Err(Malformed);
        }
        self.key.truncate(header.shared);
        self.key.extend_from_slice(&entries[header.suffix()]);
        (self.value, self.next, self.stands) = (header.value(), header.end, true);
        Ok(())
    }

    /// Whether it stands at an entry.
    #[inline]
    pub(super) fn stands(&self) -> bool {
        self.stands
    }

    #[inline]
    pub(super) fn entry(&self) -> Option<EntryRef<'_>> {
        let value = || self.value.clone().map(|range| &self.block[range]);
        self.stands.then(|| (&self.key[..], value()))
    }

    /// The value it stands at: a share of the block.
    pub(super) fn value(&self) -> Option<Bytes> {
        let range = self.value.clone().filter(|_| self.stands)?;
        Some(self.block.slice(range))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Model = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    fn block_of(model: &Model) -> Bytes {
        let mut builder = BlockBuilder::default();
        for (key, value) in model {
            builder.add(key, value.as_deref());
        }
        let length = builder.len();
        let block = Bytes::copy_from_slice(builder.finish());
        assert_eq!(block.len(), length, "the builder knows how long it is");
        block
    }

    fn model() -> impl Strategy<Value = Model> {
        let key = prop::collection::vec(0..3u8, 0..8);
        let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..150));
        prop::collection::btree_map(key, value, 1..80)
    }

    fn rest(cursor: &mut BlockCursor) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut seen = Vec::new();
        while let Some((key, value)) = cursor.entry() {
            assert_eq!(cursor.value().as_deref(), value);
            seen.push((key.to_vec(), value.map(<[u8]>::to_vec)));
            cursor.advance().unwrap();
        }
        seen
    }

    proptest! {
        #[test]
        fn a_block_answers_like_a_map(model in model(), probe in prop::collection::vec(0..4u8, 0..9)) {
            let block = block_of(&model);
            for key in model.keys().chain([&probe]) {
                let found = find(&block, key).unwrap();
                let found = found.map(|found| found.value().map(|value| value.to_vec()));
                prop_assert_eq!(found, model.get(key).cloned(), "{:?}", key);
                let mut cursor = BlockCursor::default();
                cursor.seek(block.clone(), key).unwrap();
                let expected: Vec<_> = model.range(key.clone()..).map(|(k, v)| (k.clone(), v.clone())).collect();
                prop_assert_eq!(rest(&mut cursor), expected);
            }
        }

        #[test]
        fn any_bytes_are_walked_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            tail in prop::sample::select(vec![vec![], vec![0, 0, 0, 0, 1, 0, 0, 0]]),
            probe in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let block = Bytes::from([bytes, tail].concat());
            let mut cursor = BlockCursor::default();
            let mut steps = 0;
            if cursor.seek_first(block.clone()).is_ok() {
                while cursor.stands() && cursor.advance().is_ok() {
                    steps += 1;
                    prop_assert!(steps <= block.len(), "each step goes on");
                }
            }
            let _: Result<_, Malformed> = find(&block, &probe);
            let _: Result<_, Malformed> = cursor.seek(block, &probe);
        }

        #[test]
        fn a_changed_block_is_walked_or_refused(model in model(), at: prop::sample::Index, byte: u8) {
            let mut bytes = block_of(&model).to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let block = Bytes::from(bytes);
            for key in model.keys() {
                let _: Result<_, Malformed> = find(&block, key);
                let _: Result<_, Malformed> = BlockCursor::default().seek(block.clone(), key);
            }
        }
    }
}
