//! Whole runs, rendered: what is written, that it says what the run says, and that it is the same
//! when written again. The pages are left under the target directory, to be looked at.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::sample::{self, Run};
use checker::{Event, Operation, Outcome, Verdict};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use results::{LatencyLog, RunDirectory, render_again, render_all};

/// Where the pages of the sample runs are left.
fn gallery(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("gallery").join(name);
    let _ = fs::remove_dir_all(&path);
    path
}

fn rendered(name: &str, run: &Run) -> (RunDirectory, results::Summary) {
    let root = gallery(name);
    let info = &run.info;
    let dir = RunDirectory::create(&root, &info.suite, info.started, info.seed).unwrap();
    fs::write(dir.history(), json_lines(run.history.events())).unwrap();
    let summary = render_all(&dir, info, &run.history, &run.findings).unwrap();
    (dir, summary)
}

fn json_lines(events: &[Event]) -> String {
    events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect()
}

#[test]
fn a_valid_run_of_twelve_faults_is_rendered_and_rendered_again_alike() {
    let run = sample::valid(7, 38, 850);
    assert!(run.history.operations().len() > 20_000, "{}", run.history.operations().len());
    let (dir, summary) = rendered("valid", &run);
    assert_eq!((summary.verdict, summary.faults.len()), (Verdict::Valid, 12));
    let files = [
        dir.findings(),
        dir.summary(),
        dir.report_html(),
        dir.report_md(),
        dir.junit(),
        dir.latency_log(),
    ];
    let before = files.clone().map(|file| fs::read(file).unwrap());
    let (again, _) = render_again(&dir).unwrap();
    assert_eq!(again, summary);
    for (file, before) in files.iter().zip(before) {
        assert_eq!(fs::read(file).unwrap(), before, "{}", file.display());
    }
    let page = fs::read_to_string(dir.report_html()).unwrap();
    assert!(page.len() < 600_000, "a page one can send: {} bytes", page.len());
}

#[test]
fn a_page_fetches_nothing_and_runs_nothing() {
    let (dir, _) = rendered("offline", &sample::invalid(3, 10, 200));
    let page = fs::read_to_string(dir.report_html()).unwrap();
    for outside in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_page_of_an_invalid_run_shows_its_witness() {
    let (dir, summary) = rendered("invalid", &sample::invalid(11, 20, 600));
    assert_eq!(summary.verdict, Verdict::Invalid);
    let page = fs::read_to_string(dir.report_html()).unwrap();
    for part in ["stale read of register:7", "R2 read → 41 @n1", "However R2 returned 41"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_crowded_witness_is_cut_and_the_rest_counted() {
    let mut run = sample::invalid(11, 20, 600);
    let during_fault = run.history.faults()[3].begin.unwrap();
    let of_key = |operation: &&Operation| operation.key.as_deref() == Some("set:3");
    let operations = run.history.operations().iter().filter(of_key);
    let witness = operations.filter(|operation| operation.began > during_fault).take(30);
    let anomaly = &mut run.findings[0].anomalies[0];
    anomaly.witness = witness.cloned().collect();
    let (dir, _) = rendered("crowded", &run);
    for file in [dir.report_html(), dir.report_md()] {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("6 operations more, in"), "{}", file.display());
        assert!(text.matches("→ ").count() >= 24, "{}", file.display());
    }
}

#[test]
fn an_anomaly_without_a_witness_is_told_in_words_alone() {
    let mut run = sample::invalid(11, 20, 600);
    let anomaly = &mut run.findings[0].anomalies[0];
    anomaly.witness.clear();
    anomaly.because = "Node n2 was running, and nobody had asked it to end.".to_owned();
    let (dir, _) = rendered("crash", &run);
    let page = fs::read_to_string(dir.report_html()).unwrap();
    let section = page.split(r#"<section class="anomaly">"#).nth(1).unwrap();
    let section = section.split("</section>").next().unwrap();
    assert!(section.contains("nobody had asked it to end"), "{section}");
    for part in ["<figure", "<svg", "<table", "Times count"] {
        assert!(!section.contains(part), "{part}: {section}");
    }
}

#[test]
fn what_a_fault_was_measured_by_is_never_json() {
    let (dir, summary) = rendered("evidence", &sample::valid(7, 10, 200));
    assert!(summary.faults.iter().any(|fault| fault.evidence.contains_key("by link")));
    for (file, parts) in
        [(dir.report_html(), r#"<span class="parts">"#), (dir.report_md(), "<sub>")]
    {
        let text = fs::read_to_string(&file).unwrap();
        for json in ["{\"", "{&#34;", "{&quot;"] {
            assert!(!text.contains(json), "{}", file.display());
        }
        assert!(text.contains(&format!("{parts}by link: n")), "{}", file.display());
    }
}

#[test]
fn an_unknown_run_is_not_called_valid() {
    let (dir, summary) = rendered("unknown", &sample::unknown(5, 10, 200));
    assert_eq!(summary.verdict, Verdict::Unknown);
    let page = fs::read_to_string(dir.report_html()).unwrap();
    assert!(page.contains("<h1>Unknown"), "{}", &page[..200]);
    assert!(fs::read_to_string(dir.junit()).unwrap().contains("<error"));
}

#[test]
fn nothing_a_run_wrote_becomes_part_of_the_page() {
    let hostile = "<script>alert('1')</script>]]>";
    let mut run = sample::invalid(3, 10, 200);
    run.info.suite = hostile.to_owned();
    run.info.repeat = hostile.to_owned();
    run.info.nodes.push(hostile.to_owned());
    run.findings[0].summary = hostile.to_owned();
    let anomaly = &mut run.findings[0].anomalies[0];
    anomaly.key = Some(hostile.to_owned());
    anomaly.because = hostile.to_owned();
    anomaly.witness[0].node = Some(hostile.to_owned());
    let (dir, _) = rendered("hostile", &run);
    for file in [dir.report_html(), dir.report_md(), dir.junit()] {
        let text = fs::read_to_string(&file).unwrap();
        let fenced = text.replace(&format!("```sh\n{hostile}\n```"), "");
        assert!(!fenced.contains("<script"), "{}", file.display());
        assert!(fenced.contains("&lt;script"), "{}", file.display());
    }
}

#[test]
fn a_latency_log_read_back_counts_every_ok_operation_once() {
    let run = sample::valid(7, 10, 400);
    let log = LatencyLog::of(&run.history).encode(run.info.started).unwrap();
    let mut expected = BTreeMap::<String, (u64, u64)>::new();
    for operation in run.history.operations() {
        if let Outcome::Ok(_) = operation.outcome {
            let keyspace = operation.key.as_deref().unwrap().split(':').next().unwrap();
            let slot = expected.entry(format!("{keyspace}.{}", operation.f)).or_default();
            slot.0 += 1;
            slot.1 = slot.1.max(operation.ended.unwrap() - operation.began);
        }
    }
    let found = read_back(&log);
    assert_eq!(expected.len(), 5, "two functions a keyspace and the final reads: {expected:?}");
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (tag, (count, max_ms)) in found {
        assert_eq!(count, expected[&tag].0, "{tag}");
        let off = max_ms / (expected[&tag].1 as f64 / 1e6);
        assert!((0.998..1.002).contains(&off), "{tag}: {max_ms} ms is off by {off}");
    }
}

/// Count and maximum in milliseconds of each tag, by the reader of the format's own crate.
fn read_back(log: &[u8]) -> BTreeMap<String, (u64, f64)> {
    let mut found = BTreeMap::<String, (u64, f64)>::new();
    for entry in IntervalLogIterator::new(log) {
        let LogEntry::Interval(interval) = entry.unwrap() else { continue };
        let decoded = base64(interval.encoded_histogram());
        let histogram: Histogram<u64> =
            Deserializer::new().deserialize(&mut decoded.as_slice()).unwrap();
        let slot = found.entry(interval.tag().unwrap().as_str().to_owned()).or_default();
        slot.0 += histogram.len();
        slot.1 = slot.1.max(interval.max());
    }
    found
}

/// Just enough of RFC 4648 to look inside a log.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes().filter(|&letter| letter != b'=') {
        let digit = ALPHABET.iter().position(|&known| known == letter).unwrap();
        held = held << 6 | u32::try_from(digit).unwrap();
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}
