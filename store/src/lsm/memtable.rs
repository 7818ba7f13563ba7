//! What was written lately, in order of keys, in memory.
//!
//! Every write asks for the copy before it, and overwrites it: two look-ups, of which a tree with keys
//! all over the memory makes a dozen waits each. So keys are found by their hash, and the tree only
//! learns of new ones, for those who want them in order.
//!
//! ```text
//! index   hash of the key -> slot        order   key -> slot        slots   key, value, sequence
//! ```
//!
//! Should two keys have one hash, by chance or by malice, the second is found in the tree.
//!
//! A reader sees the newest value of a key. A snapshot sees the newest one that was there when it was
//! taken: from then on the table keeps what is overwritten, as long as that snapshot lives, in a list
//! behind its slot. No table on disk has two versions of a key; a snapshot holds on to the memtable
//! itself, and so flushes and compactions need not know of it.
//!
//! ```text
//! pin -> sequence 7            k: 9 "new" -> [5 "old"]     get k = "new", get k at 7 = "old"
//! ```
//!
//! One writer at a time (the leader of a commit) and many readers share a lock, held for one look-up, a
//! page of a scan, or one group of batches. (A skip list that readers walk without a lock needs unsafe code.)

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::Found;
use super::cursor::{Cursor, EntryRef};
use crate::engine::{Batch, EngineError};

/// What an entry costs beside its bytes, about: its slot, its places in tree and index, two allocations.
const ENTRY_OVERHEAD_BYTES: usize = 160;
/// Keys that are expected together, usually at most.
const EXPECTED: usize = 64;
/// Entries a cursor copies first, and at most, while it holds the lock.
const PAGE: std::ops::Range<usize> = 8..256;

/// What was written lately.
#[derive(Debug, Default)]
pub(super) struct Memtable {
    state: RwLock<State>,
    /// The last sequence applied here or before; published while the lock is held, so that who reads
    /// it under the lock sees all of its batches, and nothing of a later one.
    visible: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    slots: Vec<Slot>,
    /// The place of the slot of each key.
    order: BTreeMap<Arc<[u8]>, u32>,
    /// The same by the hash of the key, of those with one hash the first that came.
    index: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    bytes: usize,
    /// Sequences at which living snapshots read, and how many there are of each.
    pins: BTreeMap<u64, usize>,
}

#[derive(Debug)]
struct Slot {
    key: Arc<[u8]>,
    sequence: u64,
    value: Option<Bytes>,
    /// Overwritten versions that some snapshot may read, oldest first; empty but for them.
    older: Vec<(u64, Option<Bytes>)>,
}

impl Memtable {
    /// An empty one, whose writes come after sequence `visible`.
    pub(super) fn after(visible: u64) -> Memtable {
        Memtable { visible: AtomicU64::new(visible), ..Memtable::default() }
    }

    /// The same, when sequences up to `visible` were replayed, some of them without an entry.
    pub(super) fn visible_at(self, visible: u64) -> Memtable {
        Memtable { visible: AtomicU64::new(visible), ..self }
    }

    /// Makes batches visible, all at once; how large it is then. *Requires* ascending sequences.
    pub(super) fn apply<'a>(&self, batches: impl Iterator<Item = (u64, &'a Batch)>) -> usize {
        let mut state = self.write();
        for (sequence, batch) in batches {
            for (key, value) in &batch.entries {
                state.put(sequence, key, value.as_deref());
            }
            self.visible.store(sequence, Ordering::Release);
        }
        state.bytes
    }

    /// Puts one entry, as a log that is replayed does.
    pub(super) fn put(&self, sequence: u64, (key, value): EntryRef<'_>) {
        self.write().put(sequence, key, value);
        self.visible.store(sequence, Ordering::Release);
    }

    /// What it knows of `key`, if anything.
    pub(super) fn get(&self, key: &[u8]) -> Option<Found> {
        self.read().find(key, xxh3_64(key)).map(|slot| slot.value.clone().into())
    }

    /// Brings what it knows of these keys near. A look-up waits for memory four times, each time for what
    /// the time before had said; of many keys the waits of one kind go on beside each other, if nothing
    /// stands between them. So each loop here does as little as can be.
    /// Source: Chen, Ailamaki, Gibbons and Mowry, "Improving Hash Join Performance through Prefetching",
    /// ICDE 2004 (group prefetching).
    pub(super) fn expect(&self, keys: &[Bytes]) {
        let hashes: SmallVec<[u64; EXPECTED]> = keys.iter().map(|key| xxh3_64(key)).collect();
        let state = self.read();
        let places = hashes.iter().filter_map(|hash| state.index.get(hash).copied());
        let places: SmallVec<[u32; EXPECTED]> = places.collect();
        let slots = places.iter().map(|place| &state.slots[*place as usize]);
        let found: SmallVec<[(&[u8], &[u8]); EXPECTED]> =
            slots.map(|slot| (&slot.key[..], slot.value.as_deref().unwrap_or_default())).collect();
        let touched =
            |bytes: &[u8]| bytes.first().copied().unwrap_or(0) ^ bytes.last().copied().unwrap_or(0);
        black_box(found.iter().fold(0, |sum, (key, value)| sum ^ touched(key) ^ touched(value)));
    }

    /// What it knew of `key` at `sequence`, if anything. *Requires* that this is pinned, or nothing is
    /// written any more.
    pub(super) fn get_at(&self, key: &[u8], sequence: u64) -> Option<Found> {
        let state = self.read();
        let value = state.find(key, xxh3_64(key))?.at(sequence)?.clone();
        Some(value.into())
    }

    /// Keeps what is visible now until `unpin`; returns its sequence.
    pub(super) fn pin(&self) -> u64 {
        let mut state = self.write();
        let sequence = self.visible.load(Ordering::Acquire);
        *state.pins.entry(sequence).or_default() += 1;
        sequence
    }

    /// Ends one `pin` that returned `sequence`.
    pub(super) fn unpin(&self, sequence: u64) {
        let mut state = self.write();
        let pins = state.pins.get_mut(&sequence).expect("what is unpinned was pinned");
        *pins -= 1;
        if *pins == 0 {
            state.pins.remove(&sequence);
        }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.read().bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read().slots.is_empty()
    }

    /// Shows every entry, as written last, ascending. It is meant for a full one, which has no writers;
    /// but snapshots of it end meanwhile, and readers would wait in line behind them if the lock were
    /// held for as long as `show` takes to write a table.
    pub(super) fn visit(
        self: &Arc<Self>,
        mut show: impl FnMut(EntryRef<'_>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let mut cursor = self.cursor(u64::MAX);
        cursor.seek(b"")?;
        while let Some(entry) = cursor.entry() {
            show(entry)?;
            cursor.advance()?;
        }
        Ok(())
    }

    /// A place among its entries as they were at `sequence`, under the same condition as `get_at`.
    pub(super) fn cursor(self: &Arc<Self>, sequence: u64) -> MemtableCursor {
        MemtableCursor { memtable: self.clone(), sequence, page: Vec::new(), at: 0, is_last: true }
    }

    /// State is valid after every statement: a panic elsewhere leaves it usable.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, key: &[u8], hash: u64) -> Option<&Slot> {
        self.place(key, hash).map(|place| &self.slots[place as usize])
    }

    fn place(&self, key: &[u8], hash: u64) -> Option<u32> {
        let place = *self.index.get(&hash)?;
        let is_it = *self.slots[place as usize].key == *key;
        if is_it { Some(place) } else { self.order.get(key).copied() }
    }

    fn insert(&mut self, slot: Slot, hash: u64) {
        let place = u32::try_from(self.slots.len()).expect("a memtable is bounded far below that");
        self.order.insert(slot.key.clone(), place);
        self.index.entry(hash).or_insert(place);
        self.slots.push(slot);
    }

    fn put(&mut self, sequence: u64, key: &[u8], value: Option<&[u8]>) {
        self.bytes += value.map_or(0, <[u8]>::len);
        let hash = xxh3_64(key);
        let Some(place) = self.place(key, hash) else {
            self.bytes += key.len() + ENTRY_OVERHEAD_BYTES;
            let value = value.map(Bytes::copy_from_slice);
            return self.insert(Slot { key: key.into(), sequence, value, older: Vec::new() }, hash);
        };
        let slot = &mut self.slots[place as usize];
        let (before, old) = (slot.sequence, slot.value.take());
        slot.sequence = sequence;
        if self.pins.range(before..sequence).next().is_some() {
            self.bytes += ENTRY_OVERHEAD_BYTES;
            slot.older.push((before, old));
            slot.value = value.map(Bytes::copy_from_slice);
        } else {
            self.bytes -= old.as_ref().map_or(0, Bytes::len);
            slot.value = value.map(|value| overwritten(old, value));
        }
    }
}

/// `new`, in the place of `old` where it fits and nobody holds that: most values are as long as those they
/// follow, and their memory was touched just now.
fn overwritten(old: Option<Bytes>, new: &[u8]) -> Bytes {
    let alike = old.filter(|old| old.len() == new.len()).map(Bytes::try_into_mut);
    let Some(Ok(mut place)) = alike else { return Bytes::copy_from_slice(new) };
    place.copy_from_slice(new);
    place.freeze()
}

/// A hash that is one already.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed so");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Slot {
    /// The version that was newest at `sequence`, if there was one.
    fn at(&self, sequence: u64) -> Option<&Option<Bytes>> {
        if self.sequence <= sequence {
            return Some(&self.value);
        }
        let older = self.older.iter().rev();
        older.into_iter().find(|(at, _)| *at <= sequence).map(|(_, value)| value)
    }
}

/// A place in a memtable. It copies a page of handles at a time, so that writers wait for no more.
pub(super) struct MemtableCursor {
    memtable: Arc<Memtable>,
    sequence: u64,
    page: Vec<(Arc<[u8]>, Option<Bytes>)>,
    /// Where in the page.
    at: usize,
    /// Whether nothing comes after the page.
    is_last: bool,
}

impl MemtableCursor {
    fn fill(&mut self, from: Bound<&[u8]>, limit: usize) {
        let state = self.memtable.read();
        let places = state.order.range::<[u8], _>((from, Bound::Unbounded));
        let slots = places.map(|(_, place)| &state.slots[*place as usize]);
        let known = slots
            .filter_map(|slot| Some((slot.key.clone(), slot.at(self.sequence)?.clone())))
            .take(limit);
        self.page.clear();
        self.page.extend(known);
        self.at = 0;
        self.is_last = self.page.len() < limit;
    }
}

impl Cursor for MemtableCursor {
    fn seek(&mut self, from: &[u8]) -> Result<(), EngineError> {
        self.fill(Bound::Included(from), PAGE.start);
        Ok(())
    }

    fn advance(&mut self) -> Result<(), EngineError> {
        self.at += 1;
        if self.at == self.page.len() && !self.is_last {
            let (last, _) = self.page.last().expect("a page that is not the last is full").clone();
            let limit = (self.page.len() * 2).min(PAGE.end);
            self.fill(Bound::Excluded(&last), limit);
        }
        Ok(())
    }

    fn entry(&self) -> Option<EntryRef<'_>> {
        self.page.get(self.at).map(|(key, value)| (&key[..], value.as_deref()))
    }

    fn value(&self) -> Option<Bytes> {
        self.page.get(self.at).and_then(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn put(table: &Memtable, sequence: u64, key: &str, value: Option<&str>) {
        table.put(sequence, (key.as_bytes(), value.map(str::as_bytes)));
    }

    fn value(text: &str) -> Found {
        Found::Value(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn overwriting_costs_nothing_more_until_a_snapshot_needs_the_old() {
        let table = Memtable::default();
        put(&table, 1, "k", Some("value"));
        let once = table.bytes();
        put(&table, 2, "k", Some("other"));
        assert_eq!(table.bytes(), once);
        let pinned = table.pin();
        put(&table, 3, "k", None);
        assert!(table.bytes() > once);
        assert_eq!(table.get_at(b"k", pinned), Some(value("other")));
        assert_eq!(table.get(b"k"), Some(Found::Removed));
        assert_eq!(table.get(b"l"), None);
        table.unpin(pinned);
        let kept = table.bytes();
        put(&table, 4, "k", Some("1"));
        assert_eq!(table.bytes(), kept + 1, "nobody reads what was there before");
    }

    #[test]
    fn who_holds_a_value_keeps_it_when_it_is_overwritten() {
        let table = Memtable::default();
        put(&table, 1, "k", Some("first"));
        let held = table.get(b"k");
        put(&table, 2, "k", Some("other"));
        assert_eq!(held, Some(value("first")));
        drop(held);
        put(&table, 3, "k", Some("third"));
        assert_eq!(table.get(b"k"), Some(value("third")));
    }

    #[test]
    fn to_expect_keys_changes_nothing_whatever_is_known_of_them() {
        let table = Memtable::default();
        let keys: Vec<Bytes> = (0..200).map(|key| format!("key{key}").into()).collect();
        for (key, sequence) in keys.iter().zip(1..150) {
            let value = [None, Some(&b""[..]), Some(&b"value"[..])][sequence as usize % 3];
            table.put(sequence, (key, value));
        }
        let known = |table: &Memtable| keys.iter().map(|key| table.get(key)).collect::<Vec<_>>();
        let (before, bytes) = (known(&table), table.bytes());
        table.expect(&keys);
        table.expect(&[]);
        assert_eq!((known(&table), table.bytes()), (before, bytes));
    }

    #[test]
    fn a_snapshot_comes_and_goes_while_the_memtable_is_shown() {
        let table = Arc::new(Memtable::default());
        let keys: Vec<String> = (0..1_000).map(|key| format!("key{key:04}")).collect();
        for (key, sequence) in keys.iter().zip(1..) {
            put(&table, sequence, key, Some("v"));
        }
        let mut shown = Vec::new();
        let visited = table.visit(|(key, _)| {
            table.unpin(table.pin());
            shown.push(String::from_utf8(key.to_vec()).expect("a key of letters"));
            Ok(())
        });
        assert!(visited.is_ok(), "{visited:?}");
        assert_eq!(shown, keys);
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let mut state = State::default();
        for (place, key) in ["a", "b", "c"].into_iter().enumerate() {
            let value = Some(Bytes::from(key));
            let slot = Slot { key: key.as_bytes().into(), sequence: 1, value, older: Vec::new() };
            state.insert(slot, 7);
            assert_eq!(state.index.len(), 1);
            assert_eq!(state.place(key.as_bytes(), 7), u32::try_from(place).ok());
        }
        assert!(state.find(b"d", 7).is_none());
        assert_eq!(state.find(b"a", 7).and_then(|slot| slot.value.clone()), Some("a".into()));
    }

    #[test]
    fn a_snapshot_does_not_know_keys_that_came_later() {
        let table = Memtable::after(6);
        let pinned = table.pin();
        assert_eq!(pinned, 6);
        put(&table, 7, "k", Some("v"));
        assert_eq!(table.get_at(b"k", pinned), None);
    }

    fn walk(mut cursor: MemtableCursor, from: &[u8]) -> Vec<(Bytes, Option<Bytes>)> {
        cursor.seek(from).unwrap();
        let mut walked = Vec::new();
        while let Some((key, value)) = cursor.entry() {
            walked.push((Bytes::copy_from_slice(key), value.map(Bytes::copy_from_slice)));
            cursor.advance().unwrap();
        }
        walked
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn each_snapshot_sees_what_was_there_when_it_was_taken(
            steps in prop::collection::vec((0..600_u16, prop::option::of(0..9_u8), prop::bool::weighted(0.05)), 1..900),
            from in 0..600_u16,
        ) {
            let name = |key: u16| Bytes::from(format!("{key:03}"));
            let table = Arc::new(Memtable::default());
            let mut model = BTreeMap::new();
            let mut taken = Vec::new();
            for (sequence, (key, value, pins)) in (1..).zip(steps) {
                let value = value.map(|value| Bytes::from(vec![value]));
                table.put(sequence, (&name(key), value.as_deref()));
                model.insert(name(key), value);
                if pins {
                    taken.push((table.pin(), model.clone()));
                }
            }
            taken.push((u64::MAX, model));
            for (sequence, model) in taken {
                let from = name(from);
                let expected: Vec<_> = model.range(from.clone()..).map(|(k, v)| (k.clone(), v.clone())).collect();
                prop_assert_eq!(walk(table.cursor(sequence), &from), expected);
                for (key, value) in model {
                    prop_assert_eq!(table.get_at(&key, sequence), Some(value.into()));
                }
            }
        }
    }
}
