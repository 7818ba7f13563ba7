//! Nodes that end by themselves, or do not come back from a kill: the store's doing, and judged so,
//! whatever the nemesis does to them afterwards. Here a test lends the store a hand.

#![cfg(test)]

mod leftovers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use leftovers::processes_of;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const DEADLINE: Duration = Duration::from_mins(1);

/// Everything strikes n2, and only after a warm-up in which the test strikes first.
const UNLUCKY: &str = "
suite: unlucky
cluster:
  nodes: 3
  keyspaces:
    register: { policy: register, n: 3, r: 2, w: 2 }
workloads:
  - workload: { register: { keyspace: register, keys: 2 } }
    clients: 3
    rate: 100
phases: { warm-up: 1500ms, faults: 2s, recovery: 0s, quiesce: 500ms }
faults:
  - kill: { nodes: [n2], every: 200ms, lasting: 100ms }
  - pause: { nodes: [n2], every: 200ms, lasting: 100ms }
";

/// A run that is in its warm-up.
fn start(scratch: &Path, run: &str, suite: &str) -> (Child, PathBuf) {
    fs::write(scratch.join("unlucky.yaml"), suite).unwrap();
    let said = scratch.join("said");
    let child = Command::new(env!("CARGO_BIN_EXE_schism"))
        .args(["run", "unlucky.yaml", "--seed", "1"])
        .current_dir(scratch)
        .env("SCHISM_RUN", run)
        .stdin(Stdio::null())
        .stdout(fs::File::create(scratch.join("verdict")).unwrap())
        .stderr(fs::File::create(&said).unwrap())
        .spawn()
        .unwrap();
    let said = || fs::read_to_string(&said).unwrap();
    await_that(|| said().contains("warm-up"), said);
    (child, scratch.join("runs/unlucky/latest"))
}

fn await_that(holds: impl Fn() -> bool, seen: impl Fn() -> String) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {DEADLINE:?}; seen: {}", seen());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The run ends with a violation that names n2; returns its history.
fn assert_blames_n2(mut child: Child, directory: &Path, scratch: &Path) -> String {
    let code = child.wait().unwrap().code();
    let verdict = fs::read_to_string(scratch.join("verdict")).unwrap();
    let said = fs::read_to_string(scratch.join("said")).unwrap();
    assert_eq!(code, Some(1), "{said}\n{verdict}");
    assert!(verdict.contains("node crash") && verdict.contains("Node n2"), "{verdict}");
    fs::read_to_string(directory.join("history.jsonl")).unwrap()
}

#[test]
fn a_node_that_ends_by_itself_is_a_violation_whatever_is_done_to_it_later() {
    let scratch = tempfile::tempdir().unwrap();
    let run = format!("fallen-{}", std::process::id());
    let (child, directory) = start(scratch.path(), &run, UNLUCKY);
    let processes = processes_of(&run);
    let n2 = processes.iter().find(|process| process.command.contains("n2/node.yaml"));
    let n2 = n2.unwrap_or_else(|| panic!("n2 is not among {processes:?}")).pid;
    kill(Pid::from_raw(i32::try_from(n2).unwrap()), Signal::SIGABRT).unwrap();
    let history = assert_blames_n2(child, &directory, scratch.path());
    assert_eq!(history.matches("\"f\":\"crash\"").count(), 1, "a crash is told once");
    let exit = fs::read_to_string(directory.join("nodes/n2/exit")).unwrap();
    assert!(exit.contains("SIGABRT"), "{exit}");
    assert!(!history.contains("\"bit\":true"), "a fault took credit for a node that was gone");
    assert!(history.contains("\"at rest\":false"), "a cluster without n2 passed for one at rest");
}

#[test]
fn a_node_that_does_not_come_back_from_a_kill_is_a_violation() {
    let scratch = tempfile::tempdir().unwrap();
    let run = format!("gone-{}", std::process::id());
    let (child, directory) = start(scratch.path(), &run, UNLUCKY);
    fs::write(directory.join("nodes/n2/node.yaml"), "what a node cannot read").unwrap();
    let history = assert_blames_n2(child, &directory, scratch.path());
    let back = history.lines().find(|line| line.contains("after its restart")).unwrap();
    assert!(back.contains("exited with code 254"), "{back}");
}

#[test]
fn a_node_that_lost_its_disk_and_does_not_come_back_is_a_violation_and_is_not_waited_for() {
    let scratch = tempfile::tempdir().unwrap();
    let run = format!("wiped-{}", std::process::id());
    let (child, directory) = start(scratch.path(), &run, &UNLUCKY.replace("- kill:", "- wipe:"));
    fs::write(directory.join("nodes/n2/node.yaml"), "what a node cannot read").unwrap();
    let history = assert_blames_n2(child, &directory, scratch.path());
    let wipe = |line: &&str| line.contains("\"kind\":\"wipe\"") && line.contains("\"bit\":true");
    let end = history.lines().find(wipe).unwrap();
    assert!(end.contains("\"caught up\":\"never: it does not answer"), "{end}");
    assert!(history.contains("\"called off\":\"n2 has not caught up"), "another disk was taken");
}
