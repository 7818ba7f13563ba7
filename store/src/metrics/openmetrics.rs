//! Metrics as the text a Prometheus reads.
//!
//! Names, suffixes and escapes are the library's business; ours is only which of its verbs says which
//! of our readings. Source: the OpenMetrics specification, version 1.0.0.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{self, Registry};

use super::{Labels, Metric, Number, Readings, Spread};

/// What the text is, for the header of a reply.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `metrics` as OpenMetrics text, to its `# EOF`.
pub fn text(metrics: Vec<Metric>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Reading(metrics)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a string takes all");
    text
}

/// What the library asks for when it writes.
#[derive(Debug)]
struct Reading(Vec<Metric>);

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|metric| write(metric, &mut encoder))
    }
}

fn write(metric: &Metric, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let Metric { name, unit, help, readings, .. } = metric;
    let unit = unit.word().map(|word| registry::Unit::Other(word.to_owned()));
    let mut out = encoder.encode_descriptor(name, help, unit.as_ref(), kind(readings))?;
    match readings {
        Readings::Counter(all) => each(all, &mut out, |number, out| match number {
            Number::Whole(count) => out.encode_counter(count, NO_EXEMPLAR),
            Number::Real(measure) => out.encode_counter(measure, NO_EXEMPLAR),
        }),
        Readings::Gauge(all) => each(all, &mut out, |number, out| match number {
            Number::Whole(count) => out.encode_gauge(count),
            Number::Real(measure) => out.encode_gauge(measure),
        }),
        Readings::Histogram(all) => each(all, &mut out, |spread: &Spread, out| {
            let (sum, count) = (spread.sum.as_secs_f64(), spread.count());
            out.encode_histogram::<NoLabelSet>(sum, count, &spread.buckets, None)
        }),
        Readings::Info(labels) => out.encode_info(labels),
    }
}

/// Exemplars point from a count to a trace, and we have no traces.
const NO_EXEMPLAR: Option<&Exemplar<NoLabelSet, f64>> = None;

fn kind(readings: &Readings) -> MetricType {
    match readings {
        Readings::Counter(_) => MetricType::Counter,
        Readings::Gauge(_) => MetricType::Gauge,
        Readings::Histogram(_) => MetricType::Histogram,
        Readings::Info(_) => MetricType::Info,
    }
}

fn each<T>(
    all: &[(Labels, T)],
    out: &mut MetricEncoder<'_>,
    write: impl Fn(&T, &mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    all.iter().try_for_each(|(labels, reading)| match labels.as_slice() {
        [] => write(reading, out),
        _ => write(reading, &mut out.encode_family(labels)?),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::{Histogram, Unit};

    #[test]
    fn each_kind_has_its_form() {
        let label = |value: &str| vec![("peer", value.to_owned())];
        let histogram = Histogram::default();
        histogram.record(Duration::from_millis(1));
        histogram.record(Duration::from_secs(11));
        let metrics = vec![
            Metric::counter("a", "Counted.").reads(u64::MAX),
            Metric::gauge("b", "Bytes.").unit(Unit::Bytes).reads_for(label("n\"2\\"), 1.5),
            Metric::gauge("c", "Nobody there."),
            Metric::info("d", "Words.", label("n1")),
            Metric::histogram("e", "Times.").spreads_for(label("n1"), histogram.read()),
        ];
        let text = text(metrics);
        let buckets = text.lines().filter(|line| line.starts_with("e_seconds_bucket")).count();
        assert_eq!(buckets, 18, "{text}");
        let wanted = [
            "# HELP a Counted.\n# TYPE a counter\na_total 18446744073709551615\n",
            "# HELP b_bytes Bytes.\n# TYPE b_bytes gauge\n# UNIT b_bytes bytes\n\
             b_bytes{peer=\"n\\\"2\\\\\"} 1.5\n",
            "# HELP c Nobody there.\n# TYPE c gauge\n# HELP d",
            "# TYPE d info\nd_info{peer=\"n1\"} 1\n",
            "e_seconds_sum{peer=\"n1\"} 11.001\ne_seconds_count{peer=\"n1\"} 2\n",
            "e_seconds_bucket{le=\"0.0005\",peer=\"n1\"} 0\n",
            "e_seconds_bucket{le=\"0.001\",peer=\"n1\"} 1\n",
            "e_seconds_bucket{le=\"+Inf\",peer=\"n1\"} 2\n# EOF\n",
        ];
        for part in wanted {
            assert!(text.contains(part), "no {part} in\n{text}");
        }
    }
}
