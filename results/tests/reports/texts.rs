//! What people and CI servers read, from recorded histories: every word of it is kept here.
//!
//! The histories were recorded once, so their times are part of the data, not of this machine.

use std::io::BufReader;
use std::path::Path;

use crate::sample::{self, finding, info};
use checker::{Anomaly, Finding, History, Operation, Verdict};
use results::{Paint, Summary, findings_text, junit, markdown, verdict_text};

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

/// What `crashes` says of a node that ended by itself: there are no operations to show.
fn crash(node: &str) -> Anomaly {
    Anomaly {
        name: "node crash".to_owned(),
        key: None,
        witness: vec![],
        because: format!(
            "Node {node} was running, and nobody had asked it to end; 0.500 s into the run it exited \
             with code 101. Its last words were: the log is gone"
        ),
    }
}

/// Broken in three ways: ten stale reads that two checkers found alike, a lost write behind them,
/// and two nodes that ended by themselves.
fn broken_in_three_ways() -> Case {
    let stale = stale_read().findings.swap_remove(0).anomalies.swap_remove(0);
    let of_key = |number: u64| Anomaly { key: Some(format!("register:{number}")), ..stale.clone() };
    let stale_reads: Vec<_> = (1..=10).map(of_key).collect();
    let lost = Anomaly {
        name: "lost acknowledged write".to_owned(),
        because: "W1 = process 2 writes 41 at n1 was acknowledged, and no replica has it."
            .to_owned(),
        witness: stale.witness[..1].to_vec(),
        ..stale
    };
    let broken = |checker, keyspace, summary, anomalies| {
        finding(checker, keyspace, Verdict::Invalid, summary, anomalies)
    };
    let tally = "16 keys, 1 501 operations: 6 never stale, 10 broken";
    let register = Some("register");
    let findings = vec![
        broken("linearizability", register, "16 keys: 10 broken", stale_reads.clone()),
        broken("stale-reads", register, tally, stale_reads),
        broken("lost-writes", register, "16 keys: 1 broken", vec![lost]),
        broken("crashes", None, "2 nodes ended by themselves", vec![crash("n2"), crash("n3")]),
    ];
    case("smoke", &recorded("stale-read.invalid.jsonl"), findings)
}

fn crashed() -> Case {
    let summary = "1 node ended by itself";
    let findings = vec![finding("crashes", None, Verdict::Invalid, summary, vec![crash("n2")])];
    case("smoke", &recorded("healthy.valid.jsonl"), findings)
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
fn a_terminal_shows_each_way_a_run_is_broken_once() {
    insta::assert_snapshot!(on_terminal(&broken_in_three_ways(), Paint::Plain));
}

#[test]
fn a_job_summary_shows_eight_anomalies_and_counts_the_rest() {
    let case = broken_in_three_ways();
    let text = markdown(&case.summary, &case.findings);
    let titles: Vec<_> = text.lines().filter(|line| line.starts_with("### ")).collect();
    let stale = [1, 2, 3, 4, 5].map(|key| format!("### stale read of register:{key}"));
    let lost = "### lost acknowledged write of register:7";
    let crash = "### node crash";
    let [first, second, rest @ ..] = stale.each_ref().map(String::as_str);
    assert_eq!(titles, [&[first, lost, crash, second, crash], &rest[..]].concat());
    assert!(text.contains("\n\nAnd 5 more stale reads, in findings.json.\n"), "{text}");
    assert!(text.contains("Found by linearizability and stale-reads (register)."), "{text}");
}

#[test]
fn findings_without_a_run_point_at_no_file() {
    let text = findings_text(&broken_in_three_ways().findings, Paint::Plain);
    assert!(!text.contains("findings.json"), "{text}");
    assert!(
        text.ends_with("And 9 more stale reads and 1 more node crash, in the findings as JSON.\n")
    );
}

#[test]
fn a_crash_is_told_in_words_alone() {
    let case = crashed();
    let (terminal, page) =
        (on_terminal(&case, Paint::Plain), markdown(&case.summary, &case.findings));
    for text in [&terminal, &page] {
        assert!(!text.contains("\n\n\n"), "{text}");
        assert!(!text.contains("process"), "no table of operations: {text}");
    }
    insta::assert_snapshot!(terminal);
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
    let findings =
        checker::check_all(&history, &checker::for_history(&history, &checker::Budget::default()));
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
