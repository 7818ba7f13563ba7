//! `schism store`: what the shell gets back for a sound directory, a damaged one, and none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use store::engine::{Batch, Engine};
use store::lsm::{Lsm, Options};

fn schism(arguments: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_schism"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the binary can be started")
}

/// The exit code of `schism store <command> data`, and all it said.
fn told(command: &str, directory: &Path) -> (Option<i32>, String) {
    let output = schism(&["store", command, "data"], directory);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// A directory with tables and a log, which nobody has any more.
fn written() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let options = Options { memtable_bytes: 20_000, ..Options::default() };
    let engine = Lsm::open(&scratch.path().join("data"), options).expect("an engine");
    for key in 0..1000 {
        let (key, value) = (format!("key-{key:04}"), format!("value {key}"));
        let entries = vec![(key.into(), Some(value.into()))];
        engine.commit(Batch { entries }).expect("a write");
    }
    engine.close().expect("an orderly end");
    scratch
}

/// The files of a kind, ascending.
fn files(directory: &Path, kind: &str) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(directory.join("data")).expect("the data directory");
    let paths = listed.map(|entry| entry.expect("an entry").path());
    let is_kind =
        |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().starts_with(kind);
    let mut paths: Vec<PathBuf> = paths.filter(is_kind).collect();
    paths.sort();
    paths
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).expect("a file");
    bytes[byte] ^= 1;
    std::fs::write(path, bytes).expect("a file that can be written");
}

#[test]
fn a_sound_directory_is_told_and_0() {
    let scratch = written();
    let (code, text) = told("inspect", scratch.path());
    assert_eq!(code, Some(0), "{text}");
    for words in ["MANIFEST", "TABLES", "LOG", "\"key-0000\"", "A start would succeed."] {
        assert!(text.contains(words), "no `{words}` in:\n{text}");
    }
    let (code, text) = told("verify", scratch.path());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Sound: every byte read is as it was written."), "{text}");
}

#[test]
fn a_damaged_block_is_seen_by_verify_alone() {
    let scratch = written();
    let table = files(scratch.path(), "table-").remove(0);
    flip(&table, 100);
    assert_eq!(told("inspect", scratch.path()).0, Some(0));
    let (code, text) = told("verify", scratch.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("keys from \"key-") && text.contains("checksum"), "{text}");
    assert!(text.contains(&*table.file_name().expect("a name").to_string_lossy()), "{text}");
    assert!(text.trim_end().ends_with("Damaged: 1 problem."), "{text}");
}

#[test]
fn a_directory_no_node_would_start_on_is_1_for_both() {
    let scratch = written();
    flip(&scratch.path().join("data/MANIFEST"), 9);
    let (code, text) = told("inspect", scratch.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("A start would fail: data/MANIFEST is damaged at byte 0"), "{text}");
    assert!(text.contains("\"key-0000\""), "the tables are told all the same:\n{text}");
    assert_eq!(told("verify", scratch.path()).0, Some(1));
}

#[test]
fn a_directory_in_use_can_be_looked_at() {
    let scratch = written();
    let engine = Lsm::open(&scratch.path().join("data"), Options::default()).expect("an engine");
    let (code, text) = told("inspect", scratch.path());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("in use: another process has it"), "{text}");
    assert_eq!(told("verify", scratch.path()).0, Some(0));
    engine.close().expect("nobody was in its way");
}

#[test]
fn a_file_that_cannot_be_read_is_255_and_no_damage() {
    let scratch = written();
    let table = files(scratch.path(), "table-").remove(0);
    std::fs::remove_file(&table).expect("a table");
    std::fs::create_dir(&table).expect("a directory in its place");
    let (code, text) = told("verify", scratch.path());
    assert_eq!(code, Some(255), "{text}");
    assert!(text.contains("Undecided"), "{text}");
}

#[test]
fn what_is_no_data_directory_is_wrong_usage() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    for command in ["inspect", "verify"] {
        let (code, text) = told(command, scratch.path());
        assert_eq!(code, Some(254), "{text}");
        assert!(text.contains("there is no directory data"), "{text}");
        std::fs::create_dir(scratch.path().join("data")).expect("a directory");
        let (code, text) = told(command, scratch.path());
        assert_eq!(code, Some(254), "{text}");
        assert!(text.contains("data is not the data directory of a node"), "{text}");
        std::fs::remove_dir(scratch.path().join("data")).expect("it is still empty");
        std::fs::write(scratch.path().join("data"), "a file").expect("a file");
        let (code, text) = told(command, scratch.path());
        assert_eq!(code, Some(254), "{text}");
        assert!(text.contains("data is no directory"), "{text}");
        std::fs::remove_file(scratch.path().join("data")).expect("the file");
    }
    let bare = schism(&["store", "inspect"], scratch.path());
    assert_eq!(bare.status.code(), Some(254));
}
