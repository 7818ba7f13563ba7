//! What a node counts of its own work, for `INFO`.

use std::sync::atomic::{AtomicU64, Ordering};

/// One count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a node counts of its own work.
#[derive(Debug, Default)]
pub struct Stats {
    /// Commands of clients.
    pub commands: Counter,
    /// Keys read with a quorum.
    pub reads: Counter,
    /// Keys written with a quorum.
    pub writes: Counter,
    /// Sibling updates handed to a primary.
    pub forwards: Counter,
    /// Replicas mended because a read found them behind.
    pub read_repairs: Counter,
    /// Register reads that wrote the value back before they replied.
    pub write_backs: Counter,
    /// Calls to a stand-in for a primary that was not reached.
    pub stand_ins: Counter,
    /// Quorums not reached.
    pub quorum_failures: Counter,
    /// Hints taken for nodes that did not acknowledge.
    pub hints_taken: Counter,
    /// Hints acknowledged by their owner.
    pub hints_replayed: Counter,
    /// Hints not taken, for lack of room.
    pub hints_dropped: Counter,
    /// Exchanges of Merkle trees finished.
    pub exchanges: Counter,
    /// Records that an exchange brought to either side.
    pub exchanged_records: Counter,
}

impl Stats {
    /// Every count but that of dropped hints, by name, in the order in which `INFO` shows them.
    pub fn all(&self) -> [(&'static str, u64); 12] {
        [
            ("total_commands_processed", self.commands.get()),
            ("quorum_reads", self.reads.get()),
            ("quorum_writes", self.writes.get()),
            ("forwards", self.forwards.get()),
            ("read_repairs", self.read_repairs.get()),
            ("write_backs", self.write_backs.get()),
            ("stand_ins", self.stand_ins.get()),
            ("quorum_failures", self.quorum_failures.get()),
            ("hints_taken", self.hints_taken.get()),
            ("hints_replayed", self.hints_replayed.get()),
            ("exchanges", self.exchanges.get()),
            ("exchanged_records", self.exchanged_records.get()),
        ]
    }
}
