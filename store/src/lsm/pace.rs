//! How fast compaction may write.
//!
//! A merge reads and writes as fast as the disk goes, and reads and syncs of clients stand in line
//! behind it. So its bytes are paced by a token bucket, kept as one time: the moment up to which what
//! was spent is paid for, at `rate` bytes a second.
//!
//! ```text
//! spent        |######|####|###########|
//! paid for     ------------now---------|->     the part after `now` is debt
//!                              burst---|       debt up to a burst is forgiven; what is over is waited for
//! ```
//!
//! Invariant: who waits as told has never written more than `rate * t + burst` in any time `t`.
//! Source: the "virtual scheduling" form of the generic cell rate algorithm, ITU-T I.371; RocksDB's
//! `GenericRateLimiter` is there for the same reason. The clock is the caller's.

use std::time::Duration;

/// How long one may write on at once after a pause: short enough that nobody stands in line for long.
const BURST: Duration = Duration::from_millis(50);
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Whether somebody waits for what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nobody: it is paced.
    Background,
    /// Writers, as level 0 is near its bound: it is not held back, and leaves no debt behind.
    Urgent,
}

/// A limit to bytes a second.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// `None` where there is no limit.
    bytes_per_second: Option<u64>,
    /// Up to when what was spent is paid for.
    paid_until: Duration,
}

impl Pace {
    /// At most so many bytes a second; without limit if `None`. None at all is taken for one.
    pub(super) fn new(bytes_per_second: Option<u64>) -> Pace {
        Pace {
            bytes_per_second: bytes_per_second.map(|rate| rate.max(1)),
            paid_until: Duration::ZERO,
        }
    }

    /// How long to wait before writing `bytes`, at the time `now` of any clock that does not go back.
    pub(super) fn spend(&mut self, now: Duration, bytes: u64, need: Need) -> Duration {
        let Some(rate) = self.bytes_per_second else { return Duration::ZERO };
        let before = self.paid_until.max(now);
        let after = before.saturating_add(price(bytes, rate));
        self.paid_until = match need {
            Need::Background => after,
            Need::Urgent => after.min(before.max(now.saturating_add(BURST))),
        };
        match need {
            Need::Background => after.saturating_sub(now).saturating_sub(BURST),
            Need::Urgent => Duration::ZERO,
        }
    }
}

/// How long `bytes` take at `rate` a second, not less.
fn price(bytes: u64, rate: u64) -> Duration {
    let nanos = (u128::from(bytes) * NANOS_PER_SECOND).div_ceil(u128::from(rate));
    let (seconds, rest) = (nanos / NANOS_PER_SECOND, nanos % NANOS_PER_SECOND);
    let seconds = u64::try_from(seconds).expect("bytes at one a second or more");
    Duration::new(seconds, u32::try_from(rest).expect("less than a second"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_is_free_and_what_follows_is_waited_for() {
        let mut pace = Pace::new(Some(1000));
        let now = Duration::from_secs(5);
        assert_eq!(pace.spend(now, 50, Need::Background), Duration::ZERO);
        assert_eq!(pace.spend(now, 100, Need::Background), Duration::from_millis(100));
        assert_eq!(
            pace.spend(now + Duration::from_millis(100), 10, Need::Background),
            Duration::from_millis(10)
        );
        assert_eq!(
            pace.spend(now + Duration::from_secs(9), 50, Need::Background),
            Duration::ZERO,
            "a burst again"
        );
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let mut pace = Pace::new(None);
        assert_eq!(pace.spend(Duration::ZERO, u64::MAX, Need::Background), Duration::ZERO);
        assert_eq!(pace.spend(Duration::ZERO, u64::MAX, Need::Background), Duration::ZERO);
    }

    #[test]
    fn the_urgent_neither_waits_nor_makes_others_pay_for_it() {
        let mut pace = Pace::new(Some(1000));
        assert_eq!(pace.spend(Duration::ZERO, 1_000_000, Need::Urgent), Duration::ZERO);
        // The burst is used up, and no more than that.
        assert_eq!(pace.spend(Duration::ZERO, 10, Need::Background), Duration::from_millis(10));
        // A debt there was before is not forgiven by urgency.
        assert_eq!(pace.spend(Duration::ZERO, 90, Need::Background), Duration::from_millis(100));
        assert_eq!(pace.spend(Duration::ZERO, 90, Need::Urgent), Duration::ZERO);
        assert_eq!(pace.spend(Duration::ZERO, 1, Need::Background), Duration::from_millis(101));
    }

    #[test]
    fn no_rate_and_no_amount_overflows() {
        for rate in [0, 1, u64::MAX] {
            let mut pace = Pace::new(Some(rate));
            for _ in 0..3 {
                pace.spend(Duration::MAX, u64::MAX, Need::Background);
                pace.spend(Duration::MAX, u64::MAX, Need::Urgent);
            }
        }
    }

    proptest! {
        #[test]
        fn in_no_window_is_more_written_than_the_rate_and_a_burst(
            rate in 1..10_000_000_u64,
            writes in prop::collection::vec((0..5_000_000_u64, 0..400_u64), 1..40),
        ) {
            let mut pace = Pace::new(Some(rate));
            let mut now = Duration::ZERO;
            // When each write began, after its wait, and how many bytes it had.
            let mut written = Vec::new();
            for (bytes, pause_ms) in writes {
                now += Duration::from_millis(pause_ms);
                let asked = now;
                now += pace.spend(now, bytes, Need::Background);
                written.push((asked, now, u128::from(bytes)));
            }
            for (first, &(from, ..)) in written.iter().enumerate() {
                let mut sum = 0;
                for &(_, to, bytes) in &written[first..] {
                    sum += bytes;
                    let allowed = u128::from(rate) * (to.saturating_sub(from) + BURST).as_nanos() / NANOS_PER_SECOND;
                    prop_assert!(sum <= allowed, "{sum} bytes where {allowed} are allowed");
                }
            }
        }

        #[test]
        fn nobody_waits_longer_than_the_bytes_before_and_of_it_take(
            rate in 1..10_000_000_u64, writes in prop::collection::vec(0..5_000_000_u64, 1..40),
        ) {
            let mut pace = Pace::new(Some(rate));
            let mut sum = 0;
            for bytes in writes {
                sum += bytes;
                let wait = pace.spend(Duration::ZERO, bytes, Need::Background);
                let most = price(sum, rate) + Duration::from_nanos(40);
                prop_assert!(wait <= most.saturating_sub(BURST), "{wait:?} for {sum} bytes");
            }
        }
    }
}
