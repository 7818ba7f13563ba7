//! How long a verdict may take: the clock that the checker does not have.
//!
//! The search for an order is exponential in the worst case. Its counted budgets end it at the same
//! configuration on every machine; a person waiting, or a pipeline with a limit, counts in seconds
//! instead. So a thread sleeps until time is up and then raises the flag that every search heeds.
//! What was not decided by then is `Unknown`: a slow machine may know less, but never the opposite.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use checker::Budget;

/// What the judges of one history may use, from now on. Dropped, it is no longer counted.
pub(crate) struct TimeBudget {
    budget: Budget,
    /// Nothing is ever sent: its end is what the sleeping thread hears.
    _counting: Sender<()>,
}

impl TimeBudget {
    /// Starts to count: in `allowed` from now, time is up.
    pub(crate) fn start(allowed: Duration) -> TimeBudget {
        let flag = Arc::new(AtomicBool::new(allowed.is_zero()));
        let budget = Budget { stop: Some(Arc::clone(&flag)), ..Budget::default() };
        let (counting, dropped) = mpsc::channel();
        std::thread::spawn(move || {
            if dropped.recv_timeout(allowed) == Err(RecvTimeoutError::Timeout) {
                flag.store(true, Ordering::Relaxed);
            }
        });
        TimeBudget { budget, _counting: counting }
    }

    /// The budget that ends with it.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_up(budget: &Budget) -> bool {
        budget.stop.as_ref().expect("it has a flag").load(Ordering::Relaxed)
    }

    #[test]
    fn time_is_up_at_once_later_or_never() {
        assert!(is_up(TimeBudget::start(Duration::ZERO).budget()));

        let later = TimeBudget::start(Duration::from_millis(20));
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !is_up(later.budget()) {
            assert!(std::time::Instant::now() < deadline, "20 ms passed a thousand times");
            std::thread::yield_now();
        }

        let long = TimeBudget::start(Duration::from_hours(1));
        let budget = long.budget().clone();
        drop(long);
        assert!(!is_up(&budget), "a verdict that came in time is not told that it did not");
    }
}
