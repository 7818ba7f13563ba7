//! Latencies second by second, in the interval log that HdrHistogram's tools read.
//!
//! ```text
//! #[Histogram log format version 1.3]
//! #[StartTime: 1795352701.000 (seconds since epoch)]
//! #[BaseTime: 1795352701.000 (seconds since epoch)]
//! #[MaxValueDivisor: 1000000.000]
//! Tag=register.read,0.000,1.000,2.113,HISTFAAAA…       V2, deflated, base64
//! ```
//!
//! One histogram a second, workload and function, of operations that ended `ok` in that second.
//! Values are nanoseconds kept to three digits; `Interval_Max` is in milliseconds, and so is what
//! the tools print, whose own divisor is a million too. An operation that failed has no latency
//! worth a quantile: it is counted elsewhere.
//!
//! Source: HistogramLogWriter of HdrHistogram (Gil Tene), log format 1.3.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use checker::{Function, History};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use jiff::Timestamp;

use crate::summary::latency;
use crate::wording;

const SECOND: u64 = 1_000_000_000;
const NANOSECONDS_A_MILLISECOND: f64 = 1e6;
const DIGITS: u8 = 3;

/// Latencies of one run in nanoseconds, by the second they ended in and by tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencyLog {
    intervals: BTreeMap<(u64, String), Vec<u64>>,
}

/// Why a log could not be written. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("encode the latency log: {0}")]
pub struct LatencyLogError(String);

impl LatencyLog {
    /// The latencies of every operation of `history` that ended `ok`.
    pub fn of(history: &History) -> LatencyLog {
        let mut measured = BTreeMap::<(u64, &str, &Function), Vec<u64>>::new();
        for operation in history.operations() {
            let (Some(latency), Some(ended)) = (latency(operation), operation.ended) else {
                continue;
            };
            let of = (ended / SECOND, wording::workload(operation), &operation.f);
            measured.entry(of).or_default().push(latency);
        }
        let tagged = measured.into_iter().map(|((second, workload, function), latencies)| {
            ((second, tag(workload, &function.to_string())), latencies)
        });
        LatencyLog { intervals: tagged.collect() }
    }

    /// The log as text, its seconds counted from `started`.
    pub fn encode(&self, started: Timestamp) -> Result<Vec<u8>, LatencyLogError> {
        let mut bytes = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let started = SystemTime::from(started);
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .with_base_time(started)
            .with_start_time(started)
            .with_max_value_divisor(NANOSECONDS_A_MILLISECOND)
            .begin_log_with(&mut bytes, &mut serializer)
            .map_err(|error| LatencyLogError(error.to_string()))?;
        let mut histogram = Histogram::<u64>::new(DIGITS).expect("three digits are allowed");
        for ((second, tag), latencies) in &self.intervals {
            histogram.reset();
            for &latency in latencies {
                histogram.record(latency).expect("it grows to hold what it is given");
            }
            log.write_histogram(
                &histogram,
                Duration::from_secs(*second),
                Duration::from_secs(1),
                Tag::new(tag),
            )
            .map_err(|error| LatencyLogError(format!("{error:?}")))?;
        }
        Ok(bytes)
    }
}

/// `register.read`, without what would end a tag early.
fn tag(workload: &str, function: &str) -> String {
    format!("{workload}.{function}").replace([',', ' ', '\t', '\r', '\n'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_end_its_tag_early() {
        assert_eq!(tag("a,b c\nd", "read"), "a_b_c_d.read");
    }

    #[test]
    fn the_log_says_when_it_began() {
        let log = LatencyLog::default().encode("2026-11-22T13:05:01Z".parse().unwrap()).unwrap();
        let text = String::from_utf8(log).unwrap();
        assert!(text.contains("#[StartTime: 1795352701.000 "), "{text}");
        assert!(text.contains("#[BaseTime: 1795352701.000 "), "{text}");
    }
}
