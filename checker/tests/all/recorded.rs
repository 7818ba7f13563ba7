//! Recorded histories, each named by what it shows and how it must be judged.
//!
//! `<what it shows>.<verdict>.jsonl`: the panel that [`checker::for_history`] picks must come to this
//! verdict. Histories named `strict-set-…` are judged for what a linearizable set promises instead.
//! What the panel says, in canonical words, is kept as a snapshot beside the test.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use checker::{
    Budget, Checker, Finding, History, Linearizability, StaleReads, Verdict, canonical, check_all,
    for_history,
};

fn recorded() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "jsonl")).collect();
    files.sort();
    files
}

fn load(path: &Path) -> History {
    let file = BufReader::new(File::open(path).unwrap());
    History::parse(file).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `("set-lost-add", "invalid")`.
fn named(path: &Path) -> (String, String) {
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let (name, verdict) = stem.split_once('.').expect("<what it shows>.<verdict>.jsonl");
    (name.to_owned(), verdict.to_owned())
}

fn judge(name: &str, history: &History) -> Vec<Finding> {
    let panel: Vec<Box<dyn Checker>> = if name.starts_with("strict-set") {
        vec![Box::new(Linearizability::set("set")), Box::new(StaleReads::new("set"))]
    } else {
        for_history(history, &Budget::default())
    };
    check_all(history, &panel)
}

fn told(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let keyspace = finding.keyspace.as_deref().unwrap_or("all");
        lines.push(format!("{} of {keyspace}: {}", finding.checker, finding.verdict));
        lines.push(format!("  {}", finding.summary));
        for anomaly in &finding.anomalies {
            lines.push(format!("  * {} (witness: {})", anomaly.name, anomaly.witness.len()));
            lines.push(format!("    {}", anomaly.because));
        }
    }
    lines.join("\n")
}

#[test]
fn every_recorded_history_is_judged_as_its_name_says() {
    let files = recorded();
    assert!(files.len() >= 40, "only {} recorded histories", files.len());
    for path in files {
        let (name, verdict) = named(&path);
        let findings = judge(&name, &load(&path));
        let worst = Verdict::worst(findings.iter().map(|finding| finding.verdict));
        assert_eq!(worst.to_string(), verdict, "{name}:\n{}", told(&findings));
        for finding in findings {
            let shown = !finding.anomalies.is_empty();
            assert_eq!(shown, finding.verdict == Verdict::Invalid, "{name}: {finding:#?}");
        }
    }
}

#[test]
fn what_is_said_of_recorded_histories_is_worth_reading() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        for path in recorded() {
            let (name, verdict) = named(&path);
            let findings = judge(&name, &canonical::rename(&load(&path)));
            insta::assert_snapshot!(format!("{name}.{verdict}"), told(&findings));
        }
    });
}

#[test]
fn renaming_changes_no_verdict_and_is_done_once() {
    for path in recorded() {
        let (name, _) = named(&path);
        let history = load(&path);
        let renamed = canonical::rename(&history);
        let verdicts = |history: &History| -> Vec<Verdict> {
            judge(&name, history).iter().map(|finding| finding.verdict).collect()
        };
        assert_eq!(verdicts(&history), verdicts(&renamed), "{name}");
        assert_eq!(canonical::rename(&renamed), renamed, "{name}");
    }
}

#[test]
fn a_witness_alone_is_judged_invalid_too() {
    for path in recorded() {
        let (name, _) = named(&path);
        for finding in judge(&name, &load(&path)) {
            for anomaly in finding.anomalies {
                let alone = judge(&name, &canonical::replay(&anomaly.witness));
                let again: Vec<&str> =
                    alone.iter().flat_map(|f| &f.anomalies).map(|a| a.name.as_str()).collect();
                assert!(!again.is_empty(), "{name}: {anomaly:#?}");
                // A set's reply shows more elements than the one that matters, whose adds are not
                // in the witness: alone it can be guilty of more.
                if name.starts_with("register") {
                    assert!(
                        again.contains(&anomaly.name.as_str()),
                        "{name}: {again:?} {anomaly:#?}"
                    );
                }
            }
        }
    }
}
