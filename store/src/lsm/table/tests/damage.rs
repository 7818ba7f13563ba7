//! What a damaged table answers: the right thing, or an error that says where; and what it reports.

use std::sync::atomic::Ordering::Relaxed;

use super::super::format::{FOOTER_BYTES, MAGIC, Place, TRAILER_BYTES, seal};
use super::*;
use crate::lsm::quarantine::DamagedRange;

/// Fewer entries than [`numbered`], as every byte of their table is damaged in turn.
fn few() -> Model {
    numbered().into_iter().take(40).collect()
}

fn is_damage_of_the_table(error: &EngineError) -> bool {
    matches!(error, EngineError::Damaged { path: of, .. } if *of == path())
}

/// Asks everything of a table that may be damaged; whether anything was found wrong.
fn errors_in(disk: &Disk, model: &Model) -> bool {
    let table = match open(disk, 1 << 16) {
        Ok(table) => table,
        Err(error) => {
            assert!(is_damage_of_the_table(&error), "{error}");
            return true;
        }
    };
    let mut errors = 0;
    let mut note = |error: EngineError| {
        assert!(is_damage_of_the_table(&error), "{error}");
        errors += 1;
    };
    for (key, value) in model {
        match get(&table, key) {
            Ok(answer) => assert_eq!(answer, Some(found(value.as_ref())), "{key:?}"),
            Err(error) => note(error),
        }
        let stranger = [key, &b"x"[..]].concat();
        match get(&table, &stranger) {
            Ok(answer) => assert_eq!(answer, None),
            Err(error) => note(error),
        }
    }
    for access in [Access::Scan, Access::Merge] {
        match walk(&table, access, b"") {
            Ok(entries) => assert_eq!(entries, expected(model, b"")),
            Err(error) => note(error),
        }
    }
    errors > 0
}

#[test]
fn every_flipped_byte_is_an_error_or_does_no_harm() {
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd] {
        let (disk, model) = (Disk::default(), few());
        write(&disk, &model, small(compression));
        assert!(!errors_in(&disk, &model), "a whole table");
        let file = disk.file(&path()).unwrap();
        let length = file.bytes.lock().unwrap().len();
        for at in 0..length {
            for flip in [0x01, 0x80, 0xff] {
                file.bytes.lock().unwrap()[at] ^= flip;
                assert!(
                    errors_in(&disk, &model),
                    "byte {at} ^ {flip:#x} of {length} is not missed"
                );
                file.bytes.lock().unwrap()[at] ^= flip;
            }
        }
    }
}

#[test]
fn a_table_cut_anywhere_does_not_open() {
    let (disk, model) = (Disk::default(), few());
    write(&disk, &model, small(Compression::Lz4));
    let file = disk.file(&path()).unwrap();
    let whole = file.bytes.lock().unwrap().clone();
    for length in 0..whole.len() {
        *file.bytes.lock().unwrap() = whole[..length].to_vec();
        let error = open(&disk, 0).expect_err("it lacks bytes");
        assert!(is_damage_of_the_table(&error), "{error}");
    }
    *file.bytes.lock().unwrap() = [&whole[..], b"x"].concat();
    assert!(is_damage_of_the_table(&open(&disk, 0).expect_err("it has a byte too many")));
}

#[test]
fn a_table_cut_while_it_is_open_is_damaged_behind_the_cut() {
    let (disk, model) = (Disk::default(), numbered());
    write(&disk, &model, small(Compression::None));
    let file = disk.file(&path()).unwrap();
    let whole = file.bytes.lock().unwrap().clone();
    for length in (0..whole.len()).step_by(7) {
        *file.bytes.lock().unwrap() = whole.clone();
        let table = open(&disk, 0).unwrap();
        file.bytes.lock().unwrap().truncate(length);
        for (key, value) in &model {
            match get(&table, key) {
                Ok(answer) => assert_eq!(answer, Some(found(value.as_ref()))),
                Err(error) => assert!(is_damage_of_the_table(&error), "{error}"),
            }
        }
        let last_guide = table.top().place(table.top().len() - 1);
        let lacks_data = (length as u64) < last_guide.end().unwrap();
        for access in [Access::Merge, Access::Scan] {
            assert_eq!(walk(&table, access, b"").is_err(), lacks_data, "cut at {length}");
        }
    }
}

#[test]
fn a_missing_table_and_another_ones_file_are_damage() {
    let disk = Disk::default();
    assert!(is_damage_of_the_table(&open(&disk, 0).unwrap_err()));
    write(&disk, &few(), small(Compression::None));
    let error = Table::open(&disk, path(), NUMBER + 1, shared(0)).unwrap_err();
    assert!(error.to_string().ends_with("this is table 7, not 8"), "{error}");
}

/// A table with damaged ends, opened on the word of `facts`: every read among its keys fails, and
/// nothing else does.
fn check_unreachable(disk: &Disk, facts: &TableFacts, at: &str) {
    let table = Table::open_named(disk, path(), facts, shared(1 << 16)).expect(at);
    let table = Arc::new(table);
    let Some(&EngineError::Damaged { offset, .. }) = table.damage() else {
        panic!("{at}: {:?}", table.damage());
    };
    let quarantine = &table.shared.quarantine;
    let (number, to) = (NUMBER, facts.largest.clone());
    let whole =
        DamagedRange { table: number, path: path(), offset, after: None, to, released: false };
    assert_eq!(quarantine.list(), [whole], "{at}");
    let (before, behind) = (&b"a"[..], [&facts.largest[..], b"x"].concat());
    for release in [false, true] {
        for key in [&facts.smallest[..], b"key 00007", &facts.largest] {
            assert!(is_damage_of_the_table(&get(&table, key).expect_err(at)));
            assert!(is_damage_of_the_table(&walk(&table, Access::Scan, key).expect_err(at)));
            let merged = walk(&table, Access::Merge, key);
            assert_eq!(merged.is_ok_and(|entries| entries.is_empty()), release, "{at}");
        }
        assert_eq!((get(&table, before).unwrap(), get(&table, &behind).unwrap()), (None, None));
        assert_eq!(walk(&table, Access::Scan, &behind).unwrap(), []);
        assert!(quarantine.release(NUMBER, offset));
    }
}

#[test]
fn a_table_whose_ends_are_damaged_is_known_by_its_facts_and_wholly_in_quarantine() {
    let (disk, model) = (Disk::default(), few());
    let facts = write(&disk, &model, small(Compression::Lz4));
    let table = Table::open_named(&disk, path(), &facts, shared(0)).unwrap();
    assert!(table.damage().is_none() && table.shared.quarantine.list().is_empty());
    let top = table.top().place(table.top().len() - 1).end().unwrap() as usize;
    let file = disk.file(&path()).unwrap();
    let whole = file.bytes.lock().unwrap().clone();
    for at in (0..MAGIC.len()).chain(top..whole.len()) {
        file.bytes.lock().unwrap()[at] ^= 1 << (at % 8);
        check_unreachable(&disk, &facts, &format!("byte {at} of {}", whole.len()));
        file.bytes.lock().unwrap()[at] ^= 1 << (at % 8);
    }
    for length in 0..whole.len() {
        *file.bytes.lock().unwrap() = whole[..length].to_vec();
        check_unreachable(&disk, &facts, &format!("cut to {length}"));
    }
}

#[test]
fn what_was_never_the_table_of_that_name_is_not_taken_for_a_damaged_one() {
    let disk = Disk::default();
    let facts = write(&disk, &few(), small(Compression::Lz4));
    let refused = |facts: &TableFacts| {
        let error = Table::open_named(&disk, path(), facts, shared(0)).unwrap_err();
        assert!(is_damage_of_the_table(&error));
        error.to_string()
    };
    let other = refused(&TableFacts { number: NUMBER + 1, ..facts.clone() });
    assert!(other.ends_with("this is table 7, not 8"), "{other}");
    let other = refused(&TableFacts { entries: 41, ..facts.clone() });
    assert!(other.ends_with("this is not the table the manifest names"), "{other}");
    let file = disk.file(&path()).unwrap();
    let length = file.bytes.lock().unwrap().len();
    for at in [MAGIC.len() - 1, length - 1] {
        file.bytes.lock().unwrap()[at] = 2;
    }
    let later = refused(&facts);
    assert!(later.ends_with("this is no table of this version"), "{later}");
    let none = Table::open_named(&Disk::default(), path(), &facts, shared(0)).unwrap_err();
    assert!(none.to_string().ends_with("the table is missing"), "{none}");
}

#[test]
fn a_disk_that_refuses_is_no_damage() {
    let disk = Disk::default();
    write(&disk, &few(), small(Compression::None));
    let table = open(&disk, 0).unwrap();
    disk.file(&path()).unwrap().refuses.store(true, Relaxed);
    let again = Table::open_named(&disk, path(), table.facts(), shared(0));
    assert!(matches!(again, Err(EngineError::Io { .. })));
    assert!(matches!(get(&table, b"key 00001"), Err(EngineError::Io { .. })));
    assert!(matches!(walk(&table, Access::Merge, b""), Err(EngineError::Io { .. })));
    assert_eq!(table.shared.quarantine.list(), [], "it may pass");
    let mut writer = TableWriter::create(&disk, path(), 8, TableShape::default()).unwrap();
    writer.add(b"a", None).unwrap();
    disk.file(&path()).unwrap().refuses.store(true, Relaxed);
    assert!(matches!(writer.finish(), Err(EngineError::Io { action: "write", .. })));
}

/// A table with one byte flipped, asked for everything once, and what it then says is damaged.
struct Flipped {
    table: Arc<Table>,
    model: Model,
    range: DamagedRange,
}

impl Flipped {
    /// Flips the first byte of the block at `offset`.
    fn at(offset: impl FnOnce(&Table) -> u64) -> Flipped {
        let (disk, model) = (Disk::default(), numbered());
        write(&disk, &model, small(Compression::None));
        let table = open(&disk, 0).unwrap();
        let offset = offset(&table);
        disk.file(&path()).unwrap().bytes.lock().unwrap()[offset as usize] ^= 1;
        for access in [Access::Scan, Access::Merge] {
            assert!(walk(&table, access, b"").is_err());
        }
        let ranges = table.shared.quarantine.list();
        let [range] = &ranges[..] else { panic!("one block is damaged, not {ranges:?}") };
        assert_eq!((range.table, range.offset, range.released), (NUMBER, offset, false));
        assert_eq!(range.path, path());
        Flipped { table, model, range: range.clone() }
    }

    fn holds(&self, key: &[u8]) -> bool {
        self.range.after.as_ref().is_none_or(|after| key > after) && key <= &self.range.to[..]
    }

    /// Keys are errors within the range, and only there.
    fn check_range(&self, least: usize) {
        let held = self.model.keys().filter(|key| self.holds(key)).count();
        assert!((least..self.model.len() / 2).contains(&held), "{held} keys in {:?}", self.range);
        for (key, value) in &self.model {
            match get(&self.table, key) {
                Ok(answer) => {
                    assert!(!self.holds(key), "{key:?} was in the damaged block");
                    assert_eq!(answer, Some(found(value.as_ref())));
                }
                Err(_) => assert!(self.holds(key), "{key:?} was not in the damaged block"),
            }
        }
        assert_eq!(self.table.shared.quarantine.list().len(), 1);
    }

    /// After its release a merge leaves just the range out, and readers still get the error.
    fn check_release(&self) {
        let quarantine = &self.table.shared.quarantine;
        assert!(quarantine.held().contains(&NUMBER));
        assert!(quarantine.release(NUMBER, self.range.offset));
        assert!(!quarantine.held().contains(&NUMBER));
        for from in [&b""[..], &self.range.to, b"key 00070"] {
            let rest = expected(&self.model, from);
            let rest: Vec<_> = rest.into_iter().filter(|(key, _)| !self.holds(key)).collect();
            assert_eq!(walk(&self.table, Access::Merge, from).unwrap(), rest);
        }
        assert!(walk(&self.table, Access::Scan, b"").is_err());
        assert!(
            get(&self.table, &self.range.to).is_err()
                || !self.model.contains_key(&self.range.to[..])
        );
        let inside = self.model.keys().find(|key| self.holds(key)).unwrap();
        assert!(get(&self.table, inside).is_err());
    }
}

#[test]
fn a_damaged_block_is_held_with_the_keys_it_had_and_left_out_once_they_are_repaired() {
    for (partition, block) in [(0, 0), (0, 1), (1, 0), (2, 2)] {
        let flipped =
            Flipped::at(|table| table.guide(partition).unwrap().index().place(block).offset);
        flipped.check_range(2);
        flipped.check_release();
    }
}

#[test]
fn a_damaged_guide_holds_its_whole_partition() {
    for partition in [0, 1] {
        let flipped = Flipped::at(|table| table.top().place(partition).offset);
        flipped.check_range(8);
        flipped.check_release();
    }
    let last = Flipped::at(|table| table.top().place(table.top().len() - 1).offset);
    last.check_range(1);
    last.check_release();
}

#[test]
fn a_cursor_that_met_damage_stands_nowhere_and_may_be_sought_again() {
    let flipped = Flipped::at(|table| table.guide(0).unwrap().index().place(1).offset);
    for access in [Access::Scan, Access::Merge] {
        let mut cursor = flipped.table.cursor(access);
        assert!(cursor.seek(&flipped.range.to).is_err());
        assert_eq!(cursor.entry(), None);
        cursor.seek(b"key 00100").unwrap();
        assert_eq!(cursor.entry().map(|(key, _)| key), Some(&b"key 00100"[..]));
    }
}

#[test]
fn a_block_written_over_another_is_damage_though_it_is_whole() {
    let disk = Disk::default();
    let model = (0..100u32).map(|n| (n.to_be_bytes().to_vec(), Some(vec![n as u8; 20]))).collect();
    write(&disk, &model, small(Compression::None));
    let table = open(&disk, 0).unwrap();
    let guide = table.guide(0).unwrap();
    let places: Vec<_> = (0..guide.index().len()).map(|at| guide.index().place(at)).collect();
    let twins = places.iter().enumerate().find_map(|(at, one)| {
        places[at + 1..].iter().find(|two| two.length == one.length).map(|two| (*one, *two))
    });
    let (one, two) = twins.expect("two blocks are equally long");
    let file = disk.file(&path()).unwrap();
    let range = one.offset as usize..one.end().unwrap() as usize;
    file.bytes.lock().unwrap().copy_within(range, two.offset as usize);
    assert!(walk(&table, Access::Scan, b"").is_err());
    assert_eq!(table.shared.quarantine.list()[0].offset, two.offset);
}

/// Every block of a table, in the order of the file, down to the properties.
fn places(table: &Table) -> Vec<Place> {
    let mut places = Vec::new();
    for partition in 0..table.top().len() {
        let guide = table.guide(partition).unwrap();
        places.extend((0..guide.index().len()).map(|at| guide.index().place(at)));
        places.push(table.top().place(partition));
    }
    let (top, end) = (places.last().unwrap().end().unwrap(), table.facts().bytes);
    let top_bytes = (table.top.as_ref().unwrap().len() + TRAILER_BYTES) as u32;
    places.push(Place { offset: top, length: top_bytes });
    let properties = top + u64::from(top_bytes);
    let length = (end - FOOTER_BYTES as u64 - properties) as u32;
    places.push(Place { offset: properties, length });
    places
}

/// Asks everything of a table that lies: any answer will do, if it ends and is not a panic.
fn ask(disk: &Disk, model: &Model) {
    let Ok(table) = open(disk, 1 << 16) else { return };
    for access in [Access::Scan, Access::Merge] {
        let walked = walk(&table, access, b"");
        assert!(walked.map_or_else(|error| is_damage_of_the_table(&error), |_| true));
    }
    for key in model.keys() {
        let answer = get(&table, key);
        assert!(answer.map_or_else(|error| is_damage_of_the_table(&error), |_| true));
        let sought = table.cursor(Access::Scan).seek(key);
        assert!(sought.map_or_else(|error| is_damage_of_the_table(&error), |()| true));
    }
}

#[test]
fn a_forged_block_with_the_right_checksum_brings_nobody_down() {
    let (disk, model) = (Disk::default(), few());
    write(&disk, &model, small(Compression::None));
    let places = places(&open(&disk, 0).unwrap());
    let file = disk.file(&path()).unwrap();
    let whole = file.bytes.lock().unwrap().clone();
    for place in places {
        let (begin, end) = (place.offset as usize, place.end().unwrap() as usize);
        let payload = &whole[begin..end - TRAILER_BYTES];
        let reseal = |mut forged: Vec<u8>| {
            seal(&mut forged, 0, Compression::None, NUMBER, place.offset);
            forged
        };
        assert_eq!(reseal(payload.to_vec()), whole[begin..end], "{place:?}");
        for at in 0..payload.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut forged = payload.to_vec();
                forged[at] = byte;
                file.bytes.lock().unwrap()[begin..end].copy_from_slice(&reseal(forged));
                ask(&disk, &model);
            }
        }
        file.bytes.lock().unwrap()[begin..end].copy_from_slice(&whole[begin..end]);
    }
    assert!(!errors_in(&disk, &model), "a whole table again");
}
