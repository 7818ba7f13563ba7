//! A damaged block costs its own keys, for as long as nobody brings them back, and nothing else.
//!
//! ```text
//! bit flips -> its range fails by name -> damaged() offers it -> written anew -> release -> merged away
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use store::lsm::vfs::{ModelDisk, Vfs};
use store::lsm::{DamagedRange, Tree};

use super::by_hand::*;
use super::*;

const KEYS: usize = 60;

fn put_all(tree: &Tree, round: usize, map: &mut Map) {
    for number in 0..KEYS {
        let value = format!("{round}-{number}-{}", "abcdefghij".repeat(3));
        let entries = vec![(key(number), Some(Bytes::from(value)))];
        let batch = Batch { entries };
        *map = with(map, &batch);
        tree.commit(batch).unwrap();
        while tree.flush_one().unwrap() {}
    }
}

/// A tree whose every key lies in tables, opened anew so that nothing of them is cached.
fn merged(disk: &ModelDisk) -> (Tree, Map) {
    let mut map = Map::new();
    let tree = open_by_hand(disk, options()).unwrap();
    for round in 0..4 {
        put_all(&tree, round, &mut map);
        merge_all(&tree).unwrap();
    }
    tree.finish().unwrap();
    drop(tree);
    (open_by_hand(disk, options()).unwrap(), map)
}

/// Nothing is cached: damage is met by the next reader.
fn options() -> Options {
    Options { cache_bytes: 0, ..by_hand(Sync::Always) }
}

/// Flips a bit in the first data block of the largest table.
fn flip(disk: &ModelDisk) -> PathBuf {
    let files = disk.files();
    let tables = files.iter().filter(|(path, _)| path.to_str().unwrap().contains("table-"));
    let (path, _) = tables.max_by_key(|(_, bytes)| bytes.len()).unwrap();
    disk.flip_bit(path, 8 * 20);
    path.clone()
}

fn is_damage_of(error: &EngineError, file: &Path) -> bool {
    is_damage_at(error, file, 8)
}

fn is_damage_at(error: &EngineError, file: &Path, at: u64) -> bool {
    matches!(error, EngineError::Damaged { path, offset, .. } if path == file && *offset == at)
}

/// The keys that cannot be read for the first block of a table, each with the right error; all others
/// are right.
fn unreadable(tree: &Tree, map: &Map, path: &Path) -> Vec<Bytes> {
    unreadable_at(tree, map, path, 8)
}

fn unreadable_at(tree: &Tree, map: &Map, path: &Path, at: u64) -> Vec<Bytes> {
    let mut unreadable = Vec::new();
    for key in (0..KEYS).map(key) {
        match tree.get(&key) {
            Ok(found) => assert_eq!(found.as_ref(), map.get(&key), "{key:?}"),
            Err(error) => {
                assert!(is_damage_at(&error, path, at), "{error}");
                unreadable.push(key);
            }
        }
    }
    unreadable
}

fn covers(range: &DamagedRange, key: &Bytes) -> bool {
    range.after.as_ref().is_none_or(|after| key > after) && *key <= range.to
}

#[test]
fn only_the_keys_of_a_damaged_block_fail_and_they_are_offered_for_repair() {
    let disk = ModelDisk::new();
    let (tree, map) = merged(&disk);
    let path = flip(&disk);
    let lost = unreadable(&tree, &map, &path);
    assert!(!lost.is_empty() && lost.len() < KEYS / 4, "{lost:?}");
    let damaged = tree.damaged();
    assert_eq!((damaged.len(), &damaged[0].path, damaged[0].offset), (1, &path, 8));
    assert!(lost.iter().all(|key| covers(&damaged[0], key)), "{damaged:?} {lost:?}");
    // A scan fails where it meets the block, and not behind it.
    assert!(is_damage_of(&tree.scan(b"", usize::MAX).unwrap_err(), &path));
    let behind = [&damaged[0].to[..], b"\0"].concat();
    let rest: Map = tree.scan(&behind, usize::MAX).unwrap().into_iter().collect();
    assert_eq!(
        rest,
        map.range(Bytes::from(behind)..).map(|(k, v)| (k.clone(), v.clone())).collect()
    );
}

#[test]
fn merges_leave_a_damaged_table_out_and_a_repaired_block_is_merged_away() {
    let disk = ModelDisk::new();
    let (tree, mut map) = merged(&disk);
    let path = flip(&disk);
    let lost = unreadable(&tree, &map, &path);
    // Others are merged meanwhile, and newer values of its keys are read.
    let merges = tree.statistics().merges;
    for round in 4..8 {
        put_all(&tree, round, &mut map);
        merge_all(&tree).unwrap();
    }
    assert!(tree.statistics().merges > merges, "merges went on");
    assert!(disk.open(&path).is_ok(), "the table is held");
    assert_eq!(unreadable(&tree, &map, &path), Vec::<Bytes>::new(), "newer values are above it");
    let damaged = tree.damaged();
    assert!(lost.iter().all(|key| covers(&damaged[0], key)));
    // All of its range was written anew just now.
    for range in &damaged {
        tree.release(range);
    }
    merge_all(&tree).unwrap();
    require_mended(&tree, &disk, &path, &map);
}

#[test]
fn a_table_that_nothing_else_would_merge_goes_when_it_is_released() {
    let disk = ModelDisk::new();
    let (tree, mut map) = merged(&disk);
    let path = flip(&disk);
    let lost = unreadable(&tree, &map, &path);
    let damaged = tree.damaged();
    // The owner knows that nobody needs what the block held.
    map.retain(|key, _| !lost.contains(key));
    tree.release(&damaged[0]);
    merge_all(&tree).unwrap();
    require_mended(&tree, &disk, &path, &map);
    drop(tree);
    let tree = open_by_hand(&disk, options()).unwrap();
    require_mended(&tree, &disk, &path, &map);
}

/// Where a table leads to its entries: both magics, the footer's checksum, properties, top index.
fn ends(bytes: &[u8]) -> [u64; 5] {
    let footer = bytes.len() - 32;
    let field = |at: usize| u32::from_le_bytes(bytes[footer + at..][..4].try_into().unwrap());
    let (top, properties) = (u64::from(field(0)), u64::from(field(4)));
    let footer = footer as u64;
    [3, footer + 31, footer + 17, footer - properties + 3, footer - properties - top + 3]
}

/// Keys of a table that nothing leads into are not readable, and named before anybody asks.
#[test]
fn a_table_whose_ends_are_damaged_costs_its_own_keys_until_it_is_released() {
    let (whole, map) = {
        let disk = ModelDisk::new();
        let (tree, map) = merged(&disk);
        drop(tree);
        (disk.files(), map)
    };
    let (path, bytes) = whole
        .iter()
        .filter(|(path, _)| path.to_str().unwrap().contains("table-"))
        .max_by_key(|(_, bytes)| bytes.len())
        .unwrap();
    for at in ends(bytes) {
        let disk = ModelDisk::from_files(whole.clone());
        disk.flip_bit(path, 8 * at);
        let (tree, mut map) = (open_by_hand(&disk, options()).unwrap(), map.clone());
        let damaged = tree.damaged();
        let [range] = &damaged[..] else { panic!("byte {at}: {damaged:?}") };
        assert_eq!((&range.path, &range.after, range.released), (path, &None, false));
        let lost = unreadable_at(&tree, &map, path, range.offset);
        assert!(!lost.is_empty() && lost.iter().all(|key| covers(range, key)), "byte {at}");
        assert!(is_damage_at(&tree.scan(b"", usize::MAX).unwrap_err(), path, range.offset));
        // Merges go on beside it, and a start finds it again.
        put_all(&tree, 4, &mut map);
        merge_all(&tree).unwrap();
        assert!(disk.open(path).is_ok() && tree.scan(b"", usize::MAX).is_err(), "it is held");
        tree.finish().unwrap();
        drop(tree);
        let tree = open_by_hand(&disk, options()).unwrap();
        assert_eq!(tree.damaged(), damaged);
        tree.release(range);
        merge_all(&tree).unwrap();
        require_mended(&tree, &disk, path, &map);
    }
}

fn require_mended(tree: &Tree, disk: &ModelDisk, path: &Path, map: &Map) {
    assert_eq!(tree.damaged(), []);
    assert!(disk.open(path).is_err(), "{} is gone", path.display());
    assert_eq!(unreadable(tree, map, path), Vec::<Bytes>::new());
    assert_eq!(tree.scan(b"", usize::MAX).unwrap().into_iter().collect::<Map>(), *map);
}

/// A held table of level 0 keeps all newer ones with its keys there. They are merged with each other,
/// so that their number grows as the logarithm of what is written, and writers are not stopped.
#[test]
fn level_0_above_a_held_table_stays_below_the_bound_that_stops_writers() {
    let (disk, mut map) = (ModelDisk::new(), Map::new());
    let tree = open_by_hand(&disk, options()).unwrap();
    put_all(&tree, 0, &mut map);
    assert!(tree.statistics().tables[0] > 0);
    let path = flip(&disk);
    assert!(!unreadable(&tree, &map, &path).is_empty());
    let mut most = 0;
    for round in 1..40 {
        put_all(&tree, round, &mut map);
        merge_all(&tree).unwrap();
        most = most.max(tree.statistics().tables[0]);
    }
    assert!(disk.open(&path).is_ok() && tree.damaged().len() == 1, "it is held");
    assert!(tree.statistics().flushes > 100 && most < Bounds::default().level0.slow, "{most}");
}

#[test]
fn damage_under_a_running_engine_neither_ends_nor_stops_it() {
    let disk = ModelDisk::new();
    let (tree, _) = merged(&disk);
    drop(tree);
    let options = Options { cache_bytes: 0, ..tiny(Sync::Always) };
    let path = flip(&disk);
    let engine = Lsm::open_on(Arc::new(disk.clone()), Path::new(DIRECTORY), options).unwrap();
    for round in 0..20 {
        for number in 0..KEYS {
            let (key, value) = (format!("key{number:02}"), format!("{round}-{}", "x".repeat(30)));
            write(&engine, batch(&[(&key, Some(&value))])).unwrap();
        }
    }
    for number in 0..KEYS {
        let found = engine.get(&key(number)).unwrap().unwrap();
        assert!(found.starts_with(b"19-"), "{found:?}");
    }
    let statistics = engine.statistics();
    assert!(statistics.flushes > 5, "{statistics:?}");
    for range in engine.tree().damaged() {
        assert_eq!(range.path, path);
        engine.tree().release(&range);
    }
    engine.close().unwrap();
}
