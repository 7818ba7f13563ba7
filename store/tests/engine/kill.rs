//! A writer killed by SIGKILL at any moment loses nothing that was acknowledged.
//!
//! The writer is this test binary, started again with a directory in its environment: it writes
//! numbers in order, many at a time, and says which are acknowledged. Its memtable is tiny, so that
//! kills also fall into flushes and merges.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use super::*;

const DIRECTORY: &str = "ENGINE_KILL_DIRECTORY";
const IN_FLIGHT: usize = 16;

fn options(round: usize) -> Options {
    let sync = if round.is_multiple_of(2) { Sync::Always } else { Sync::Every(5) };
    tiny(sync)
}

fn numbered(number: usize) -> Batch {
    let (key, value) = (format!("n{number:08}"), format!("value of {number}"));
    batch(&[(&key, Some(&value)), ("latest", Some(&number.to_string()))])
}

fn latest(engine: &Lsm) -> Option<usize> {
    let latest = engine.get(b"latest").unwrap()?;
    Some(std::str::from_utf8(&latest).unwrap().parse().unwrap())
}

/// The other side of the test below; without its environment it is nobody, and only checks that.
#[test]
fn writer_process() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        assert!(std::env::var_os("ENGINE_KILL_ROUND").is_none());
        return;
    };
    let round = std::env::var("ENGINE_KILL_ROUND").unwrap().parse().unwrap();
    let engine = open(Path::new(&directory), options(round));
    let begin = latest(&engine).map_or(0, |latest| latest + 1);
    let (told, answers) = mpsc::channel();
    let send = |number: usize| {
        let told = told.clone();
        let done = move |result: Result<(), EngineError>| told.send((number, result)).unwrap();
        engine.write(numbered(number), Box::new(done));
    };
    (begin..begin + IN_FLIGHT).for_each(send);
    let mut out = std::io::stdout().lock();
    loop {
        let (number, result) = answers.recv().unwrap();
        result.unwrap();
        writeln!(out, "acknowledged {number}").unwrap();
        out.flush().unwrap();
        send(number + IN_FLIGHT);
    }
}

/// Runs a writer until it has had `wanted` acknowledgements, kills it, and returns the last.
fn run_and_kill(directory: &Path, round: usize, wanted: usize) -> usize {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["kill::writer_process", "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .env("ENGINE_KILL_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number = |line: String| line.strip_prefix("acknowledged ")?.parse::<usize>().ok();
    let mut acknowledged = lines.by_ref().filter_map(number);
    let before = acknowledged.by_ref().take(wanted).last();
    writer.kill().unwrap();
    let after = acknowledged.last();
    writer.wait().unwrap();
    after.or(before).expect("an acknowledgement before the writer ended")
}

#[test]
fn a_killed_writer_loses_nothing_acknowledged() {
    let path = tempfile::tempdir().unwrap();
    for round in 0..200 {
        // Spread over the phases of a memtable, without two rounds alike.
        let acknowledged = run_and_kill(path.path(), round, 1 + round * 37 % 101);
        let engine = open(path.path(), options(round));
        let latest = latest(&engine).expect("something was acknowledged");
        assert!(latest >= acknowledged, "round {round}: {acknowledged} lost, {latest} is left");
        for number in 0..=latest {
            let key = format!("n{number:08}");
            let value = engine.get(key.as_bytes()).unwrap();
            assert_eq!(value, Some(format!("value of {number}").into()), "round {round}");
        }
        assert_eq!(
            all(&engine).unwrap().len(),
            latest + 2,
            "round {round}: a batch is there in part"
        );
    }
}
