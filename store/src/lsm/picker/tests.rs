//! A tree of maps instead of files, which does what the picker says, and a map that knows the truth.
//!
//! After each step every key must read as in the map: a task that let an older value past a newer one,
//! or dropped a tombstone that still hid something, is seen at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

use super::*;

const VALUE_BYTES: u64 = 10;
const TOMBSTONE_BYTES: u64 = 2;

/// A key, and the sequence number of its write, or `None` where it was removed.
type Entries = BTreeMap<u32, Option<u64>>;

#[derive(Debug)]
struct Table {
    facts: TableFacts,
    entries: Entries,
}

impl Placed for Table {
    fn facts(&self) -> &TableFacts {
        &self.facts
    }
}

impl Table {
    fn new(number: u64, entries: Entries) -> Arc<Table> {
        let key =
            |entry: Option<(&u32, _)>| Bytes::copy_from_slice(&entry.unwrap().0.to_be_bytes());
        let facts = TableFacts {
            number,
            bytes: entries.values().copied().map(entry_bytes).sum(),
            entries: entries.len() as u64,
            tombstones: entries.values().filter(|value| value.is_none()).count() as u64,
            smallest: key(entries.first_key_value()),
            largest: key(entries.last_key_value()),
        };
        Arc::new(Table { facts, entries })
    }
}

fn entry_bytes(value: Option<u64>) -> u64 {
    if value.is_some() { VALUE_BYTES } else { TOMBSTONE_BYTES }
}

struct Tree {
    levels: Levels<Arc<Table>>,
    shape: Shape,
    held: BTreeSet<u64>,
    truth: Entries,
    last_number: u64,
    flushed_bytes: u64,
    merged_bytes: u64,
    moves: usize,
    merges: usize,
}

impl Tree {
    fn new(shape: Shape) -> Tree {
        Tree {
            levels: Levels::new(),
            shape,
            held: BTreeSet::new(),
            truth: Entries::new(),
            last_number: 0,
            flushed_bytes: 0,
            merged_bytes: 0,
            moves: 0,
            merges: 0,
        }
    }

    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn flush(&mut self, entries: Entries) {
        self.truth.extend(entries.iter().map(|(&key, &value)| (key, value)));
        let table = Table::new(self.number(), entries);
        self.flushed_bytes += table.facts.bytes;
        self.levels =
            self.levels.apply(&Edit { removed: Vec::new(), added: vec![(Place::Newest, table)] });
    }

    fn pick(&self) -> Option<Task> {
        pick(&self.levels, &self.shape, &self.held)
    }

    fn table(&self, (level, number): (usize, u64)) -> Arc<Table> {
        let table = self.levels.level(level).iter().find(|table| table.facts.number == number);
        Arc::clone(table.expect("an input stands where the task says"))
    }

    fn run(&mut self, task: &Task) {
        let inputs: Vec<Arc<Table>> = task.inputs.iter().map(|&input| self.table(input)).collect();
        assert!(
            inputs.iter().all(|table| !self.held.contains(&table.facts.number)),
            "{task:?} takes what is held"
        );
        let outputs = match task.kind {
            Kind::Move => {
                self.moves += 1;
                inputs
            }
            Kind::Merge => {
                self.merges += 1;
                self.merge(task, &inputs)
            }
        };
        self.levels = self.levels.apply(&task.edit(outputs));
    }

    fn merge(&mut self, task: &Task, inputs: &[Arc<Table>]) -> Vec<Arc<Table>> {
        let mut merged = Entries::new();
        for (&key, &value) in inputs.iter().flat_map(|table| &table.entries) {
            merged.entry(key).or_insert(value);
        }
        merged.retain(|_, value| value.is_some() || !task.is_bottom);
        let mut outputs = Vec::new();
        let (mut part, mut bytes) = (Entries::new(), 0);
        for (key, value) in merged {
            bytes += entry_bytes(value);
            part.insert(key, value);
            if task.output_level > 0 && bytes >= self.shape.table_bytes {
                outputs.push(Table::new(self.number(), std::mem::take(&mut part)));
                bytes = 0;
            }
        }
        if !part.is_empty() {
            outputs.push(Table::new(self.number(), part));
        }
        self.merged_bytes += outputs.iter().map(|table| table.facts.bytes).sum::<u64>();
        outputs
    }

    fn read(&self, key: u32) -> Option<u64> {
        let found = self.levels.iter().find_map(|(_, table)| table.entries.get(&key));
        found.copied().flatten()
    }

    fn check_reads(&self) {
        for (&key, &value) in &self.truth {
            assert_eq!(self.read(key), value, "key {key} reads its newest value");
        }
    }

    /// Does all there is to do; `after` is called after each task.
    fn settle(&mut self, after: impl Fn(&Tree)) {
        // Each task takes a table of level 0 away, or a byte one level down: no more than this many.
        let bound = 100 + 20 * self.levels.count().pow(2);
        for _ in 0..bound {
            let Some(task) = self.pick() else { return };
            self.run(&task);
            after(self);
        }
        panic!("not done after {bound} tasks; next would be {:?}", self.pick());
    }

    fn check_shape(&self) {
        assert!(self.levels.level(0).len() < self.shape.level0_trigger);
        let mut target = self.levels.bytes(LAST).max(self.shape.level1_bytes);
        for level in (1..LAST).rev() {
            target = if target > self.shape.level1_bytes { target / self.shape.fanout } else { 0 };
            assert!(
                self.levels.bytes(level) <= target,
                "level {level} is within its target of {target} bytes"
            );
        }
        for (level, table) in self.levels.iter().filter(|(level, _)| *level > 0) {
            let is_mostly = table.facts.tombstones * 2 >= table.facts.entries;
            assert!(!is_mostly, "a table of tombstones was left on level {level}");
        }
    }

    fn bytes(&self) -> u64 {
        (0..=LAST).map(|level| self.levels.bytes(level)).sum()
    }

    fn write_amplification(&self) -> f64 {
        (self.flushed_bytes + self.merged_bytes) as f64 / self.flushed_bytes as f64
    }

    fn space_amplification(&self) -> f64 {
        let live: u64 = self.truth.values().flatten().count() as u64 * VALUE_BYTES;
        self.bytes() as f64 / live as f64
    }
}

/// A hundred entries a table, four tables in the first level.
const SHAPE: Shape = Shape { level0_trigger: 4, level1_bytes: 4000, fanout: 10, table_bytes: 1000 };

fn shapes() -> impl Strategy<Value = Shape> {
    (1..6_usize, 100..2000_u64, 2..11_u64, 30..500_u64).prop_map(
        |(level0_trigger, level1_bytes, fanout, table_bytes)| Shape {
            level0_trigger,
            level1_bytes,
            fanout,
            table_bytes,
        },
    )
}

/// A memtable: keys from a window of some width, some of them removed.
fn memtables() -> impl Strategy<Value = Vec<(BTreeSet<u32>, u32)>> {
    let memtable = (0..400_u32, 1..400_u32).prop_flat_map(|(from, width)| {
        (
            prop::collection::btree_set(from..from + width, 1..40),
            prop_oneof![Just(0), Just(3), Just(1)],
        )
    });
    prop::collection::vec(memtable, 1..60)
}

/// The entries of memtable number `sequence`; every key is removed whose rank divides by `removed`.
fn entries(sequence: u64, (keys, removed): &(BTreeSet<u32>, u32)) -> Entries {
    let value = |rank: u32| (*removed == 0 || !rank.is_multiple_of(*removed)).then_some(sequence);
    keys.iter().zip(0..).map(|(&key, rank)| (key, value(rank))).collect()
}

proptest! {
    #[test]
    fn every_key_reads_its_newest_value_after_every_task(shape in shapes(), memtables in memtables()) {
        let mut tree = Tree::new(shape);
        for (memtable, sequence) in memtables.iter().zip(1..) {
            tree.flush(entries(sequence, memtable));
            tree.settle(Tree::check_reads);
            tree.check_shape();
        }
        tree.check_reads();
    }

    #[test]
    fn what_is_flushed_while_a_task_runs_does_not_spoil_it(shape in shapes(), memtables in memtables()) {
        let mut tree = Tree::new(shape);
        for (memtable, sequence) in memtables.iter().zip(1..) {
            let task = tree.pick();
            tree.flush(entries(sequence, memtable));
            if let Some(task) = task {
                tree.run(&task);
                tree.check_reads();
            }
        }
        tree.settle(Tree::check_reads);
        tree.check_shape();
    }

    #[test]
    fn held_tables_stay_and_nothing_older_or_newer_passes_them(
        shape in shapes(), memtables in memtables(), holds in prop::collection::vec(any::<prop::sample::Index>(), 1..5),
    ) {
        let mut tree = Tree::new(shape);
        for (memtable, sequence) in memtables.iter().zip(1..) {
            tree.flush(entries(sequence, memtable));
            tree.settle(Tree::check_reads);
            if sequence % 8 == 0 {
                let numbers: Vec<u64> = tree.levels.iter().map(|(_, table)| table.facts.number).collect();
                tree.held = holds.iter().filter(|_| !numbers.is_empty()).map(|hold| *hold.get(&numbers)).collect();
            }
        }
        tree.held.clear();
        tree.settle(Tree::check_reads);
        tree.check_shape();
    }
}

/// A tree that `tables` full memtables of uniformly drawn keys went through.
fn loaded_uniformly(tables: u64, keys: u32, seed: u64) -> Tree {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tree = Tree::new(SHAPE);
    for sequence in 1..=tables {
        let mut memtable = Entries::new();
        while memtable.len() < 100 {
            memtable.insert(random.random_range(0..keys), Some(sequence));
        }
        tree.flush(memtable);
        tree.settle(|_| ());
        tree.check_shape();
    }
    tree.check_reads();
    tree
}

#[test]
fn a_uniform_load_is_written_few_times_and_takes_little_more_than_it_is() {
    for (tables, keys) in [(200, 10_000), (200, 1_000_000), (1000, 20_000)] {
        let tree = loaded_uniformly(tables, keys, 1);
        let (write, space) = (tree.write_amplification(), tree.space_amplification());
        let tasks = (tree.moves, tree.merges);
        println!(
            "{tables} tables, {keys} keys: write x{write:.1}, space x{space:.2}, (moves, merges) {tasks:?}"
        );
        assert!(write < 15.0, "each byte is written {write} times");
        assert!(space < 1.2, "{space} bytes for a byte");
    }
}

#[test]
fn a_fill_in_ascending_order_is_all_moves() {
    let mut tree = Tree::new(SHAPE);
    for table in 0..200 {
        tree.flush((table * 100..(table + 1) * 100).map(|key| (key, Some(1))).collect());
        tree.settle(|_| ());
    }
    tree.check_reads();
    assert_eq!(tree.merges, 0);
    assert!(tree.levels.level(LAST).len() > 190);
    assert!(tree.space_amplification() < 1.001);
}

#[test]
fn a_thousand_tiny_flushes_do_not_leave_a_thousand_tables() {
    let mut tree = Tree::new(SHAPE);
    for key in 0..1000 {
        tree.flush(Entries::from([(key, Some(1))]));
        tree.settle(|_| ());
    }
    tree.check_reads();
    assert!(tree.levels.count() < 100, "{} tables", tree.levels.count());
    assert!(
        tree.write_amplification() < 10.0,
        "each byte is written {} times",
        tree.write_amplification()
    );
}

#[test]
fn what_is_removed_gives_its_room_back() {
    let mut tree = loaded_uniformly(100, 5000, 2);
    let full = tree.bytes();
    for from in (0..5000).step_by(100) {
        tree.flush((from..from + 100).map(|key| (key, None)).collect());
        tree.settle(|_| ());
    }
    tree.check_reads();
    tree.check_shape();
    let left = tree.bytes();
    assert!(left < full / 10, "{left} of {full} bytes are left");
}

fn table(number: u64, keys: std::ops::RangeInclusive<u32>) -> Arc<Table> {
    Table::new(number, keys.map(|key| (key, Some(number))).collect())
}

fn picked(added: Vec<(Place, Arc<Table>)>, held: &[u64]) -> Option<Task> {
    let levels = Levels::new().apply(&Edit { removed: Vec::new(), added });
    pick(&levels, &SHAPE, &held.iter().copied().collect())
}

/// Tables 1 to 4, each over a hundred keys of its own but the last, which overlaps 1 and 2.
fn level0() -> Vec<(Place, Arc<Table>)> {
    let tables = [table(1, 0..=99), table(2, 100..=199), table(3, 300..=399), table(4, 50..=149)];
    tables.into_iter().map(|table| (Place::Newest, table)).collect()
}

#[test]
fn level_0_rests_below_its_trigger() {
    assert_eq!(picked(level0()[..3].to_vec(), &[]), None);
}

#[test]
fn what_overlaps_nothing_is_moved_first_and_to_the_bottom_at_once() {
    let task = picked(level0(), &[]).unwrap();
    assert_eq!(
        task,
        Task { inputs: vec![(0, 3)], output_level: 6, kind: Kind::Move, is_bottom: true }
    );
}

#[test]
fn what_overlaps_in_level_0_goes_down_together_in_read_order() {
    let mut tables = level0();
    tables.push((Place::Newest, table(5, 350..=450)));
    tables.push((Place::Level(6), table(6, 0..=10)));
    tables.push((Place::Level(6), table(7, 200..=210)));
    let task = picked(tables, &[]).unwrap();
    let inputs = vec![(0, 4), (0, 2), (0, 1), (6, 6)];
    assert_eq!(task, Task { inputs, output_level: 6, kind: Kind::Merge, is_bottom: true });
}

#[test]
fn a_table_newer_than_a_held_one_it_overlaps_stays_above_it() {
    let mut tables = level0();
    tables.push((Place::Level(6), table(6, 300..=300)));
    // 4 overlaps 2, which is held: of 1, 2 and 4 only 1 may sink, alone.
    let task = picked(tables, &[2]).unwrap();
    assert_eq!(task.inputs, [(0, 1)]);
}

#[test]
fn a_little_over_much_is_merged_inside_level_0_first() {
    let small =
        |number| Table::new(number, Entries::from([(0, Some(number)), (399, Some(number))]));
    let mut tables = vec![(Place::Level(6), table(9, 0..=399))];
    tables.extend((1..=4).map(|number| (Place::Newest, small(number))));
    let task = picked(tables, &[]).unwrap();
    let inputs = vec![(0, 4), (0, 3), (0, 2), (0, 1)];
    assert_eq!(task, Task { inputs, output_level: 0, kind: Kind::Merge, is_bottom: false });
}

#[test]
fn level_0_does_not_sink_past_what_it_overlaps_above_the_base() {
    let mut tables = vec![(Place::Level(5), table(9, 0..=50))];
    tables.extend((1..=4).map(|number| (Place::Newest, table(number, 0..=99))));
    // Not held, what stands above the base goes first.
    assert_eq!(picked(tables.clone(), &[]).unwrap().inputs, [(5, 9)]);
    let task = picked(tables, &[9]).unwrap();
    let inputs = vec![(0, 4), (0, 3), (0, 2), (0, 1)];
    assert_eq!(task, Task { inputs, output_level: 0, kind: Kind::Merge, is_bottom: false });
}

#[test]
fn an_older_table_of_level_0_that_overlaps_keeps_tombstones_above_it() {
    let mut tables = vec![(Place::Newest, table(1, 0..=99))];
    tables.extend((2..=4).map(|number| (Place::Newest, table(number, 0..=9))));
    let task = picked(tables, &[1]).unwrap();
    let inputs = vec![(0, 4), (0, 3), (0, 2)];
    assert_eq!(task, Task { inputs, output_level: 0, kind: Kind::Merge, is_bottom: false });
}

#[test]
fn of_a_full_level_the_table_that_overlaps_least_for_its_size_goes() {
    let tables = vec![
        (Place::Level(6), table(1, 0..=299)),
        (Place::Level(6), table(2, 310..=599)),
        (Place::Level(5), table(3, 0..=99)),
        (Place::Level(5), table(4, 295..=394)),
        (Place::Level(5), table(5, 595..=694)),
        (Place::Level(4), table(6, 700..=701)),
    ];
    // Level 4 is above the base: it is emptied first, past level 5, as nothing below overlaps.
    let task = picked(tables.clone(), &[]).unwrap();
    assert_eq!(
        task,
        Task { inputs: vec![(4, 6)], output_level: 6, kind: Kind::Move, is_bottom: true }
    );
    // 5 overlaps 290 entries, 3 overlaps 300, 4 both.
    let task = picked(tables[..5].to_vec(), &[]).unwrap();
    assert_eq!(task.inputs, [(5, 5), (6, 2)]);
    let task = picked(tables[..5].to_vec(), &[2]).unwrap();
    assert_eq!(task.inputs, [(5, 3), (6, 1)], "what is held is not merged into");
}

#[test]
fn tombstones_at_the_bottom_are_rewritten_away_when_nothing_else_is_due() {
    let removed = |number, keys: std::ops::RangeInclusive<u32>| {
        Table::new(number, keys.map(|key| (key, None)).collect())
    };
    let tables = vec![(Place::Level(5), removed(1, 0..=9)), (Place::Level(6), removed(2, 5..=9))];
    // Level 5 is above the base of so small a tree: it goes down first, and what it hid is gone.
    let task = picked(tables.clone(), &[]).unwrap();
    let inputs = vec![(5, 1), (6, 2)];
    assert_eq!(task, Task { inputs, output_level: 6, kind: Kind::Merge, is_bottom: true });
    let task = picked(tables[1..].to_vec(), &[]).unwrap();
    assert_eq!(
        task,
        Task { inputs: vec![(6, 2)], output_level: 6, kind: Kind::Merge, is_bottom: true }
    );
    assert_eq!(picked(tables[1..].to_vec(), &[2]), None);
}
