//! The asks outstanding on one connection, and for how long the other side has been silent.
//!
//! Silence is counted only while something is outstanding, from the later of the last frame heard
//! and the first ask after it: a connection nobody uses is not dead. Time is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::CallError;
use super::message::Answer;

/// Who is told what became of an ask, once.
pub type Waiter = Box<dyn FnOnce(Result<Answer, CallError>) + Send>;

/// The asks outstanding on one connection.
pub(super) struct Pending {
    /// Each with the time until which it is waited for. Ascending by their numbers: the answer is most
    /// often to one of the first.
    waiters: BTreeMap<u64, (Instant, Waiter)>,
    next: u64,
    heard: Instant,
    /// When the other side began to owe us a sign of life.
    owed: Option<Instant>,
}

impl Pending {
    pub(super) fn new(now: Instant) -> Pending {
        Pending { waiters: BTreeMap::new(), next: 1, heard: now, owed: None }
    }

    /// Notes an ask, which is waited for until `deadline`; returns the number its answer will carry.
    pub(super) fn ask(&mut self, waiter: Waiter, deadline: Instant, now: Instant) -> u64 {
        let id = self.next;
        self.next += 1;
        self.waiters.insert(id, (deadline, waiter));
        self.owed.get_or_insert(now);
        id
    }

    /// Notes an answer; returns who waits for it, unless they gave up.
    pub(super) fn answer(&mut self, id: u64, now: Instant) -> Option<Waiter> {
        self.heard = now;
        let waiter = self.waiters.remove(&id);
        self.owed = (!self.waiters.is_empty()).then_some(now);
        waiter.map(|(_, waiter)| waiter)
    }

    /// Takes out those who have waited long enough; they are to be told so.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Waiter> {
        let late = self.waiters.extract_if(.., |_, (deadline, _)| *deadline <= now);
        late.map(|(_, (_, waiter))| waiter).collect()
    }

    /// How long since anything was heard.
    pub(super) fn quiet(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }

    /// For how long the other side has owed us a sign of life.
    pub(super) fn silent(&self, now: Instant) -> Duration {
        self.owed.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Takes out everybody waiting, for the connection is gone; they are to be told so.
    pub(super) fn lose(&mut self) -> Vec<Waiter> {
        std::mem::take(&mut self.waiters).into_values().map(|(_, waiter)| waiter).collect()
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

    fn nobody() -> Waiter {
        Box::new(|_| ())
    }

    #[test]
    fn silence_runs_from_the_first_ask_unanswered_or_the_last_answer() {
        let start = Instant::now();
        let mut pending = Pending::new(start);
        let first = pending.ask(nobody(), start + ms(9000), start + ms(1000));
        pending.ask(nobody(), start + ms(9000), start + ms(1200));
        assert_eq!(pending.silent(start + ms(1300)), ms(300));
        assert!(pending.answer(first, start + ms(1300)).is_some());
        assert_eq!(pending.silent(start + ms(1400)), ms(100), "the second is still owed");
        assert!(pending.answer(2, start + ms(1400)).is_some());
        assert_eq!(pending.silent(start + ms(9000)), ms(0), "nothing is owed");
    }

    #[test]
    fn a_caller_that_waited_long_enough_does_not_excuse_the_other_side() {
        let start = Instant::now();
        let mut pending = Pending::new(start);
        let [early, late] = [100, 200].map(|wait| pending.ask(nobody(), start + ms(wait), start));
        assert_eq!(pending.expire(start + ms(99)).len(), 0);
        assert_eq!(pending.expire(start + ms(100)).len(), 1);
        assert_eq!(pending.silent(start + ms(600)), ms(600));
        assert!(pending.answer(early, start + ms(600)).is_none(), "it was told that it is late");
        assert!(pending.answer(late, start + ms(600)).is_some());
    }

    #[test]
    fn losing_the_connection_concerns_everybody_once() {
        let mut pending = Pending::new(Instant::now());
        let id = pending.ask(nobody(), Instant::now(), Instant::now());
        assert_eq!(pending.lose().len(), 1);
        assert!(pending.answer(id, Instant::now()).is_none());
        assert!(pending.lose().is_empty());
    }
}
