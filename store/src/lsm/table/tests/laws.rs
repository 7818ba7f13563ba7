//! A table answers like the map it was written from.

use proptest::prelude::*;

use super::*;

fn model() -> impl Strategy<Value = Model> {
    let key = prop_oneof![
        4 => prop::collection::vec(0..4u8, 0..7),
        1 => prop::collection::vec(any::<u8>(), 100..400),
    ];
    let value = prop::option::of(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..30),
        prop::collection::vec(0..2u8, 0..400),
    ]);
    prop::collection::btree_map(key, value, 1..150)
}

fn shape() -> impl Strategy<Value = TableShape> {
    let compression =
        prop::sample::select(vec![Compression::None, Compression::Lz4, Compression::Zstd]);
    (1..2000usize, 1..8000usize, compression).prop_map(
        |(block_bytes, partition_bytes, compression)| TableShape {
            block_bytes,
            partition_bytes,
            compression,
        },
    )
}

proptest! {
    #[test]
    fn a_table_answers_like_the_map_it_was_written_from(
        model in model(),
        shape in shape(),
        cache_bytes in prop::sample::select(vec![0, 3000, 1 << 20]),
        strangers in prop::collection::vec(prop::collection::vec(0..5u8, 0..8), 0..20),
    ) {
        let disk = Disk::default();
        let facts = write(&disk, &model, shape);
        let table = open(&disk, cache_bytes).unwrap();
        prop_assert_eq!(table.facts(), &facts);
        for key in model.keys().chain(&strangers) {
            let known = model.get(key).map(|value| found(value.as_ref()));
            prop_assert_eq!(get(&table, key).unwrap(), known, "{:?}", key);
            for access in [Access::Scan, Access::Merge] {
                let mut cursor = table.cursor(access);
                cursor.seek(key).unwrap();
                let first = model.range(key.clone()..).next();
                let first = first.map(|(key, value)| (&key[..], value.as_deref()));
                prop_assert_eq!(cursor.entry(), first, "{:?}", key);
                let value = cursor.value();
                prop_assert_eq!(value.as_deref(), first.and_then(|(_, value)| value));
            }
        }
        for from in strangers.iter().chain([&vec![]]) {
            for access in [Access::Scan, Access::Merge] {
                prop_assert_eq!(walk(&table, access, from).unwrap(), expected(&model, from));
            }
        }
    }

    #[test]
    fn facts_say_what_was_written(model in model(), shape in shape()) {
        let disk = Disk::default();
        let facts = write(&disk, &model, shape);
        let file = disk.file(&path()).unwrap();
        prop_assert_eq!(facts.number, NUMBER);
        prop_assert_eq!(facts.bytes, file.bytes.lock().unwrap().len() as u64);
        prop_assert_eq!(facts.entries, model.len() as u64);
        prop_assert_eq!(facts.tombstones, model.values().filter(|value| value.is_none()).count() as u64);
        prop_assert_eq!(Some(&facts.smallest[..]), model.keys().next().map(|key| &key[..]));
        prop_assert_eq!(Some(&facts.largest[..]), model.keys().next_back().map(|key| &key[..]));
        prop_assert_eq!(&*file.bytes.lock().unwrap(), &*file.synced.lock().unwrap(), "it is synced");
    }
}

#[test]
fn a_cursor_seeks_back_and_forth() {
    let (disk, model) = (Disk::default(), numbered());
    write(&disk, &model, small(Compression::Lz4));
    let table = open(&disk, 1 << 20).unwrap();
    for access in [Access::Scan, Access::Merge] {
        let mut cursor = table.cursor(access);
        assert_eq!(cursor.entry(), None, "nowhere before the first seek");
        for key in model.keys().rev().chain(model.keys()) {
            cursor.seek(key).unwrap();
            assert_eq!(cursor.entry(), Some((&key[..], model[key].as_deref())));
        }
        cursor.seek(b"z").unwrap();
        assert_eq!(cursor.entry(), None);
    }
}

#[test]
#[should_panic(expected = "the keys of a table ascend")]
fn a_key_twice_is_a_bug() {
    let disk = Disk::default();
    let mut writer = TableWriter::create(&disk, path(), 1, TableShape::default()).unwrap();
    writer.add(b"a", None).unwrap();
    writer.add(b"a", None).unwrap();
}

#[test]
fn the_writer_knows_how_long_the_file_is_getting() {
    let disk = Disk::default();
    let shape = TableShape { compression: Compression::None, ..TableShape::default() };
    let mut writer = TableWriter::create(&disk, path(), NUMBER, shape).unwrap();
    let mut before = writer.bytes_written();
    for n in 0..20_000u32 {
        writer.add(&n.to_be_bytes(), Some(&[1; 100])).unwrap();
        assert!(writer.bytes_written() > before, "entry {n}");
        before = writer.bytes_written();
    }
    let TableFacts { entries, bytes, .. } = writer.finish().unwrap();
    assert_eq!(entries, 20_000);
    assert!((before..before + before / 20).contains(&bytes), "{before} foretold, {bytes} written");
}
