//! How long operations took: the few numbers that say it.
//!
//! Exact, by nearest rank over all latencies: the smallest that is not below the wanted share of
//! them. The interval log beside the report keeps three digits of each, for tools that merge.
//!
//! What is measured is service time, from invocation to completion. A client that waits for one
//! reply before it asks again asks less of a slow store, so these numbers flatter a stall
//! (*coordinated omission*); read `max`, and the chart over time, before `p99`.
//!
//! Source: Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996 (definition 1);
//! Tene, "How NOT to Measure Latency", 2013.

use serde::{Deserialize, Serialize};

/// Latencies in microseconds, rounded up so that nothing takes no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many were measured.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// Nine of ten took at most this long.
    pub p90: u64,
    /// 99 of a hundred.
    pub p99: u64,
    /// 999 of a thousand.
    #[serde(rename = "p99.9")]
    pub p999: u64,
    /// The slowest.
    pub max: u64,
}

impl Quantiles {
    /// Of latencies in nanoseconds, in any order. `None` when there are none.
    pub fn of(nanoseconds: &mut [u64]) -> Option<Quantiles> {
        nanoseconds.sort_unstable();
        let max = nanoseconds.last()?.div_ceil(1000);
        let at = |per_mille| nearest_rank(nanoseconds, per_mille).div_ceil(1000);
        Some(Quantiles {
            count: nanoseconds.len() as u64,
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p999: at(999),
            max,
        })
    }
}

/// The smallest of `sorted` that is not below `per_mille` thousandths of them. *Requires* some.
pub(crate) fn nearest_rank(sorted: &[u64], per_mille: usize) -> u64 {
    let rank = (sorted.len() * per_mille).div_ceil(1000).max(1);
    sorted[rank - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_each_quantile_is_its_rank() {
        let mut nanoseconds: Vec<u64> = (1..=1000).rev().map(|us| us * 1000).collect();
        let of = Quantiles::of(&mut nanoseconds).unwrap();
        let expected =
            Quantiles { count: 1000, p50: 500, p90: 900, p99: 990, p999: 999, max: 1000 };
        assert_eq!(of, expected);
    }

    #[test]
    fn of_one_they_are_all_that_one_and_of_none_there_are_none() {
        let of = Quantiles::of(&mut [1_500]).unwrap();
        assert_eq!((of.p50, of.p999, of.max), (2, 2, 2));
        assert_eq!(Quantiles::of(&mut []), None);
    }
}
