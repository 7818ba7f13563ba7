//! What people read. Salts are random, but no length depends on them.

use super::*;
use crate::lsm::inspect::{Owner, Start};

#[test]
fn a_sound_directory() {
    let disk = example();
    insta::assert_snapshot!("sound-inspect", inspected(&disk));
    insta::assert_snapshot!("sound-verify", verified(&disk));
}

#[test]
fn a_block_with_a_flipped_bit_is_told_with_its_keys() {
    let disk = example();
    disk.flip_bit(&first_table(&disk), 8 * 100);
    assert!(matches!(inspected(&disk).start, Start::Succeeds), "blocks are read when asked");
    insta::assert_snapshot!("flipped-verify", verified(&disk));
}

#[test]
fn a_table_whose_footer_is_damaged_is_told_and_keeps_no_engine_from_starting() {
    let disk = example();
    disk.truncate(&last_table(&disk), 50);
    let seen = inspected(&disk);
    assert!(matches!(seen.start, Start::Succeeds) && started(&disk).is_ok(), "{seen}");
    assert_eq!(seen.damage().count(), 1);
    insta::assert_snapshot!("held-inspect", seen);
    insta::assert_snapshot!("held-verify", verified(&disk));
}

#[test]
fn a_damaged_table_a_missing_one_and_a_damaged_log_are_all_told() {
    let disk = example();
    let (first, last) = (first_table(&disk), last_table(&disk));
    let disk = without(&disk, &first);
    disk.truncate(&last, 50);
    disk.flip_bit(&log(first_log(&disk)), 8 * 100);
    insta::assert_snapshot!("damaged-inspect", inspected(&disk));
    insta::assert_snapshot!("damaged-verify", verified(&disk));
}

#[test]
fn a_torn_log_and_leftovers_are_no_damage() {
    let disk = example();
    let number = inspected(&disk).segments.last().unwrap().number;
    let length = disk.files().into_iter().find(|(path, _)| *path == log(number)).unwrap().1.len();
    disk.truncate(&log(number), length as u64 - 30);
    let disk = with(&disk, &table(99), b"half a table");
    let disk = with(&disk, &file("MANIFEST.tmp"), b"half a manifest");
    let disk = with(&disk, &file("notes\x1b[2J"), b"a stranger");
    insta::assert_snapshot!("torn-inspect", inspected(&disk));
    insta::assert_snapshot!("torn-verify", verified(&disk));
}

#[test]
fn a_log_torn_where_nothing_was_synced_ends_there_and_what_follows_is_dropped() {
    let disk = unsynced();
    let second = log(first_log(&disk) + 1);
    let length = disk.files().into_iter().find(|(path, _)| *path == second).unwrap().1.len();
    disk.truncate(&second, length as u64 - 30);
    let seen = inspected(&disk);
    assert!(matches!(seen.start, Start::Succeeds) && started(&disk).is_ok(), "{seen}");
    insta::assert_snapshot!("torn-early-inspect", seen);
    insta::assert_snapshot!("torn-early-verify", verified(&disk));
    let border = inspected(&disk).segments[1].facts.unwrap().bytes;
    disk.truncate(&second, border);
    insta::assert_snapshot!("ended-early-inspect", inspected(&disk));
}

#[test]
fn without_its_manifest_all_that_lies_there_is_told() {
    let disk = without(&example(), &file("MANIFEST"));
    insta::assert_snapshot!("lost-manifest-inspect", inspected(&disk));
    insta::assert_snapshot!("lost-manifest-verify", verified(&disk));
}

#[test]
fn a_directory_never_used() {
    let disk = ModelDisk::from_files([(file("LOCK"), Vec::new())]);
    let seen = inspected(&disk);
    assert!(seen.is_engine() && matches!(seen.start, Start::Fresh));
    insta::assert_snapshot!("fresh-inspect", seen);
    insta::assert_snapshot!("fresh-verify", verified(&disk));
}

#[test]
fn a_directory_in_use_is_told_and_left_to_who_has_it() {
    let disk = ModelDisk::new();
    let tree = Tree::open(Arc::new(disk.clone()), at(), tiny()).unwrap();
    for key in 0..30 {
        put(&tree, 1, key);
    }
    let seen = inspected(&disk);
    assert_eq!((seen.owner, seen.damage().count()), (Owner::Another, 0));
    insta::assert_snapshot!("in-use-inspect", seen);
    put(&tree, 1, 60);
    drop(tree);
    assert_eq!(inspected(&disk).owner, Owner::Nobody);
    let again = Tree::open(Arc::new(disk.clone()), at(), tiny());
    assert!(again.is_ok(), "the lock was given back");
}

#[test]
fn what_is_no_directory_is_an_error_and_what_is_no_engine_is_not() {
    let none = inspect(Arc::new(ModelDisk::new()), at()).unwrap_err();
    assert!(matches!(none, EngineError::Io { action: "list", .. }), "{none}");
    let strange = inspected(&ModelDisk::from_files([(file("notes"), b"mine".to_vec())]));
    assert!(!strange.is_engine());
    assert_eq!(strange.strangers, ["notes"]);
}

#[test]
fn a_disk_that_refuses_to_read_is_no_damage() {
    let disk = example();
    disk.cut_after(disk.operations());
    let refused = verify(Arc::new(disk), at(), &mut |_| ()).unwrap_err();
    assert!(matches!(refused, EngineError::Io { .. }), "{refused}");
}

#[test]
fn a_segment_with_an_absurd_number_is_one_more_file() {
    let disk = with(&example(), &log(u64::MAX), b"");
    let told = inspected(&disk);
    let missing: Vec<u64> =
        told.segments.iter().filter(|it| it.is_missing).map(|it| it.number).collect();
    let newest = told.segments.iter().rev().nth(2).unwrap().number;
    assert_eq!(missing, [newest + 1]);
    assert_eq!(started(&disk).unwrap_err().to_string(), first_damage(&told));
}

fn first_damage(seen: &Inspection) -> String {
    seen.damage().next().unwrap().to_string()
}

fn first_table(disk: &ModelDisk) -> PathBuf {
    table(inspected(disk).tables.first().unwrap().number)
}

fn last_table(disk: &ModelDisk) -> PathBuf {
    table(inspected(disk).tables.last().unwrap().number)
}

fn first_log(disk: &ModelDisk) -> u64 {
    inspected(disk).segments.first().unwrap().number
}
