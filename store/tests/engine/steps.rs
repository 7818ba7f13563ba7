//! The steps of a tree, taken by hand: what snapshots see, what merges drop, when writers wait.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use store::lsm::vfs::ModelDisk;
use store::lsm::{Reaper, Snapshot, Tree};

use super::by_hand::{by_hand, open_by_hand};
use super::*;

fn tree(options: Options) -> Tree {
    Tree::open(Arc::new(ModelDisk::new()), Path::new("/data"), options).unwrap()
}

fn set(tree: &Tree, key: &str, value: Option<&str>) {
    tree.commit(batch(&[(key, value)])).unwrap();
}

/// Flushes and merges until nothing is due.
fn settle(tree: &Tree) {
    tree.freeze().unwrap();
    while tree.flush_one().unwrap() {}
    while tree.compact_one().unwrap() {}
    assert!(tree.is_settled());
}

fn pairs(snapshot: &Snapshot, from: &str) -> BTreeMap<Bytes, Bytes> {
    let mut range = snapshot.range(from.as_bytes()).unwrap();
    let mut pairs = BTreeMap::new();
    while let Some((key, value)) = range.pair() {
        assert_eq!(range.value().as_deref(), Some(value));
        pairs.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        range.advance().unwrap();
    }
    pairs
}

#[test]
fn a_snapshot_sees_one_moment_through_flushes_and_merges() {
    let tree = tree(by_hand(Sync::Never));
    let mut taken = Vec::new();
    for round in 0..12 {
        for key in 0..20 {
            let value = format!("{round} of {key}");
            let gone = (key + round) % 7 == 0;
            set(&tree, &format!("key{key:02}"), (!gone).then_some(&value));
            if key == 10 {
                let now: BTreeMap<_, _> = tree.scan(b"", usize::MAX).unwrap().into_iter().collect();
                taken.push((tree.snapshot(), now));
            }
        }
        settle(&tree);
    }
    assert!(tree.statistics().merges > 1, "{:?}", tree.statistics());
    for (snapshot, then) in &taken {
        assert_eq!(&pairs(snapshot, ""), then);
        let later =
            then.range(Bytes::from("key07")..).map(|(k, v)| (k.clone(), v.clone())).collect();
        assert_eq!(pairs(snapshot, "key07"), later);
        for key in 0..20 {
            let key = format!("key{key:02}");
            assert_eq!(snapshot.get(key.as_bytes()).unwrap().as_ref(), then.get(key.as_bytes()));
        }
    }
}

#[test]
fn a_snapshot_of_a_batch_has_all_of_it_or_nothing() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options { sync: Sync::Never, ..tiny(Sync::Never) });
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..2_000 {
                let value = number.to_string();
                let keys: Vec<String> = (0..5).map(|key| format!("k{key}")).collect();
                let entries: Vec<_> = keys.iter().map(|key| (&key[..], Some(&value[..]))).collect();
                engine.commit(batch(&entries)).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let seen = pairs(&engine.snapshot(), "");
            let values: Vec<_> = seen.values().collect();
            assert!(values.is_empty() || values.len() == 5, "{seen:?}");
            assert!(values.windows(2).all(|two| two[0] == two[1]), "{seen:?}");
        }
    });
}

/// Calls values dead that say so, once it may.
#[derive(Default)]
struct SaidDead {
    may: AtomicBool,
}

impl Reaper for SaidDead {
    fn is_dead(&self, _: &[u8], value: &[u8]) -> bool {
        self.may.load(Ordering::Relaxed) && value == b"dead"
    }
}

#[test]
fn what_the_layer_above_calls_dead_goes_and_nothing_older_comes_back() {
    let reaper = Arc::new(SaidDead::default());
    let tree = tree(Options { reaper: Some(reaper.clone()), ..by_hand(Sync::Never) });
    let long = "an older value, long enough to stand on a level of its own".repeat(4);
    for key in 0..30 {
        set(&tree, &format!("key{key:02}"), Some(&long));
    }
    settle(&tree);
    for key in (0..30).step_by(2) {
        set(&tree, &format!("key{key:02}"), Some("dead"));
    }
    settle(&tree);
    assert_eq!(tree.get(b"key04").unwrap(), Some("dead".into()), "not yet");
    reaper.may.store(true, Ordering::Relaxed);
    // More of the same keys, so that every table is merged again.
    for round in 0..6 {
        for key in (1..30).step_by(2) {
            set(&tree, &format!("key{key:02}"), Some(&format!("{round} {long}")));
        }
        settle(&tree);
    }
    let left: Vec<Bytes> =
        tree.scan(b"", usize::MAX).unwrap().into_iter().map(|(key, _)| key).collect();
    let odd: Vec<Bytes> = (1..30).step_by(2).map(|key| format!("key{key:02}").into()).collect();
    assert_eq!(left, odd);
    assert_eq!(tree.get(b"key04").unwrap(), None);
}

#[test]
fn tombstones_go_when_nothing_lies_below_them() {
    let options = by_hand(Sync::Never);
    let tree = tree(Options { shape: Shape { level0_trigger: 1, ..options.shape }, ..options });
    for round in 0..4 {
        for key in 0..40 {
            set(
                &tree,
                &format!("key{key:02}"),
                (round % 2 == 0).then_some("a value of some length"),
            );
        }
        settle(&tree);
    }
    let statistics = tree.statistics();
    assert_eq!(tree.scan(b"", usize::MAX).unwrap(), []);
    assert_eq!(statistics.tables.iter().sum::<usize>(), 0, "{statistics:?}");
}

#[test]
fn writers_wait_before_memory_runs_away_and_the_statistics_say_so() {
    let bound = Bound { slow: 1, stop: 2 };
    let bounds = Bounds { frozen: bound, ..by_hand(Sync::Never).bounds };
    let tree = tree(Options { bounds, ..by_hand(Sync::Never) });
    let (told, written) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..60 {
                set(&tree, &format!("key{number:02}"), Some(&"v".repeat(100)));
            }
            told.send(()).unwrap();
        });
        let deadline = Instant::now() + PATIENCE;
        let mut highest = 0;
        while written.try_recv().is_err() {
            assert!(Instant::now() < deadline, "writers never went on: {:?}", tree.statistics());
            highest = highest.max(tree.statistics().memtable_bytes);
            tree.flush_one().unwrap();
        }
        // Two full ones, one being filled, and what its last batch adds.
        assert!(highest < 4 * 1_500, "{highest} bytes of memtables");
    });
    let statistics = tree.statistics();
    assert!(statistics.stalls > 0 && !statistics.stalled.is_zero(), "{statistics:?}");
}

/// Lengths of the log's files as a power loss would leave them, oldest first, and as they are read.
fn log_bytes(disk: &ModelDisk) -> (Vec<usize>, Vec<usize>) {
    let lengths = |files: Vec<(PathBuf, Vec<u8>)>| {
        let logs = files.into_iter().filter(|(path, _)| path.to_string_lossy().contains("log-"));
        logs.map(|(_, bytes)| bytes.len()).collect()
    };
    (lengths(disk.durable_files()), lengths(disk.files()))
}

#[test]
fn where_writes_are_not_synced_a_full_segment_waits_for_no_sync_but_an_orderly_end_syncs_it() {
    for sync in [Sync::Never, Sync::Every(0)] {
        a_full_segment_waits_for_no_sync(sync);
    }
}

fn a_full_segment_waits_for_no_sync(sync: Sync) {
    let disk = ModelDisk::new();
    let tree = open_by_hand(&disk, by_hand(sync)).unwrap();
    for number in 0..3 {
        set(&tree, &format!("key{number}"), Some("value"));
        tree.freeze().unwrap();
    }
    let (durable, read) = log_bytes(&disk);
    assert_eq!((durable, tree.statistics().syncs), (vec![40; 4], 0), "headers alone");
    assert_eq!(read[..3], [40 + 28 + 1 + 4 + 4 + 4 + 5; 3], "and no room that was not used");
    // What a table holds needs no sync any more; its name goes when the directory is synced.
    assert!(tree.flush_one().unwrap());
    tree.finish().unwrap();
    let (durable, read) = log_bytes(&disk);
    assert_eq!((&durable[1..], durable[0]), (&read[..], 40));
    assert_eq!(tree.statistics().syncs, 2, "before the record that says so, and after");
}

/// Where the files of segments lie, and their bytes, oldest first.
fn logs(disk: &ModelDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let files = disk.files().into_iter();
    files.filter(|(path, _)| path.to_string_lossy().contains("log-")).collect()
}

#[test]
fn an_orderly_end_marks_what_a_killed_process_left_though_nothing_was_written_since() {
    let disk = ModelDisk::new();
    let tree = open_by_hand(&disk, by_hand(Sync::Never)).unwrap();
    for number in 0..3 {
        set(&tree, &format!("key{number}"), Some("value"));
        tree.freeze().unwrap();
    }
    drop(tree);
    open_by_hand(&disk, by_hand(Sync::Never)).unwrap().finish().unwrap();
    let ended = logs(&disk);
    open_by_hand(&disk, by_hand(Sync::Never)).unwrap().finish().unwrap();
    assert_eq!(logs(&disk), ended, "starts and ends alone make the log no longer");
    for (path, _) in &ended[..3] {
        disk.flip_bit(path, 50 * 8);
        let damaged = open_by_hand(&disk, by_hand(Sync::Never)).map(drop).unwrap_err();
        assert!(
            matches!(&damaged, EngineError::Damaged { path: of, .. } if of == path),
            "{damaged}"
        );
        disk.flip_bit(path, 50 * 8);
    }
    let tree = open_by_hand(&disk, by_hand(Sync::Never)).unwrap();
    assert_eq!(pairs(&tree.snapshot(), "").len(), 3);
}

#[test]
fn guides_of_tables_that_were_merged_away_leave_memory() {
    let disk = ModelDisk::new();
    let options = Options { cache_bytes: 0, ..by_hand(Sync::Never) };
    let tree = open_by_hand(&disk, options.clone()).unwrap();
    for round in 0..20 {
        for key in 0..40 {
            set(&tree, &format!("key{key:02}"), Some(&format!("{round} of {key:040}")));
        }
        settle(&tree);
    }
    assert!(tree.statistics().merges > 10, "{:?}", tree.statistics());
    let kept = tree.statistics().cache_bytes;
    drop(tree);
    let tree = open_by_hand(&disk, options).unwrap();
    tree.warm();
    assert_eq!(kept, tree.statistics().cache_bytes, "what tables that count have, and no more");
    assert!(kept > 0);
}

#[test]
fn more_than_memory_is_set_aside_for_is_refused_and_was_never_written() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options { queue_bytes: 1_000, ..Options::default() });
    let (entered, is_in) = mpsc::channel();
    let (open_gate, gate) = mpsc::channel::<()>();
    let hold = move |_| {
        entered.send(()).unwrap();
        gate.recv_timeout(PATIENCE).unwrap();
    };
    engine.write(batch(&[("first", Some("1"))]), Box::new(hold));
    is_in.recv_timeout(PATIENCE).unwrap();
    let (told, answers) = mpsc::channel();
    for number in 0..3 {
        let told = told.clone();
        let one = batch(&[(&format!("large{number}"), Some(&"v".repeat(600)))]);
        engine.write(one, Box::new(move |result| told.send((number, result)).unwrap()));
    }
    let refused = |number: i32| match answers.recv_timeout(PATIENCE).unwrap() {
        (of, Err(EngineError::Overloaded { waiting_bytes })) => {
            assert_eq!(of, number);
            assert!((606..1_000).contains(&waiting_bytes), "{waiting_bytes} bytes");
        }
        other => panic!("{other:?}"),
    };
    refused(1);
    refused(2);
    open_gate.send(()).unwrap();
    assert!(matches!(answers.recv_timeout(PATIENCE).unwrap(), (0, Ok(()))));
    let keys: Vec<Bytes> = all(&engine).unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["first", "large0"]);
}

#[test]
fn threads_that_commit_together_share_syncs() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options::default());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let engine = &engine;
            scope.spawn(move || {
                for number in 0..100 {
                    engine.commit(batch(&[(&format!("{thread}/{number}"), Some("v"))])).unwrap();
                }
            });
        }
    });
    let done = engine.statistics();
    assert_eq!(all(&engine).unwrap().len(), 800);
    assert_eq!((done.writes, done.groups), (800, done.syncs));
    assert!(done.syncs < 700, "{done:?}");
}

#[test]
fn an_engine_that_ends_leaves_no_half_merged_table() {
    let path = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let engine = open(path.path(), tiny(Sync::Never));
        for number in 0..60 {
            let key = format!("key{:03}", (number * 7 + round) % 200);
            engine.commit(batch(&[(&key, Some(&"v".repeat(90)))])).unwrap();
        }
        engine.close().unwrap();
        let tables: usize = engine.statistics().tables.iter().sum();
        drop(engine);
        let names = std::fs::read_dir(path.path()).unwrap();
        let names: Vec<String> =
            names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let left = names.iter().filter(|name| name.starts_with("table-")).count();
        assert_eq!(left, tables, "round {round}: {names:?}");
    }
}
