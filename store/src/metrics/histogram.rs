//! How long requests took, in buckets, counted without a lock.
//!
//! The buckets are for a store: 50 us is a read from memory on one node, 10 s is longer than any
//! deadline in its senses; between them each bound is 2 or 2.5 times the one below, so that a
//! quantile read from them is off by at most that, wherever a disk or a network puts it.
//!
//! A request costs two relaxed additions. (The histogram of the client library takes a lock for each,
//! which every request of the node would share.) A reading may miss the sum of a request whose bucket
//! it has seen: a millionth of a second among hours.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets in microseconds, included; one more bucket takes the rest.
const BOUNDS_MICROS: [u64; 17] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// How long requests took.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Requests by bucket, each counted in its own only.
    counts: [AtomicU64; BOUNDS_MICROS.len() + 1],
    /// All together. Wraps after centuries of waiting, which a reader takes for a new start.
    nanos: AtomicU64,
}

/// What a [`Histogram`] holds at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Upper bound in seconds, ascending to infinity, and how many ended within it and not below.
    pub buckets: Vec<(f64, u64)>,
    /// How long all took together.
    pub sum: Duration,
}

impl Histogram {
    /// One more, which took so long.
    pub fn record(&self, took: Duration) {
        let nanos = took.as_nanos() as u64;
        let bucket = BOUNDS_MICROS.partition_point(|bound| bound * 1_000 < nanos);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
    }

    /// What was recorded so far.
    pub fn read(&self) -> Spread {
        let bounds = BOUNDS_MICROS.iter().map(|&micros| micros as f64 / 1e6);
        let counts = self.counts.iter().map(|count| count.load(Relaxed));
        Spread {
            buckets: bounds.chain([f64::INFINITY]).zip(counts).collect(),
            sum: Duration::from_nanos(self.nanos.load(Relaxed)),
        }
    }
}

impl Spread {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Place of the bucket, counted from the lowest.
    fn bucket_of(took: Duration) -> usize {
        let histogram = Histogram::default();
        histogram.record(took);
        let spread = histogram.read();
        assert_eq!((spread.count(), spread.sum), (1, took));
        spread.buckets.iter().position(|(_, count)| *count == 1).unwrap()
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_it_closes() {
        let micros = Duration::from_micros;
        let found = [0, 50, 51, 100, 10_000_000, 10_000_001].map(|took| bucket_of(micros(took)));
        assert_eq!(found, [0, 0, 1, 1, 16, 17]);
        assert_eq!(bucket_of(Duration::from_nanos(50_001)), 1);
    }

    #[test]
    fn bounds_are_told_in_seconds() {
        let bounds: Vec<String> = Histogram::default()
            .read()
            .buckets
            .iter()
            .map(|(bound, _)| bound.to_string())
            .collect();
        assert_eq!(bounds[..3], ["0.00005", "0.0001", "0.00025"]);
        assert_eq!(bounds[15..], ["5", "10", "inf"]);
    }

    #[test]
    fn bounds_rise_by_no_more_than_two_and_a_half() {
        for pair in BOUNDS_MICROS.windows(2) {
            assert!(pair[0] < pair[1] && 2 * pair[1] <= 5 * pair[0], "{pair:?}");
        }
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let histogram = Histogram::default();
        std::thread::scope(|scope| {
            for thread in 1..=4 {
                let histogram = &histogram;
                scope.spawn(move || {
                    (0..1000).for_each(|_| histogram.record(Duration::from_micros(thread)));
                });
            }
        });
        let spread = histogram.read();
        assert_eq!((spread.count(), spread.sum), (4000, Duration::from_millis(10)));
    }
}
