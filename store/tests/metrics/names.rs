//! Every metric says what it is and in what it is measured, as Prometheus asks for.
//!
//! Source: Prometheus, "Metric and label naming" and "Writing client libraries".

use std::collections::BTreeSet;

use super::site::Site;

/// Words for what ought to be a base unit, or is said by the type.
const SHUNNED: [&str; 16] = [
    "ms",
    "millis",
    "milliseconds",
    "us",
    "micros",
    "microseconds",
    "nanos",
    "minutes",
    "kb",
    "mb",
    "kilobytes",
    "percent",
    "count",
    "number",
    "total",
    "histogram",
];

/// What all metrics may be measured in; those without are counts of what their name says.
const UNITS: [&str; 3] = ["bytes", "seconds", "ratio"];

#[tokio::test]
async fn a_collector_is_told_what_it_reads() {
    let site = Site::start().await;
    let (head, body) = site.collect().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert!(head.contains(kind), "{head}");
    assert!(body.contains("\nschism_node_info{version=\""), "{body}");
    let metrics = site.metrics().await;
    assert!(metrics.families.values().all(|family| !family.samples.is_empty()), "{body}");
}

#[tokio::test]
async fn every_metric_has_a_help_text_of_its_own_and_its_unit_in_its_name() {
    let metrics = Site::start().await.metrics().await;
    let mut helps = BTreeSet::new();
    for (name, family) in &metrics.families {
        let help = family.help.as_str();
        assert!(
            help.ends_with('.') && help.split(' ').count() > 2,
            "{name} is said to be {help:?}"
        );
        assert!(helps.insert(help), "{name} is not told apart by {help:?}");
        assert!(name.starts_with("schism_") || name.starts_with("process_"), "whose is {name}?");
        let words: Vec<&str> = name.split('_').collect();
        let shunned = words.iter().find(|word| SHUNNED.contains(word));
        assert_eq!(shunned, None, "{name} is no name for a metric");
        let named: Vec<_> = words.iter().filter(|word| UNITS.contains(word)).collect();
        let unit: Vec<_> = family.unit.iter().collect();
        assert_eq!(named, unit, "{name} is not measured in what its name says");
        assert!(named.is_empty() || UNITS.contains(words.last().unwrap()), "{name}");
    }
    let timed = metrics.families.iter().filter(|(_, family)| family.kind == "histogram");
    assert!(timed.clone().count() > 0 && timed.into_iter().all(|(it, _)| it.ends_with("_seconds")));
}
