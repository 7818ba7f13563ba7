//! The pictures of one small run, kept letter by letter.

use checker::{Anomaly, History};

use super::frame::Run;
use super::*;
use crate::series::Series;
use crate::windows;
use crate::witness::Layout;

/// A history with a stale read, a partition and three phases, one second long.
const RECORDED: &str = include_str!("../../testdata/stale-read.invalid.jsonl");

/// One element a line, so that a change shows where it is.
fn by_line(svg: &str) -> String {
    svg.replace("><", ">\n<")
}

fn recorded() -> History {
    History::parse(RECORDED.as_bytes()).unwrap()
}

#[test]
fn charts_over_time_show_counts_latencies_faults_and_phases() {
    let history = recorded();
    let (faults, phases) = (history.faults(), windows::phases(&history));
    let run = Run { last: windows::last_moment(&history), faults: &faults, phases: &phases };
    let series = Series::of(&history);
    let nodes = ["n1".to_owned(), "n2".to_owned(), "n3".to_owned()];
    insta::assert_snapshot!("fault-timeline", by_line(&fault_timeline(&nodes, run)));
    let throughput = throughput_over_time(&series, run);
    let bars = throughput.matches(r#"class="ok""#).count();
    assert_eq!((bars, throughput.matches(r#"class="info""#).count()), (5, 1));
    assert_eq!(throughput.matches(r#"class="band""#).count(), 1);
    let parts = latency_over_time(&series, run).matches(r#"class="line p99""#).count();
    assert_eq!(parts, 4, "five buckets, two of them neighbours");
}

#[test]
fn a_witness_is_drawn_in_the_order_it_happened() {
    let history = recorded();
    let anomaly = Anomaly {
        name: "stale read".to_owned(),
        key: None,
        witness: history.operations()[..5].to_vec(),
        because: String::new(),
    };
    let faults = history.faults();
    let run = Run { last: windows::last_moment(&history), faults: &faults, phases: &[] };
    insta::assert_snapshot!("interval", by_line(&interval_diagram(&Layout::of(&anomaly), run)));
}

#[test]
fn two_ticks_never_say_the_same() {
    let mut witness = recorded().operations()[..2].to_vec();
    let times = [(0, 1_000_000), (2_309_900_000, 2_310_100_000)];
    for (operation, (began, ended)) in witness.iter_mut().zip(times) {
        (operation.began, operation.ended) = (began, Some(ended));
    }
    let anomaly = Anomaly { name: String::new(), key: None, witness, because: String::new() };
    let run = Run { last: 3_000_000_000, faults: &[], phases: &[] };
    let drawn = interval_diagram(&Layout::of(&anomaly), run).replace('\u{202f}', " ");
    assert_eq!(drawn.matches(">+2.31 s<").count(), 1, "{drawn}");
    assert_eq!(drawn.matches(r#"class="tick""#).count(), 3, "{drawn}");
}

#[test]
fn an_empty_history_still_draws() {
    let history = History::from_events(Vec::new()).unwrap();
    let series = Series::of(&history);
    let run = Run { last: 0, faults: &[], phases: &[] };
    for drawn in [throughput_over_time(&series, run), latency_over_time(&series, run)] {
        assert!(drawn.ends_with("</svg>") && !drawn.contains("NaN"), "{drawn}");
    }
    assert!(!fault_timeline(&[], run).contains("NaN"));
    let nothing =
        Anomaly { name: String::new(), key: None, witness: vec![], because: String::new() };
    assert!(!interval_diagram(&Layout::of(&nothing), run).contains("NaN"));
}
