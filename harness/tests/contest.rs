//! The parts of the benchmark `cluster`, tested here because a benchmark has no harness, and a
//! small run of it on ours.

#![allow(dead_code, reason = "its parts are tested without the program around them")]

#[path = "../benches/cluster/contest/mod.rs"]
mod contest;

use clap::Parser as _;

#[test]
fn a_quick_contest_of_ours_alone_fills_every_row_and_leaves_nothing_behind() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let directory = scratch.path().to_str().expect("a path in UTF-8");
    let line = "cluster --quick --only cluster --system ours-register,ours-lww --clients 1,16";
    let arguments = line.split(' ').chain(["--dir", directory]);
    let report = contest::perform(&contest::Arguments::parse_from(arguments)).expect("a report");
    for durability in ["1s", "always"] {
        let heading = format!("### Operations a second, sync {durability}\n");
        assert!(report.contains(&heading), "{report}");
    }
    // Two durabilities, six loads, two policies; a line each for rates and for latencies.
    let rows = report.lines().filter(|line| line.contains("| ours, "));
    let rows: Vec<&str> = rows.filter(|line| line.contains(" client")).collect();
    assert_eq!(rows.len(), 48, "{report}");
    assert!(rows.iter().all(|row| !row.contains('–')), "{report}");
    let left = std::fs::read_dir(scratch.path()).expect("the directory is still there").count();
    assert_eq!(left, 0);
}
