//! The one timebase of a run: nanoseconds since it began, on the monotonic clock of the system.
//!
//! Every time in a history, a histogram or a report comes from here, so that any two of them can be
//! subtracted. The wall clock names run directories and nothing else: it may step backwards, and the
//! clock faults of a nemesis make it do so.

use std::time::{Duration, Instant};

/// Nanoseconds since a run began. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts at zero, now.
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Nanoseconds since the start; never less than an earlier answer.
    pub fn now(&self) -> u64 {
        u64::try_from(self.elapsed().as_nanos()).expect("a run is shorter than five centuries")
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
