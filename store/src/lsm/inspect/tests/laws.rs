//! Laws of looking: no flip goes unseen, the verdict is the start's own, nothing changes.

use super::*;
use crate::lsm::inspect::{Progress, Start};
use crate::lsm::vfs::Remains;

/// Whether the start's verdict foretold is that of a start, to the word.
fn foretold(disk: &ModelDisk, what: &str) {
    let seen = inspected(disk);
    let started = started(disk).err().map(|error| error.to_string());
    let foretold = match &seen.start {
        Start::Fails(error) => Some(error.to_string()),
        Start::Succeeds | Start::Fresh => None,
        Start::InUse => panic!("nobody has it: {what}"),
    };
    assert_eq!(foretold, started, "{what}");
}

/// Every file that matters, with its length.
fn files(disk: &ModelDisk) -> Vec<(PathBuf, u64)> {
    let files = disk.files().into_iter().map(|(path, bytes)| (path, bytes.len() as u64));
    files.filter(|(path, _)| !path.ends_with("LOCK")).collect()
}

fn is(path: &Path, kind: &str) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with(kind)
}

#[test]
fn the_example_holds_what_can_be_damaged() {
    let seen = inspected(&example());
    let on = |level| seen.tables.iter().filter(|it| it.level == Some(level)).count();
    assert!(on(0) > 0, "{seen}");
    assert!(seen.tables.len() - on(0) > 1, "{seen}");
    let facts = |at: usize| seen.segments[at].facts.unwrap();
    assert!(seen.segments.len() > 1 && facts(0).records() > 1 && facts(1).records() > 1, "{seen}");
    assert!(verified(&example()).is_sound());
}

#[test]
fn every_flipped_byte_of_tables_and_manifest_is_found_in_its_file() {
    let disk = example();
    let mut flipped = 0;
    for (path, length) in files(&disk).into_iter().filter(|(path, _)| !is(path, "log-")) {
        for byte in 0..length {
            disk.flip_bit(&path, byte * 8 + byte % 8);
            let seen = verified(&disk);
            assert!(seen.is_damaged(), "byte {byte} of {}", path.display());
            for problem in &seen.problems {
                assert!(is_of(&problem.error, &path), "byte {byte}: {problem}");
            }
            disk.flip_bit(&path, byte * 8 + byte % 8);
            flipped += 1;
        }
    }
    assert!(flipped > 3_000, "only {flipped}");
}

fn is_of(error: &EngineError, path: &Path) -> bool {
    matches!(error, EngineError::Damaged { path: of, .. } if of == path)
}

#[test]
fn every_flipped_byte_of_the_log_is_found_up_to_the_last_synced_record() {
    let disk = example();
    let last = inspected(&disk).segments.last().unwrap().clone();
    let end = last.facts.unwrap().bytes - 28;
    let mut flipped = 0;
    for (path, length) in files(&disk).into_iter().filter(|(path, _)| is(path, "log-")) {
        // The record that ends the log says that all before it was synced, and nobody says it of itself.
        let length = if path == log(last.number) { end } else { length };
        for byte in 0..length {
            disk.flip_bit(&path, byte * 8 + byte % 8);
            let seen = verified(&disk);
            assert!(seen.is_damaged(), "byte {byte} of {}", path.display());
            assert!(is_of(&seen.problems[0].error, &path), "byte {byte}: {seen}");
            disk.flip_bit(&path, byte * 8 + byte % 8);
            flipped += 1;
        }
    }
    assert!(flipped > 2_000, "only {flipped}");
}

#[test]
fn what_a_start_would_say_is_what_it_says() {
    for disk in [example(), unsynced()] {
        foretold(&disk, "sound");
        for (path, length) in files(&disk) {
            foretold(&without(&disk, &path), &format!("without {}", path.display()));
            for byte in (0..length).step_by(7) {
                disk.flip_bit(&path, byte * 8 + byte % 8);
                foretold(&disk, &format!("byte {byte} of {}", path.display()));
                disk.flip_bit(&path, byte * 8 + byte % 8);
            }
            for cut in (0..length).step_by(13) {
                let cut_off = copy(&disk);
                cut_off.truncate(&path, cut);
                foretold(&cut_off, &format!("{} cut to {cut}", path.display()));
            }
        }
    }
}

#[test]
fn what_a_start_would_say_of_two_wounds_is_what_it_says() {
    for disk in [example(), unsynced()] {
        let files = files(&disk);
        for (one, one_length) in &files {
            for (other, other_length) in &files {
                disk.flip_bit(one, one_length / 2 * 8);
                disk.flip_bit(other, other_length / 3 * 8 + 1);
                foretold(&disk, &format!("{} and {}", one.display(), other.display()));
                disk.flip_bit(one, one_length / 2 * 8);
                disk.flip_bit(other, other_length / 3 * 8 + 1);
                if one != other {
                    let gone = without(&without(&disk, one), other);
                    foretold(&gone, &format!("without {} and {}", one.display(), other.display()));
                }
            }
        }
    }
}

#[test]
fn a_start_cut_off_anywhere_is_foretold() {
    let whole = ModelDisk::new();
    drop(Tree::open(Arc::new(whole.clone()), at(), tiny()).unwrap());
    for operation in 1..whole.operations() {
        let disk = ModelDisk::new();
        disk.cut_after(operation);
        Tree::open(Arc::new(disk.clone()), at(), tiny()).map(|_| ()).unwrap_err();
        for remains in Remains::all() {
            let left = disk.after_power_loss(remains);
            foretold(&left, &format!("cut after {operation}; {remains}"));
        }
    }
}

#[test]
fn looking_changes_nothing() {
    let disk = example();
    let wounded = [
        copy(&disk),
        without(&disk, &file("MANIFEST")),
        without(&disk, &file("LOCK")),
        with(&disk, &table(99), b"half a table"),
    ];
    for disk in wounded {
        let (before, operations) = (disk.files(), disk.operations());
        inspected(&disk);
        verified(&disk);
        assert_eq!(disk.files(), before);
        assert_eq!(disk.durable_files(), before);
        assert_eq!(disk.operations(), operations, "no write, no sync, no name");
    }
}

#[test]
fn progress_goes_on_to_the_last_byte_that_is_read_in_blocks() {
    let disk = example();
    let mut told: Vec<Progress> = Vec::new();
    verify(Arc::new(disk.clone()), at(), &mut |progress| told.push(progress)).unwrap();
    let is_after = |pair: &[Progress]| {
        pair[0].bytes_done <= pair[1].bytes_done && pair[0].tables_done <= pair[1].tables_done
    };
    assert!(told.windows(2).all(is_after));
    let last = told.last().unwrap();
    assert_eq!(last.tables_done, last.tables);
    assert!(last.bytes_done <= last.bytes && last.bytes_done * 10 > last.bytes * 5, "{last:?}");
}

#[test]
fn a_damaged_block_costs_its_own_keys_and_no_others() {
    let disk = example();
    let whole = verified(&disk).tally;
    let number = inspected(&disk).tables[0].number;
    disk.flip_bit(&table(number), 8 * 20);
    let seen = verified(&disk);
    assert_eq!((seen.problems.len(), seen.tally.blocks), (1, whole.blocks - 1), "{seen}");
    assert!(
        seen.tally.entries < whole.entries && seen.tally.entries > whole.entries - 20,
        "{seen}"
    );
    let lost = seen.problems[0].keys.clone().unwrap();
    let facts = inspected(&disk).tables[0].facts.clone().unwrap();
    assert_eq!(lost.from, std::ops::Bound::Included(facts.smallest));
    assert!(lost.to < facts.largest);
}
