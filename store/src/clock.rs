//! The wall clock: the one place where the store asks what time it is in the world.
//!
//! Only the policy `lww` believes it, and only because that is what it is there to show. Deadlines
//! and silences are measured by the monotonic clock and do not pass through here.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time in the world.
pub trait Clock: Send + Sync + 'static {
    /// Microseconds since 1970, as this node believes.
    fn micros(&self) -> u64;
}

/// The system's clock.
pub struct WallClock;

impl Clock for WallClock {
    fn micros(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}
