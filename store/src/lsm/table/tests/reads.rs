//! How often the disk is asked, and what stays in memory.

use std::sync::atomic::Ordering::Relaxed;

use super::*;

/// A table of some partitions in the default shape, and how often it was read since it was opened.
fn large(cache_bytes: usize) -> (Arc<Table>, impl Fn() -> usize) {
    let disk = Disk::default();
    let value = |n: u32| filter::hash(&n.to_be_bytes()).to_be_bytes().repeat(13);
    let model = (0..10_000u32).map(|n| (n.to_be_bytes().to_vec(), Some(value(n)))).collect();
    write(&disk, &model, TableShape { compression: Compression::None, ..TableShape::default() });
    let table = open(&disk, cache_bytes).unwrap();
    let file = disk.file(&path()).unwrap();
    let opened = file.reads.load(Relaxed);
    (table, move || file.reads.load(Relaxed) - opened)
}

#[test]
fn a_cold_look_up_takes_two_reads_and_a_warm_one_none() {
    let (table, reads) = large(16 << 20);
    let key = 5000u32.to_be_bytes();
    assert!(get(&table, &key).unwrap().is_some());
    assert_eq!(reads(), 2, "a guide and a block");
    assert!(get(&table, &key).unwrap().is_some());
    assert_eq!(reads(), 2);
}

#[test]
fn most_missing_keys_take_no_block() {
    let (table, reads) = large(16 << 20);
    let partitions = table.top().len();
    assert!(partitions >= 4, "{partitions}");
    for n in 0..10_000u32 {
        let key = [&n.to_be_bytes()[..], b"x"].concat();
        assert_eq!(get(&table, &key).unwrap(), None);
    }
    let blocks = reads() - partitions;
    assert!(blocks < 100, "{blocks} blocks were read for 10000 missing keys");
}

#[test]
fn a_value_is_a_share_of_the_block_in_the_cache() {
    let (table, _) = large(16 << 20);
    let value = || get(&table, &5000u32.to_be_bytes()).unwrap().and_then(Found::value).unwrap();
    let (one, two) = (value(), value());
    assert_eq!(one.as_ptr(), two.as_ptr(), "not copied");
}

#[test]
fn a_long_scan_reads_partitions_at_once_and_leaves_the_cache_alone() {
    let (table, reads) = large(16 << 20);
    let partitions = table.top().len();
    assert_eq!(walk(&table, Access::Scan, b"").unwrap().len(), 10_000);
    assert_eq!(reads(), partitions * 4, "a guide, two blocks and the rest of each");
    let cached = table.shared.blocks.bytes();
    assert!(cached < 100_000, "{cached} bytes cached of a million");
}

#[test]
fn a_scan_of_what_is_cached_reads_nothing() {
    let (table, reads) = large(16 << 20);
    for n in 0..10_000u32 {
        assert!(get(&table, &n.to_be_bytes()).unwrap().is_some());
    }
    let before = reads();
    assert_eq!(walk(&table, Access::Scan, b"").unwrap().len(), 10_000);
    assert_eq!(reads(), before);
}

#[test]
fn a_merge_reads_each_partition_once_and_caches_nothing() {
    let (table, reads) = large(16 << 20);
    assert_eq!(walk(&table, Access::Merge, b"").unwrap().len(), 10_000);
    assert_eq!(reads(), table.top().len() * 2, "a guide and all data of each");
    assert_eq!((table.shared.blocks.bytes(), table.shared.guides.bytes()), (0, 0));
}

#[test]
fn guides_are_small_beside_their_partition() {
    let (table, _) = large(0);
    for partition in 0..table.top().len() {
        let length = table.top().place(partition).length;
        assert!(length < 8 << 10, "the guide of partition {partition} takes {length} bytes");
    }
    let top_bytes = table.top.as_ref().unwrap().len();
    assert!(top_bytes < 200, "{top_bytes} bytes stay in memory");
}

#[test]
fn a_table_whose_guides_are_in_memory_reads_a_key_at_once() {
    let (table, reads) = large(16 << 20);
    let partitions = table.top().len();
    assert!(table.warm(|| true), "there was room");
    assert_eq!(reads(), partitions);
    assert!(get(&table, &5000u32.to_be_bytes()).unwrap().is_some());
    assert_eq!(reads(), partitions + 1, "a block");
    assert!(get(&table, b"\xff").unwrap().is_none());
    assert_eq!(reads(), partitions + 1);
}

#[test]
fn guides_are_brought_in_while_there_is_room_and_they_are_wanted() {
    let (table, reads) = large(20_000);
    assert!(!table.warm(|| true));
    assert!((1..table.top().len()).contains(&reads()), "{} were read", reads());
    assert!(table.shared.guides.bytes() <= 15_000, "{} bytes", table.shared.guides.bytes());
    let (unwanted, reads) = large(16 << 20);
    assert!(!unwanted.warm(|| false));
    assert_eq!(reads(), 0);
}
