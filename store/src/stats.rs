//! What a node counts of its own work: each count declared once, with the words that explain it.
//!
//! A line below makes the field that code adds to, the metric a Prometheus reads, and the field of
//! `INFO`; the comment over it is the help text of the metric. So none can be counted and not shown.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::{Metric, Section, Unit};

/// One count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.add_all(1);
    }

    /// So many more.
    pub fn add_all(&self, count: u64) {
        // Relaxed: the count is exact, and orders nothing else.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counts {
    ($($(#[doc = $help:literal])+ $field:ident: $metric:literal, $section:ident $info:literal $(, $unit:ident)?;)*) => {
        /// What a node counts of its own work.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[doc = $help])+ pub $field: Counter,)*
        }

        impl Stats {
            /// Every count, in the order in which `INFO` shows them.
            pub fn metrics(&self) -> Vec<Metric> {
                vec![$(
                    Metric::counter($metric, concat!($($help),+).trim_ascii_start())
                        $(.unit(Unit::$unit))?
                        .reads(self.$field.get())
                        .shown(Section::$section, $info),
                )*]
            }
        }
    };
}

counts! {
    /// Commands of clients that reached the node; those of a connection alone, as PING, do not.
    commands: "schism_commands", Stats "total_commands_processed";
    /// Keys read with a quorum: an MGET of three is three.
    reads: "schism_quorum_reads", Stats "quorum_reads";
    /// Keys written with a quorum, deletes included.
    writes: "schism_quorum_writes", Stats "quorum_writes";
    /// Sibling updates handed to a primary, for this node is none of the key.
    forwards: "schism_forwards", Stats "forwards";
    /// Replicas mended because a read found them behind.
    read_repairs: "schism_read_repairs", Stats "read_repairs";
    /// Register reads that wrote the value back before they replied, lest a later read miss it.
    write_backs: "schism_write_backs", Stats "write_backs";
    /// Calls to a stand-in, in the stead of a primary that was down, silent or refused.
    stand_ins: "schism_stand_ins", Stats "stand_ins";
    /// Calls to a replica that a read had spared, for another was slow or failed.
    hedges: "schism_hedges", Stats "hedges";
    /// Reads and writes that ended without their quorum.
    quorum_failures: "schism_quorum_failures", Stats "quorum_failures";
    /// Hints taken for nodes that did not acknowledge a write.
    hints_taken: "schism_hints_taken", Stats "hints_taken";
    /// Hints their owner has acknowledged since.
    hints_replayed: "schism_hints_replayed", Stats "hints_replayed";
    /// Hints not taken for lack of room, or kept for too long: only anti-entropy brings these writes to
    /// their owner.
    hints_dropped: "schism_hints_dropped", Replication "hints_dropped";
    /// Tombstones that this node has forgotten, for every replica had them and nothing needs them.
    tombstones_reaped: "schism_tombstones_reaped", Stats "tombstones_reaped";
    /// Rounds in which no tombstone could be forgotten, for a member was away, or kept hints.
    reaping_failures: "schism_reaping_failures", Stats "reaping_failures";
    /// Exchanges of Merkle trees with another node that were finished.
    exchanges: "schism_merkle_exchanges", Stats "exchanges";
    /// Records that an exchange brought to either side: what hints and repairs had missed.
    exchanged_records: "schism_merkle_exchanged_records", Stats "exchanged_records";
    /// Bytes of the messages by which trees were compared and mended, whoever began it.
    exchange_sent_bytes: "schism_merkle_exchange_sent", Stats "exchange_sent_bytes", Bytes;
    /// Bytes that came from others for the same.
    exchange_received_bytes: "schism_merkle_exchange_received", Stats "exchange_received_bytes", Bytes;
}
