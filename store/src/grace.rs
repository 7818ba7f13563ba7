//! Waiting for what was under way: a grace period ends when all that was entered before it is over.
//!
//! ```text
//! entered    a ──────────┐
//!                 b ─────┼──┐
//! grace period      [----|--]        a and b are waited for
//!                     c ─┼──┼────    c came later, and is not
//! ```
//!
//! Work that may carry an old copy of a record (a request, an exchange) is entered here while it lasts.
//! Who has made sure that no new work can find such a copy waits for one grace period, and knows then
//! that nobody has one in hand. Nothing is held up by it.
//!
//! Source: McKenney and Slingwine, "Read-Copy Update: Using Execution History to Solve Concurrency
//! Problems", PDCS 1998.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What is under way.
#[derive(Debug, Default)]
pub struct Grace {
    generations: Mutex<Generations>,
    over: Notify,
}

/// How much is under way of what was entered between two grace periods.
#[derive(Debug)]
struct Generations {
    /// Number of the oldest that is counted.
    first: u64,
    /// From the oldest to that which is entered now.
    open: VecDeque<usize>,
}

impl Default for Generations {
    fn default() -> Generations {
        Generations { first: 0, open: VecDeque::from([0]) }
    }
}

impl Generations {
    fn enter(&mut self) -> u64 {
        *self.open.back_mut().expect("one is entered now") += 1;
        self.first + self.open.len() as u64 - 1
    }

    fn leave(&mut self, generation: u64) {
        self.open[(generation - self.first) as usize] -= 1;
        while self.open.len() > 1 && self.open[0] == 0 {
            self.open.pop_front();
            self.first += 1;
        }
    }

    /// Begins a new one; the grace period is over when those before it are.
    fn next(&mut self) -> u64 {
        self.open.push_back(0);
        let next = self.first + self.open.len() as u64 - 1;
        // Makes a place for it at once where nothing is under way.
        self.enter();
        self.leave(next);
        next
    }
}

/// Work under way; over when this is dropped.
#[derive(Debug)]
pub struct Entered {
    grace: Arc<Grace>,
    generation: u64,
}

impl Grace {
    /// Begins some work.
    pub fn enter(self: &Arc<Grace>) -> Entered {
        Entered { grace: self.clone(), generation: self.lock().enter() }
    }

    /// Waits until all is over that was entered before.
    pub async fn passed(&self) {
        let next = self.lock().next();
        loop {
            let over = self.over.notified();
            if self.lock().first >= next {
                return;
            }
            over.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut generations = self.grace.lock();
        let first = generations.first;
        generations.leave(self.generation);
        if generations.first > first {
            self.grace.over.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_was_entered_before_is_waited_for_and_nothing_else() {
        let grace = Arc::new(Grace::default());
        grace.passed().await;
        let (one, other) = (grace.enter(), grace.enter());
        let mut passed = Box::pin(grace.passed());
        assert!(passed.as_mut().now_or_never().is_none());
        let late = grace.enter();
        drop(one);
        assert!(passed.as_mut().now_or_never().is_none(), "the other is still under way");
        drop(other);
        passed.await;
        drop(late);
        grace.passed().await;
    }

    #[tokio::test]
    async fn grace_periods_may_overlap() {
        let grace = Arc::new(Grace::default());
        let first = grace.enter();
        let mut one = Box::pin(grace.passed());
        assert!(one.as_mut().now_or_never().is_none());
        let second = grace.enter();
        let mut two = Box::pin(grace.passed());
        assert!(two.as_mut().now_or_never().is_none());
        drop(second);
        assert!(two.as_mut().now_or_never().is_none(), "the first is older still");
        drop(first);
        one.await;
        two.await;
    }
}
