//! Bytes on disk that are not what was written are an error, or a torn tail; never other data.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// Length of a segment's header.
const HEADER_BYTES: usize = 40;

/// A directory with the files of `from`, but for its lock.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_name() != "LOCK" {
            fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
        }
    }
    to
}

fn file_named(path: &Path, prefix: &str) -> PathBuf {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    let mut named: Vec<PathBuf> = files
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(prefix))
        .collect();
    named.sort();
    named.pop().unwrap_or_else(|| panic!("no {prefix} in {}", path.display()))
}

fn is_damaged<T>(result: &Result<T, EngineError>, path: &Path) -> bool {
    matches!(result, Err(EngineError::Damaged { path: named, .. }) if named == path)
}

/// What was written to a log, without the room allocated ahead: no record of these tests ends in a
/// zero.
fn written(log: &Path) -> Vec<u8> {
    let mut bytes = fs::read(log).unwrap();
    bytes.truncate(
        bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1).max(HEADER_BYTES),
    );
    bytes
}

/// What an engine that crashed after five writes leaves: the log, and where each record ends.
struct Crashed {
    files: TempDir,
    log: Vec<u8>,
    /// Ends of header and records.
    ends: Vec<usize>,
}

fn crashed() -> Crashed {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options::default());
    let log = file_named(path.path(), "log-");
    let mut ends = vec![written(&log).len()];
    for number in 1..=5 {
        put(&engine, &format!("key{number}"), "a value");
        ends.push(written(&log).len());
    }
    // The files as they are now are what a crash would leave: nothing is under way.
    Crashed { files: copy(path.path()), log: written(&log), ends }
}

impl Crashed {
    /// The directory with `log` in place of its own.
    fn with_log(&self, log: &[u8]) -> TempDir {
        let copy = copy(self.files.path());
        fs::write(file_named(copy.path(), "log-"), log).unwrap();
        copy
    }
}

fn keys(engine: &Lsm) -> Vec<String> {
    let pairs = all(engine).unwrap();
    pairs.iter().map(|(key, _)| String::from_utf8(key.to_vec()).unwrap()).collect()
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on() {
    let crashed = crashed();
    for cut in crashed.ends[4]..crashed.ends[5] {
        let copy = crashed.with_log(&crashed.log[..cut]);
        let engine = open(copy.path(), Options::default());
        assert_eq!(keys(&engine), ["key1", "key2", "key3", "key4"], "cut at {cut}");
        put(&engine, "key6", "later");
        drop(engine);
        let engine = open(copy.path(), Options::default());
        assert_eq!(keys(&engine), ["key1", "key2", "key3", "key4", "key6"], "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_of_the_log_is_damage_but_in_the_last_record_a_tear() {
    let crashed = crashed();
    for at in 0..crashed.log.len() {
        let mut log = crashed.log.clone();
        log[at] ^= 1 << (at % 8);
        let copy = crashed.with_log(&log);
        let path = file_named(copy.path(), "log-");
        let opened = Lsm::open(copy.path(), Options::default());
        if at < crashed.ends[4] {
            assert!(is_damaged(&opened, &path), "byte {at}: {:?}", opened.err());
        } else {
            let kept = keys(&opened.unwrap());
            assert_eq!(kept, ["key1", "key2", "key3", "key4"], "byte {at}");
        }
    }
}

#[test]
fn after_an_orderly_end_no_record_can_pass_for_torn() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options { sync: Sync::Every(60_000), ..Options::default() });
    let log_path = file_named(path.path(), "log-");
    put(&engine, "a", "1");
    put(&engine, "b", "2");
    let before = written(&log_path).len();
    drop(engine);
    let log = fs::read(&log_path).unwrap();
    assert!(log.len() > before);
    for at in 0..before {
        let mut log = log.clone();
        log[at] ^= 0x10;
        fs::write(&log_path, &log).unwrap();
        let opened = Lsm::open(path.path(), Options::default());
        assert!(is_damaged(&opened, &log_path), "byte {at}: {:?}", opened.err());
    }
}

/// A closed engine with at least one table, and everything it holds.
fn with_tables() -> (TempDir, Vec<(Bytes, Bytes)>) {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), tiny(Sync::Always));
    for number in 0..40 {
        put(&engine, &format!("key{number:02}"), &"v".repeat(number));
    }
    let pairs = all(&engine).unwrap();
    engine.close().unwrap();
    (path, pairs)
}

#[test]
fn a_flipped_bit_of_a_table_is_damage_and_never_other_data() {
    let (path, pairs) = with_tables();
    let table = file_named(path.path(), "table-");
    let bytes = fs::read(&table).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&table, &flipped).unwrap();
        let engine = match Lsm::open(path.path(), tiny(Sync::Always)) {
            Ok(engine) => engine,
            opened => {
                assert!(is_damaged(&opened, &table), "byte {at}: {:?}", opened.err());
                continue;
            }
        };
        let scanned = all(&engine);
        assert!(is_damaged(&scanned, &table), "byte {at}: {scanned:?}");
        for (key, value) in &pairs {
            match engine.get(key) {
                Ok(found) => assert_eq!(found.as_ref(), Some(value), "byte {at}"),
                refused => assert!(is_damaged(&refused, &table), "byte {at}: {refused:?}"),
            }
        }
    }
}

#[test]
fn a_flipped_bit_of_the_manifest_is_damage() {
    let (path, _) = with_tables();
    let manifest = file_named(path.path(), "MANIFEST");
    let bytes = fs::read(&manifest).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x80;
        fs::write(&manifest, &flipped).unwrap();
        let opened = Lsm::open(path.path(), tiny(Sync::Always));
        assert!(is_damaged(&opened, &manifest), "byte {at}: {:?}", opened.err());
    }
}

#[test]
fn a_missing_file_is_damage_that_names_it() {
    let (path, _) = with_tables();
    for prefix in ["MANIFEST", "table-", "log-"] {
        let copy = copy(path.path());
        let missing = file_named(copy.path(), prefix);
        fs::remove_file(&missing).unwrap();
        let opened = Lsm::open(copy.path(), tiny(Sync::Always));
        assert!(is_damaged(&opened, &missing), "{prefix}: {:?}", opened.err());
    }
}

#[test]
fn leftovers_of_a_step_cut_off_are_removed() {
    let (path, pairs) = with_tables();
    let leftovers =
        ["table-00000000000000009999", "table-00000000000000009998.tmp", "MANIFEST.tmp"];
    for name in leftovers {
        fs::write(path.path().join(name), "half").unwrap();
    }
    let engine = open(path.path(), tiny(Sync::Always));
    assert_eq!(all(&engine).unwrap(), pairs);
    drop(engine);
    for name in leftovers {
        assert!(!path.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_start_cut_off_before_its_manifest_is_begun_again() {
    let crashed = crashed();
    let copy = crashed.with_log(&crashed.log[..crashed.ends[0]]);
    fs::remove_file(file_named(copy.path(), "MANIFEST")).unwrap();
    let engine = open(copy.path(), Options::default());
    put(&engine, "k", "v");
    assert_eq!(keys(&engine), ["k"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_refused_and_never_a_panic(
        prefix in proptest::sample::select(vec!["MANIFEST", "table-", "log-"]),
        keep in 0..80_usize,
        garbage in proptest::collection::vec(any::<u8>(), 1..200),
    ) {
        let (path, pairs) = with_tables();
        let file = file_named(path.path(), prefix);
        let mut bytes = fs::read(&file).unwrap();
        bytes.truncate(keep);
        bytes.extend(garbage);
        fs::write(&file, bytes).unwrap();
        match Lsm::open(path.path(), tiny(Sync::Always)).and_then(|engine| all(&engine)) {
            // Of the log, whatever its good beginning leaves.
            Ok(found) => prop_assert!(found.iter().all(|pair| pairs.contains(pair))),
            refused => prop_assert!(is_damaged(&refused, &file), "{:?}", refused),
        }
    }
}
