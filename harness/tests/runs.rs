//! Whole runs on real clusters: healthy ones are cleared, broken promises are found, and what a run
//! leaves behind is enough to judge it again.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Five nodes under everything the nemesis knows, in a few seconds.
const BRISK: &str = "
suite: brisk
cluster:
  nodes: 5
  sync: 50ms
  keyspaces:
    register: { policy: register, n: 3, r: 2, w: 2 }
    set: { policy: siblings, n: 3, r: 2, w: 2 }
workloads:
  - workload: { register: { keyspace: register } }
    clients: 4
    rate: 150
  - workload: { set: { keyspace: set } }
    clients: 2
    rate: 50
phases: { warm-up: 500ms, faults: 5s, recovery: 500ms, quiesce: 60s }
faults:
  - partition: { shapes: [halves, one-way], every: 400ms, lasting: 700ms }
  - kill: { every: 700ms, lasting: 500ms }
  - pause: { every: 700ms, lasting: 500ms }
";

fn schism(arguments: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_schism"))
        .args(arguments)
        .current_dir(directory)
        .env("SCHISM_RUN", "runs-test")
        .output()
        .expect("the binary can be started")
}

/// Both streams of an ended command, for the reader of a failure.
fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}\n{}", String::from_utf8_lossy(err), String::from_utf8_lossy(out))
}

fn brisk(scratch: &Path, seed: &str) -> Output {
    std::fs::write(scratch.join("brisk.yaml"), BRISK).expect("a suite");
    schism(&["run", "brisk.yaml", "--seed", seed], scratch)
}

fn latest(scratch: &Path, suite: &str) -> PathBuf {
    let link = scratch.join("runs").join(suite).join("latest");
    link.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", link.display()))
}

#[test]
fn a_healthy_cluster_under_every_fault_is_valid_and_leaves_a_whole_run_behind() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let output = brisk(scratch.path(), "11");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let run = latest(scratch.path(), "brisk");
    for name in [
        "plan.yaml",
        "history.jsonl",
        "findings.json",
        "summary.json",
        "report.html",
        "report.md",
        "junit.xml",
        "latency.hlog",
        "nodes/n1/node.log",
        "nodes/n5/exit",
    ] {
        let length = std::fs::metadata(run.join(name)).map(|file| file.len());
        assert!(length.is_ok_and(|length| length > 0), "{name} is missing or empty");
    }
    let history = std::fs::read_to_string(run.join("history.jsonl")).expect("a history");
    let bites = history.lines().filter(|line| line.contains("\"bit\":true")).count();
    assert!(bites >= 5, "only {bites} faults left evidence");
    assert!(said(&output).contains("--seed 11"), "{}", said(&output));
}

#[test]
fn a_run_is_judged_again_from_its_directory_alone_byte_for_byte() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let output = brisk(scratch.path(), "12");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let run = latest(scratch.path(), "brisk");
    let findings = std::fs::read(run.join("findings.json")).expect("findings");
    std::fs::remove_file(run.join("findings.json")).expect("removed");
    std::fs::remove_file(run.join("report.html")).expect("removed");
    let path = run.to_string_lossy().into_owned();
    let again = schism(&["report", &path], scratch.path());
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert_eq!(std::fs::read(run.join("findings.json")).expect("findings"), findings);
    assert!(run.join("report.html").exists());
    assert_eq!(schism(&["check", &path], scratch.path()).status.code(), Some(0));
}

#[test]
fn a_replay_follows_the_same_plan() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    assert_eq!(brisk(scratch.path(), "13").status.code(), Some(0));
    let first = latest(scratch.path(), "brisk");
    let output = schism(&["replay", &first.to_string_lossy()], scratch.path());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let second = latest(scratch.path(), "brisk");
    assert_ne!(first, second);
    let plan = |run: &Path| std::fs::read_to_string(run.join("plan.yaml")).expect("a plan");
    assert_eq!(plan(&first), plan(&second));
}

#[test]
fn one_replica_that_answers_alone_is_found_out() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let output = schism(&["demo", "--seed", "3"], scratch.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("stale read") && text.contains("Invalid."), "{text}");
}

/// A register whose quorums are sloppy, held to the promise of one whose quorums are strict.
const SLOPPY: &str = "
suite: sloppy
cluster:
  nodes: 5
  sync: 50ms
  keyspaces:
    register: { policy: register, n: 5, r: 2, w: 2, quorum: sloppy }
workloads:
  - workload: { register: { keyspace: register, checkers: [majority-availability] } }
    clients: 10
    placement: per-node
    rate: 200
phases: { warm-up: 500ms, faults: 6s, recovery: 500ms, quiesce: 60s }
faults:
  - partition: { groups: [[n1, n2], [n3, n4, n5]], every: 500ms, lasting: 3s }
";

#[test]
fn a_minority_that_answers_is_found_out() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    std::fs::write(scratch.path().join("sloppy.yaml"), SLOPPY).expect("a suite");
    let output = schism(&["run", "sloppy.yaml", "--seed", "5"], scratch.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("answer without a majority"), "{text}");
}

/// One replica may acknowledge alone, and loses its disk while it is cut off.
const ONE_DISK: &str = "
suite: one-disk
cluster:
  nodes: 3
  sync: always
  keyspaces:
    set: { policy: siblings, n: 3, r: 1, w: 1 }
workloads:
  - workload: { set: { keyspace: set, checkers: [lost-writes] } }
    clients: 6
    placement: per-node
    rate: 300
phases: { warm-up: 500ms, faults: 7s, recovery: 500ms, quiesce: 60s }
faults:
  - partition: { groups: [[n1], [n2, n3]], every: 200ms, lasting: 2s }
  - wipe: { nodes: [n1], every: 1s, lasting: 200ms }
";

#[test]
fn what_one_disk_alone_acknowledged_is_lost_with_it_and_the_wipe_leaves_its_evidence() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    std::fs::write(scratch.path().join("one-disk.yaml"), ONE_DISK).expect("a suite");
    let output = schism(&["run", "one-disk.yaml", "--seed", "5"], scratch.path());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("lost acknowledged"), "{text}");
    let run = latest(scratch.path(), "one-disk");
    let history = std::fs::read_to_string(run.join("history.jsonl")).expect("a history");
    let wipes: Vec<&str> = history
        .lines()
        .filter(|line| line.contains("\"kind\":\"wipe\"") && line.contains("\"bit\":true"))
        .collect();
    assert!(!wipes.is_empty(), "no wipe left evidence:\n{text}");
    for wipe in wipes {
        for seen in [
            "was killed by signal 9",
            "\"files removed\":",
            "\"entries on disk at the restart\":0",
            "\"ms until it answered\":",
            "\"ms until it had caught up\":",
        ] {
            assert!(wipe.contains(seen), "{seen} is not in {wipe}");
        }
    }
}
