//! What people and CI servers read, from recorded histories: every word of it is kept here.
//!
//! The histories were recorded once, so their times are part of the data, not of this machine.

use std::io::BufReader;
use std::path::Path;

use crate::sample::{self, finding, info};
use checker::{Anomaly, Finding, History, Operation, Verdict};
use results::{Paint, Summary, junit, markdown, verdict_text};

fn recorded(name: &str) -> History {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    History::parse(BufReader::new(std::fs::File::open(path).unwrap())).unwrap()
}

struct Case {
    summary: Summary,
    findings: Vec<Finding>,
}

fn case(suite: &str, history: &History, findings: Vec<Finding>) -> Case {
    let mut info = info(suite, 7);
    info.nodes.truncate(3);
    Case { summary: Summary::new(&info, history, &findings), findings }
}

fn healthy() -> Case {
    let findings = vec![
        finding(
            "linearizability",
            Some("register"),
            Verdict::Valid,
            "1 key, 4 operations: a legal order exists",
            vec![],
        ),
        finding(
            "lost writes",
            Some("set"),
            Verdict::Valid,
            "1 key, 2 acknowledged elements: all were read at the end",
            vec![],
        ),
    ];
    case("smoke", &recorded("healthy.valid.jsonl"), findings)
}

/// The history holds the four operations of the anomaly, and two that do not matter.
fn stale_read() -> Case {
    let history = recorded("stale-read.invalid.jsonl");
    let of_key = |operation: &&Operation| operation.key.as_deref() == Some("register:7");
    let anomaly = Anomaly {
        name: "stale read".to_owned(),
        key: Some("register:7".to_owned()),
        witness: history.operations().iter().filter(of_key).cloned().collect(),
        because: sample::because(),
    };
    let findings = vec![
        finding(
            "linearizability",
            Some("register"),
            Verdict::Invalid,
            "2 keys, 6 operations: 1 key has no legal order",
            vec![anomaly],
        ),
        finding("lost writes", Some("set"), Verdict::Valid, "nothing was added", vec![]),
    ];
    case("stale-reads", &history, findings)
}

fn toothless() -> Case {
    let findings = vec![
        finding(
            "linearizability",
            Some("register"),
            Verdict::Valid,
            "1 key, 4 operations: a legal order exists",
            vec![],
        ),
        finding(
            "faults",
            None,
            Verdict::Unknown,
            "1 of 1 faults left no evidence that it took effect: fault 1, a partition of n1 from n2 \
             and n3, dropped no packet",
            vec![],
        ),
    ];
    case("smoke", &recorded("toothless.unknown.jsonl"), findings)
}

fn on_terminal(case: &Case, paint: Paint) -> String {
    let report = Path::new("runs/smoke/latest/report.html");
    verdict_text(&case.summary, &case.findings, report, paint)
}

#[test]
fn a_valid_verdict_is_short() {
    insta::assert_snapshot!(on_terminal(&healthy(), Paint::Plain));
}

#[test]
fn an_invalid_verdict_shows_its_witness() {
    insta::assert_snapshot!(on_terminal(&stale_read(), Paint::Plain));
}

#[test]
fn an_unknown_verdict_says_what_was_not_judged() {
    insta::assert_snapshot!(on_terminal(&toothless(), Paint::Plain));
}

#[test]
fn colours_change_no_word() {
    let painted = on_terminal(&stale_read(), Paint::Ansi);
    let mut plain = painted.clone();
    for code in ["0", "1", "2", "1;31", "1;32", "1;33"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_ne!(painted, plain);
    assert_eq!(plain, on_terminal(&stale_read(), Paint::Plain));
}

#[test]
fn a_job_summary_of_a_stale_read() {
    let case = stale_read();
    insta::assert_snapshot!(markdown(&case.summary, &case.findings));
}

#[test]
fn a_job_summary_of_a_healthy_run() {
    let case = healthy();
    insta::assert_snapshot!(markdown(&case.summary, &case.findings));
}

#[test]
fn a_broken_promise_is_a_failure_to_a_ci_server() {
    let case = stale_read();
    insta::assert_snapshot!(junit(&case.summary, &case.findings).unwrap());
}

#[test]
fn what_could_not_be_judged_is_an_error_to_a_ci_server() {
    let case = toothless();
    insta::assert_snapshot!(junit(&case.summary, &case.findings).unwrap());
}

#[test]
fn the_run_in_numbers() {
    insta::assert_json_snapshot!(healthy().summary);
}

/// What the checkers themselves find in a recorded history.
fn judged(name: &str) -> Case {
    let history = recorded(name);
    let findings = checker::check_all(&history, &checker::for_history(&history));
    case("recorded", &history, findings)
}

#[test]
fn what_the_checkers_find_is_told_whole() {
    let case = judged("stale-read.invalid.jsonl");
    let text = on_terminal(&case, Paint::Plain);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let anomalies: Vec<_> = case.findings.iter().flat_map(|finding| &finding.anomalies).collect();
    assert!(!anomalies.is_empty(), "{text}");
    for anomaly in anomalies {
        assert!(words(&text).contains(&words(&anomaly.because)), "{text}");
        assert!(!anomaly.witness.is_empty(), "{}", anomaly.name);
    }
    for name in ["W1  2 ", "W2  5 ", "R1  3 "] {
        assert!(text.contains(name), "{name}: {text}");
    }
}
