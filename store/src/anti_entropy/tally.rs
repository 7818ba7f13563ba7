//! What an exchange came to.

use std::ops::AddAssign;

/// What an exchange came to, counted at the node that began it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Hashes of trees that the other side sent.
    pub hashes: u64,
    /// Keys that either side listed because their bucket differed.
    pub listed: u64,
    /// Keys of which both sides held different records, or one none.
    pub differing: u64,
    /// Records fetched from the other side, and joined with the own.
    pub received: u64,
    /// Records sent to the other side, because they say more than its own.
    pub sent: u64,
    /// Keys that the other side would not give or take, or gave unreadable; and buckets that one side
    /// could not list. They were left out, and may still differ.
    pub refused: u64,
    /// Bytes of all messages to the other side, frames and their numbers left out.
    pub sent_bytes: u64,
    /// Bytes of all messages from it.
    pub received_bytes: u64,
}

impl Tally {
    /// Every count, by the name a client reads.
    pub fn all(&self) -> [(&'static str, u64); 8] {
        [
            ("hashes", self.hashes),
            ("listed", self.listed),
            ("differing", self.differing),
            ("received", self.received),
            ("sent", self.sent),
            ("refused", self.refused),
            ("sent_bytes", self.sent_bytes),
            ("received_bytes", self.received_bytes),
        ]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.hashes += other.hashes;
        self.listed += other.listed;
        self.differing += other.differing;
        self.received += other.received;
        self.sent += other.sent;
        self.refused += other.refused;
        self.sent_bytes += other.sent_bytes;
        self.received_bytes += other.received_bytes;
    }
}
