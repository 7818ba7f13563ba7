//! Power lost at every operation of a workload, and whatever the disk makes of it: what was
//! acknowledged is there, nothing is there in half, no file is left over.
//!
//! The tree is stepped by hand on a modelled disk, so that the workload does the same operations each
//! time. It is cut before each of them; of what was not synced the disk then keeps each combination it
//! offers; the tree is opened on that, and compared with a map. The start itself is cut at each of its
//! operations too.
//! Source: Pillai et al., OSDI 2014 (ALICE); Zheng et al., OSDI 2014.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use store::lsm::Tree;
use store::lsm::vfs::{ModelDisk, Remains, Vfs};

use super::by_hand::*;
use super::*;

/// What a client knows.
#[derive(Clone, Default)]
struct Known {
    /// What was acknowledged, all together.
    acknowledged: Map,
    /// The map after each write since the last sync, oldest first; the last may be unanswered.
    unsynced: Vec<Map>,
}

impl Known {
    /// Whether `found` is a state that the promise allows.
    fn allows(&self, found: &Map) -> bool {
        *found == self.acknowledged || self.unsynced.contains(found)
    }
}

fn open_on(disk: &ModelDisk, sync: Sync) -> Result<Tree, EngineError> {
    open_by_hand(disk, by_hand(sync))
}

/// Writes, flushes, merges and reopens until the power fails or the script ends; what a client then
/// knows is in `known`. Returns how often it merged.
fn work(
    disk: &ModelDisk,
    sync: Sync,
    writes: usize,
    known: &mut Known,
) -> Result<usize, EngineError> {
    let mut merged = 0;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut tree = open_on(disk, sync)?;
    for write in 1..=writes {
        let batch = random_batch(&mut rng, 24);
        let latest = known.unsynced.last().unwrap_or(&known.acknowledged);
        known.unsynced.push(with(latest, &batch));
        tree.commit(batch)?;
        if sync == Sync::Always {
            known.acknowledged = known.unsynced.pop().expect("it was pushed above");
            known.unsynced.clear();
        }
        while tree.flush_one()? {}
        if write % 3 == 0 {
            merged += usize::from(tree.compact_one()?);
        }
        if write % 17 == 0 {
            tree.finish()?;
            known.acknowledged = known.unsynced.pop().unwrap_or(known.acknowledged.clone());
            known.unsynced.clear();
            drop(tree);
            tree = open_on(disk, sync)?;
        }
    }
    while tree.compact_one()? {
        merged += 1;
    }
    tree.finish()?;
    Ok(merged)
}

fn contents(tree: &Tree) -> Map {
    tree.scan(b"", usize::MAX).unwrap().into_iter().collect()
}

/// Opens what a crash left, and checks all that is promised of it.
fn check(disk: &ModelDisk, sync: Sync, known: &Known, at: &str) {
    let tree = open_on(disk, sync).unwrap_or_else(|error| panic!("{at}: failed to {error}"));
    let found = contents(&tree);
    assert!(known.allows(&found), "{at}: found {found:?}\nknown {:?}", known.acknowledged);
    for (key, value) in &found {
        assert_eq!(tree.get(key).unwrap().as_ref(), Some(value), "{at}");
    }
    let tables: usize = tree.statistics().tables.iter().sum();
    let names: Vec<String> = disk.list(Path::new(DIRECTORY)).unwrap();
    let kinds: BTreeSet<&str> = names.iter().map(|name| name.split('-').next().unwrap()).collect();
    assert!(
        kinds.is_subset(&BTreeSet::from(["LOCK", "MANIFEST", "log", "table"])),
        "{at}: {names:?}"
    );
    let files = names.iter().filter(|name| name.starts_with("table-")).count();
    assert_eq!(files, tables, "{at}: a table is left over in {names:?}");
    // And it goes on from there.
    tree.commit(batch(&[("after", Some("the crash"))])).unwrap();
    let then = contents(&tree);
    drop(tree);
    assert_eq!(contents(&open_on(disk, sync).unwrap()), then, "{at}: reopened");
}

/// Cuts the workload at every operation; how many crashes were tried.
fn every_cut(sync: Sync, writes: usize) -> usize {
    let whole = ModelDisk::new();
    let merged = work(&whole, sync, writes, &mut Known::default()).unwrap();
    assert!(merged > 3, "the workload shall merge, and did so {merged} times");
    let mut tried = 0;
    for cut in 0..whole.operations() {
        let disk = ModelDisk::new();
        disk.cut_after(cut);
        let mut known = Known::default();
        let _power_is_off = work(&disk, sync, writes, &mut known);
        for remains in Remains::all() {
            let left = disk.after_power_loss(remains);
            let at = format!("cut before operation {cut}, {remains}");
            check(&left, sync, &known, &at);
            tried += 1;
        }
        // A second crash, in the middle of the start after the first.
        let remains =
            Remains::all().nth(cut as usize % Remains::all().count()).expect("one of them");
        tried += cut_starts(&disk.after_power_loss(remains), sync, &known, cut);
    }
    tried
}

/// Cuts the start on `left` at each of its operations.
fn cut_starts(left: &ModelDisk, sync: Sync, known: &Known, cut: u64) -> usize {
    let mut tried = 0;
    for second in 0.. {
        let disk = ModelDisk::from_files(left.files());
        disk.cut_after(second);
        let opened = open_on(&disk, sync).map(drop);
        for remains in Remains::all().step_by(7) {
            let at =
                format!("cut before operation {cut}, then before {second} of the start, {remains}");
            check(&disk.after_power_loss(remains), sync, known, &at);
            tried += 1;
        }
        if opened.is_ok() {
            break;
        }
    }
    tried
}

/// Kills the workload before every operation, which costs no byte; starts again, writes, and only then
/// loses the power. How many ends were tried.
fn every_kill(writes: usize) -> usize {
    let whole = ModelDisk::new();
    work(&whole, Sync::Always, writes, &mut Known::default()).unwrap();
    let mut tried = 0;
    for kill in 0..whole.operations() {
        let disk = ModelDisk::new();
        disk.cut_after(kill);
        let mut known = Known::default();
        let _is_killed = work(&disk, Sync::Always, writes, &mut known);
        disk.cut_after(u64::MAX);
        let tree = open_on(&disk, Sync::Always).unwrap();
        let found = contents(&tree);
        assert!(known.allows(&found), "killed before operation {kill}: found {found:?}");
        let last = batch(&[("written", Some("by the next process"))]);
        let known = Known { acknowledged: with(&found, &last), unsynced: Vec::new() };
        tree.commit(last).unwrap();
        for remains in Remains::all() {
            let at = format!("killed before operation {kill}, then {remains}");
            check(&disk.after_power_loss(remains), Sync::Always, &known, &at);
            tried += 1;
        }
    }
    tried
}

#[test]
fn what_is_built_on_what_a_killed_process_left_outlives_a_power_loss() {
    let tried = every_kill(60);
    assert!(tried > 5_000, "only {tried} ends were tried");
}

#[test]
fn no_power_loss_takes_what_was_acknowledged() {
    let tried = every_cut(Sync::Always, 120);
    assert!(tried > 20_000, "only {tried} crashes were tried");
}

#[test]
fn without_sync_a_power_loss_leaves_the_past_and_never_a_mixture() {
    let tried = every_cut(Sync::Never, 80);
    assert!(tried > 10_000, "only {tried} crashes were tried");
}
