//! The asks outstanding on one connection, and for how long the other side has been silent.
//!
//! Silence is counted only while something is outstanding, from the later of the last frame heard
//! and the first ask after it: a connection nobody uses is not dead. Time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::CallError;
use super::message::Answer;

/// Where the answer to an ask is wanted.
pub(super) type Waiter = oneshot::Sender<Result<Answer, CallError>>;

/// The asks outstanding on one connection.
pub(super) struct Pending {
    waiters: HashMap<u64, Waiter>,
    next: u64,
    heard: Instant,
    /// When the other side began to owe us a sign of life.
    owed: Option<Instant>,
}

impl Pending {
    pub(super) fn new(now: Instant) -> Pending {
        Pending { waiters: HashMap::new(), next: 1, heard: now, owed: None }
    }

    /// Notes an ask; returns the number its answer will carry.
    pub(super) fn ask(&mut self, waiter: Waiter, now: Instant) -> u64 {
        let id = self.next;
        self.next += 1;
        self.waiters.insert(id, waiter);
        self.owed.get_or_insert(now);
        id
    }

    /// Notes an answer; returns who waits for it, unless they gave up.
    pub(super) fn answer(&mut self, id: u64, now: Instant) -> Option<Waiter> {
        self.heard = now;
        let waiter = self.waiters.remove(&id);
        self.owed = (!self.waiters.is_empty()).then_some(now);
        waiter
    }

    /// Forgets asks whose callers went away.
    pub(super) fn sweep(&mut self) {
        self.waiters.retain(|_, waiter| !waiter.is_closed());
    }

    /// How long since anything was heard.
    pub(super) fn quiet(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }

    /// For how long the other side has owed us a sign of life.
    pub(super) fn silent(&self, now: Instant) -> Duration {
        self.owed.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Tells everybody waiting that the connection is gone.
    pub(super) fn lose(&mut self) {
        for (_, waiter) in self.waiters.drain() {
            let _ = waiter.send(Err(CallError::Lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn an_idle_connection_is_not_silent() {
        let start = Instant::now();
        let pending = Pending::new(start);
        assert_eq!(pending.silent(start + ms(9000)), ms(0));
        assert_eq!(pending.quiet(start + ms(9000)), ms(9000));
    }

    #[test]
    fn silence_runs_from_the_first_ask_unanswered_or_the_last_answer() {
        let start = Instant::now();
        let mut pending = Pending::new(start);
        let (one, two) = (oneshot::channel().0, oneshot::channel().0);
        let first = pending.ask(one, start + ms(1000));
        pending.ask(two, start + ms(1200));
        assert_eq!(pending.silent(start + ms(1300)), ms(300));
        assert!(pending.answer(first, start + ms(1300)).is_some());
        assert_eq!(pending.silent(start + ms(1400)), ms(100), "the second is still owed");
        assert!(pending.answer(2, start + ms(1400)).is_some());
        assert_eq!(pending.silent(start + ms(9000)), ms(0), "nothing is owed");
    }

    #[test]
    fn a_caller_that_went_away_does_not_excuse_the_other_side() {
        let start = Instant::now();
        let mut pending = Pending::new(start);
        pending.ask(oneshot::channel().0, start);
        pending.sweep();
        assert!(pending.waiters.is_empty());
        assert_eq!(pending.silent(start + ms(600)), ms(600));
    }

    #[test]
    fn losing_the_connection_tells_everybody_once() {
        let mut pending = Pending::new(Instant::now());
        let (waiter, mut answer) = oneshot::channel();
        let id = pending.ask(waiter, Instant::now());
        pending.lose();
        assert_eq!(answer.try_recv(), Ok(Err(CallError::Lost)));
        assert!(pending.answer(id, Instant::now()).is_none());
    }
}
