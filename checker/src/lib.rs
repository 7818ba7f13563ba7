//! Judges recorded histories: no clock, no async, no randomness, no knowledge of any store.
//!
//! A run is recorded as a [`History`]: invocations and completions of clients, and what the nemesis
//! did, in real-time order. A [`Checker`] reads it and returns a [`Finding`]: a [`Verdict`], its
//! named anomalies, and for each the fewest operations that show it. The same history gives the
//! same findings, byte for byte, whatever machine reads it.
//!
//! ```text
//! history.jsonl --parse--> History --Checker::check--> Finding --worst wins--> Verdict
//!
//! judge::Linearizability    is there one order of all operations       source, cluster,
//!                           that respects real time?                   contradiction; search
//! judge::StaleReads         do reads see what was acknowledged before? staleness, overwrite
//! judge::Resurrection       does what was deleted stay away?           removal
//! judge::LostWrites         is it still there in the end?              durability, sibling, replica
//! judge::Convergence        do all replicas hold the same?             replica
//! judge::Availability      who answers on which side of a cut?          cut, sides, refusal
//! judge::Crashes            did every node live until it was asked to end?
//! judge::Quiescence         were the replicas at rest before they were read?
//! judge::Faults, Activity   was there anything to survive, and to judge?
//! judge::Reaping            were tombstones dropped, where that was to be survived?
//! ```
//!
//! Read `cluster` first for what a register with unique values can do wrong, then [`search`] for
//! everything else.

mod cluster;
mod contradiction;
mod cut;
mod durability;
mod explanation;
mod overwrite;
mod pairing;
mod prose;
mod refusal;
mod removal;
mod replacement;
mod replica;
mod set_pattern;
mod shrink;
mod sibling;
mod sides;
mod source;
mod staleness;
mod tally;

pub mod canonical;
pub mod event;
pub mod fault;
pub mod finding;
pub mod history;
pub mod judge;
pub mod keyspace;
pub mod model;
pub mod operation;
pub mod panel;
pub mod search;

pub use event::{Event, Function, Kind, Note, Process, Value};
pub use fault::FaultWindow;
pub use finding::{Anomaly, Checker, Finding, Verdict};
pub use history::{History, HistoryError};
pub use judge::{
    Activity, Availability, Convergence, Crashes, Faults, Linearizability, LostWrites, Quiescence,
    Reaping, Resurrection, StaleReads,
};
pub use keyspace::Keyspace;
pub use operation::{Operation, Outcome};
pub use panel::{check_all, for_history};
pub use search::Budget;
