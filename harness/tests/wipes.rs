//! Disks lost for good on a real cluster: never a second one before the first is made good, whatever
//! the plan says.

use std::io::BufReader;
use std::process::Command;

use checker::{FaultWindow, History};

/// Two nodes that would lose their disks again and again, at the same time.
const TWO_AT_ONCE: &str = "
suite: two-at-once
cluster:
  nodes: 3
  sync: always
  keyspaces:
    register: { policy: register, n: 3, r: 2, w: 2 }
    set: { policy: siblings, n: 3, r: 2, w: 2 }
workloads:
  - workload: { register: { keyspace: register } }
    clients: 4
    rate: 150
  - workload: { set: { keyspace: set, checkers: [lost-writes, convergence] } }
    clients: 2
    rate: 50
phases: { warm-up: 500ms, faults: 8s, recovery: 500ms, quiesce: 60s }
faults:
  - wipe: { nodes: [n1], every: 100ms, lasting: 500ms }
  - wipe: { nodes: [n2], every: 100ms, lasting: 500ms }
";

/// Runs the suite; returns its wipes, and what the run said.
fn wipes(seed: &str) -> (Vec<FaultWindow>, String) {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    std::fs::write(scratch.path().join("two.yaml"), TWO_AT_ONCE).expect("a suite");
    let output = Command::new(env!("CARGO_BIN_EXE_schism"))
        .args(["run", "two.yaml", "--seed", seed])
        .current_dir(scratch.path())
        .env("SCHISM_RUN", "wipes-test")
        .output()
        .expect("the binary can be started");
    let said =
        [output.stderr, output.stdout].map(|said| String::from_utf8_lossy(&said).into_owned());
    let said = said.concat();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let history = scratch.path().join("runs/two-at-once/latest/history.jsonl");
    let history = std::fs::File::open(history).expect("a history");
    let history = History::parse(BufReader::new(history)).expect("well-formed");
    (history.faults(), said)
}

#[test]
fn no_second_disk_is_lost_before_the_first_is_made_good() {
    let (wipes, said) = wipes("3");
    let mut struck: Vec<&FaultWindow> = wipes.iter().filter(|wipe| wipe.begin.is_some()).collect();
    struck.sort_by_key(|wipe| wipe.begin);
    assert!(struck.len() >= 3, "only {} disks were lost:\n{said}", struck.len());
    for pair in struck.windows(2) {
        assert!(pair[0].end.is_some_and(|end| Some(end) <= pair[1].begin), "{pair:?}\n{said}");
        assert!(pair[0].bit, "{pair:?}");
    }
    let planned_together =
        wipes.windows(2).any(|pair| pair[1].asked < pair[0].end && pair[0].nodes != pair[1].nodes);
    assert!(planned_together, "the plan kept them apart by itself: {wipes:?}");
    let held_back = wipes.iter().any(|wipe| wipe.called_off().is_some());
    assert!(held_back, "none was called off:\n{said}");
}
