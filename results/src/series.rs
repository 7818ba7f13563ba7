//! What happened when: the run cut into equal buckets of time, each with its counts and latencies.
//!
//! An operation falls into the bucket it was completed in, because that is when its client learnt
//! of it; one that never was falls into that of its invocation. Buckets are as wide as leaves about
//! a hundred and fifty of them, in widths one can say.

use checker::History;

use crate::quantiles::nearest_rank;
use crate::summary::{Counts, latency};
use crate::windows;

const MILLISECOND: u64 = 1_000_000;
const WIDTHS_MS: [u64; 12] =
    [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
const BUCKETS_MAX: u64 = 160;

/// The run, bucket by bucket.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// Width of every bucket, in nanoseconds.
    pub(crate) width: u64,
    /// From the beginning of the run to its last event, none left out.
    pub(crate) buckets: Vec<Bucket>,
}

/// One stretch of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// How the operations ended that ended here.
    pub(crate) counts: Counts,
    /// How long those took that ended `ok`.
    pub(crate) latency: Option<BucketLatency>,
}

/// Latencies of one bucket, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BucketLatency {
    /// The median.
    pub(crate) p50: u64,
    /// 99 of a hundred took at most this long.
    pub(crate) p99: u64,
    /// The slowest.
    pub(crate) max: u64,
}

impl Series {
    /// The run of `history`, cut into buckets.
    pub(crate) fn of(history: &History) -> Series {
        let last = windows::last_moment(history);
        let width = bucket_width(last);
        let mut buckets = vec![(Counts::default(), Vec::new()); (last / width) as usize + 1];
        for operation in history.operations() {
            let at = (operation.ended.unwrap_or(operation.began) / width) as usize;
            let (counts, latencies): &mut (Counts, Vec<u64>) = &mut buckets[at];
            counts.add(&operation.outcome);
            latencies.extend(latency(operation));
        }
        let finish = |(counts, latencies)| Bucket { counts, latency: BucketLatency::of(latencies) };
        Series { width, buckets: buckets.into_iter().map(finish).collect() }
    }

    /// Begin and end of bucket `at`, in nanoseconds since the run began.
    pub(crate) fn span(&self, at: usize) -> (u64, u64) {
        (at as u64 * self.width, (at as u64 + 1) * self.width)
    }

    /// `count` operations of one bucket as operations a second.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        count as f64 * 1e9 / self.width as f64
    }

    /// The width in words: `250 ms`, `1 s`.
    pub(crate) fn width_in_words(&self) -> String {
        match self.width / MILLISECOND {
            ms if ms < 1_000 => format!("{ms} ms"),
            ms => format!("{} s", ms as f64 / 1e3),
        }
    }
}

impl BucketLatency {
    fn of(mut nanoseconds: Vec<u64>) -> Option<BucketLatency> {
        nanoseconds.sort_unstable();
        let max = *nanoseconds.last()?;
        let at = |per_mille| nearest_rank(&nanoseconds, per_mille);
        Some(BucketLatency { p50: at(500), p99: at(990), max })
    }
}

/// The narrowest width that leaves few enough buckets, or the widest there is.
fn bucket_width(last: u64) -> u64 {
    let widths = WIDTHS_MS.iter().map(|ms| ms * MILLISECOND);
    let widest = WIDTHS_MS[WIDTHS_MS.len() - 1] * MILLISECOND;
    widths.into_iter().find(|width| last / width < BUCKETS_MAX).unwrap_or(widest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::{Event, Function, Kind, Process, Value};

    fn event(time_ms: u64, process: u32, kind: Kind) -> Event {
        Event {
            time: time_ms * MILLISECOND,
            process: Process::Client(process),
            kind,
            f: Function::Read,
            key: Some("register:1".to_owned()),
            value: Value::Nil,
            node: None,
            version: None,
            error: None,
        }
    }

    #[test]
    fn an_operation_falls_where_its_client_learnt_of_it() {
        let history = History::from_events(vec![
            event(0, 1, Kind::Invoke),
            event(4, 2, Kind::Invoke),
            event(12, 1, Kind::Ok),
            event(25, 3, Kind::Invoke),
            event(29, 3, Kind::Fail),
        ])
        .unwrap();
        let series = Series::of(&history);
        assert_eq!(series.width, 10 * MILLISECOND);
        let counts: Vec<_> = series.buckets.iter().map(|bucket| bucket.counts).collect();
        let count = |ok, fail, info| Counts { ok, fail, info };
        assert_eq!(counts, [count(0, 0, 1), count(1, 0, 0), count(0, 1, 0)]);
        assert_eq!(series.buckets[1].latency.unwrap().p50, 12 * MILLISECOND);
        assert_eq!(series.buckets[2].latency, None);
        assert!((series.per_second(3) - 300.0).abs() < 1e-9);
    }

    #[test]
    fn buckets_stay_few_however_long_the_run() {
        for last in [0, 1, 39_000, 600_000, 7_200_000] {
            let buckets = last * MILLISECOND / bucket_width(last * MILLISECOND);
            assert!(buckets < BUCKETS_MAX, "{buckets} for {last} ms");
        }
        assert_eq!(bucket_width(39_000 * MILLISECOND), 250 * MILLISECOND);
    }
}
