//! Power lost at every operation of a workload, and whatever the disk makes of it: what was
//! acknowledged is there, nothing is there in half, no file is left over.
//!
//! The tree is stepped by hand on a modelled disk, so that the workload does the same operations each
//! time. It is cut before each of them; of what was not synced the disk then keeps each combination it
//! offers; the tree is opened on that, and compared with a map. The start itself is cut at each of its
//! operations too. Of four workloads one syncs every write, one now and then, one syncs none but flushes at
//! once, and one leaves several segments of the log to the disk, which may lose any of them.
//! Source: Pillai et al., OSDI 2014 (ALICE); Zheng et al., OSDI 2014.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use store::lsm::vfs::{ModelDisk, Remains, Vfs};
use store::lsm::{SegmentSummary, Start, Tree, inspect};

use super::by_hand::*;
use super::*;

/// What a client knows.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// What was acknowledged, all together.
    pub(super) acknowledged: Map,
    /// The map after each write since the last sync, oldest first; the last may be unanswered.
    pub(super) unsynced: Vec<Map>,
}

impl Known {
    /// The first so many of the unsynced writes are on the platter now, in whatever file.
    pub(super) fn outlive(&mut self, writes: usize) {
        if let Some(latest) = self.unsynced.drain(..writes).next_back() {
            self.acknowledged = latest;
        }
    }

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
        let syncs = tree.statistics().syncs;
        tree.commit(batch)?;
        if write % 5 == 0 && matches!(sync, Sync::Every(_)) {
            tree.sync_log()?;
        }
        let is_synced = tree.statistics().syncs > syncs;
        assert!(is_synced || sync != Sync::Always, "answered before it was synced");
        if is_synced {
            known.outlive(known.unsynced.len());
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

/// So large that nothing is frozen but by hand.
fn open_large(disk: &ModelDisk, sync: Sync) -> Result<Tree, EngineError> {
    open_by_hand(disk, Options { memtable_bytes: 1 << 20, ..by_hand(sync) })
}

/// How a process ends, one after the other.
#[derive(Clone, Copy)]
enum Restart {
    /// Killed, and the next one promises nothing either.
    Killed,
    /// Ended in order.
    Finished,
    /// It says that all is on the platter, and goes on.
    Stays,
    /// Killed, and the next one promises a sync for every write: on what the first has left.
    KilledThenAlways,
}

/// Writes without a sync, and flushes so late that several segments are in memory only. `known` is then
/// what tables and syncs hold, and all that came after. Returns how often it merged.
fn work_unsynced(disk: &ModelDisk, writes: usize, known: &mut Known) -> Result<usize, EngineError> {
    let ends = [Restart::Killed, Restart::Finished, Restart::Stays, Restart::KilledThenAlways];
    let mut ends = ends.into_iter().cycle();
    let (mut sync, mut merged) = (Sync::Never, 0);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut tree = open_large(disk, sync)?;
    // How many unsynced writes were made when each full memtable was frozen, oldest first.
    let mut frozen = VecDeque::new();
    for write in 1..=writes {
        let batch = random_batch(&mut rng, 24);
        let latest = known.unsynced.last().unwrap_or(&known.acknowledged);
        known.unsynced.push(with(latest, &batch));
        tree.commit(batch)?;
        if sync == Sync::Always {
            known.outlive(known.unsynced.len());
        }
        if write % 2 == 0 {
            tree.freeze()?;
            frozen.push_back(known.unsynced.len());
        }
        if frozen.len() > 3 {
            assert!(tree.flush_one()?, "four wait");
            let flushed = frozen.pop_front().expect("four wait");
            known.outlive(flushed);
            for writes in &mut frozen {
                *writes -= flushed;
            }
            merged += usize::from(tree.compact_one()?);
        }
        if write % 16 == 0 {
            let end = ends.next().expect("they go round");
            match end {
                Restart::Finished | Restart::Stays => tree.finish()?,
                Restart::Killed | Restart::KilledThenAlways => {}
            }
            if !matches!(end, Restart::Stays) {
                let is_always = matches!(end, Restart::KilledThenAlways);
                sync = if is_always { Sync::Always } else { Sync::Never };
                drop(tree);
                tree = open_large(disk, sync)?;
                frozen.clear();
            }
            let written = known.unsynced.len();
            known.outlive(written);
            for writes in &mut frozen {
                *writes = writes.saturating_sub(written);
            }
        }
    }
    Ok(merged)
}

/// What a start would make of `disk`: how many segments it would drop. It is told to succeed.
fn foretold(disk: &ModelDisk, at: &str) -> usize {
    let Ok(seen) = inspect(Arc::new(disk.clone()), Path::new(DIRECTORY)) else { return 0 };
    assert!(matches!(seen.start, Start::Fresh | Start::Succeeds), "{at}: {seen}");
    seen.segments.iter().filter(|segment| segment.is_dropped).count()
}

/// A start leaves a directory in which nothing is to be done: opened again, it is the same.
fn check_start(disk: &ModelDisk, at: &str) -> usize {
    let dropped = foretold(disk, at);
    let opened = open_large(disk, Sync::Never);
    let found = contents(&opened.unwrap_or_else(|error| panic!("{at}: failed to {error}")));
    let seen = inspect(Arc::new(disk.clone()), Path::new(DIRECTORY)).unwrap();
    let is_clean = |it: &SegmentSummary| {
        !it.is_dropped && it.damage.is_none() && it.facts.is_some_and(|facts| facts.torn_bytes == 0)
    };
    let is_clean = seen.leftovers.is_empty() && seen.segments.iter().all(is_clean);
    assert!(is_clean, "{at}: after a start\n{seen}");
    assert_eq!(contents(&open_large(disk, Sync::Never).unwrap()), found, "{at}: opened again");
    dropped
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

/// Some combinations that nobody thought of, others for each cut: of what several files hold, one may
/// be kept and the next one lost.
fn drawn(cut: u64) -> impl Iterator<Item = Remains> {
    (0..20).map(move |number| Remains::drawn(cut * 20 + number))
}

/// Cuts the workload at every operation; how many crashes were tried.
pub(super) fn every_cut(
    sync: Sync,
    work: impl Fn(&ModelDisk, &mut Known) -> Result<usize, EngineError>,
) -> usize {
    let whole = ModelDisk::new();
    let merged = work(&whole, &mut Known::default()).unwrap();
    assert!(merged > 3, "the workload shall merge, and did so {merged} times");
    let mut tried = 0;
    for cut in 0..whole.operations() {
        let disk = ModelDisk::new();
        disk.cut_after(cut);
        let mut known = Known::default();
        let _power_is_off = work(&disk, &mut known);
        for remains in Remains::all().chain(drawn(cut)) {
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
        for remains in Remains::all().chain(drawn(kill)) {
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
    let tried = every_cut(Sync::Always, |disk, known| work(disk, Sync::Always, 120, known));
    assert!(tried > 20_000, "only {tried} crashes were tried");
}

#[test]
fn between_syncs_a_power_loss_leaves_the_past_and_all_that_was_synced() {
    let sync = Sync::Every(0);
    let tried = every_cut(sync, |disk, known| work(disk, sync, 80, known));
    assert!(tried > 10_000, "only {tried} crashes were tried");
}

#[test]
fn without_sync_a_power_loss_leaves_the_past_and_never_a_mixture() {
    let tried = every_cut(Sync::Never, |disk, known| work(disk, Sync::Never, 80, known));
    assert!(tried > 10_000, "only {tried} crashes were tried");
}

#[test]
fn of_segments_never_synced_a_power_loss_leaves_the_first_records_and_what_tables_hold() {
    let tried = every_cut(Sync::Never, |disk, known| work_unsynced(disk, 68, known));
    assert!(tried > 5_000, "only {tried} crashes were tried");
}

#[test]
fn a_start_after_any_tear_is_foretold_and_leaves_nothing_to_do() {
    let whole = ModelDisk::new();
    work_unsynced(&whole, 68, &mut Known::default()).unwrap();
    let mut dropped = [0; 5];
    for cut in 0..whole.operations() {
        let disk = ModelDisk::new();
        disk.cut_after(cut);
        let _power_is_off = work_unsynced(&disk, 68, &mut Known::default());
        for remains in Remains::all().chain(drawn(cut)) {
            let left = disk.after_power_loss(remains);
            dropped[check_start(&left, &format!("cut before operation {cut}, {remains}"))] += 1;
        }
    }
    let [none, one, two, three, _] = dropped;
    assert!(none > 500 && one > 500 && two > 500 && three > 500, "{dropped:?} segments dropped");
}
