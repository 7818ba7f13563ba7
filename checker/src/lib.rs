//! Judges recorded histories: no clock, no async, no randomness, no knowledge of any store.
//!
//! A run is recorded as a [`History`]: invocations and completions of clients, and what the nemesis
//! did, in real-time order. A [`Checker`] reads it and returns a [`Finding`]: a [`Verdict`], its
//! named anomalies, and for each the fewest operations that show it. The same history gives the
//! same findings, byte for byte, whatever machine reads it.
//!
//! ```text
//! history.jsonl --parse--> History --Checker::check--> Finding --worst wins--> Verdict
//! ```

pub mod event;
pub mod fault;
pub mod finding;
pub mod history;
pub mod operation;

pub use event::{Event, Function, Kind, Note, Process, Value};
pub use fault::FaultWindow;
pub use finding::{Anomaly, Checker, Finding, Verdict};
pub use history::{History, HistoryError};
pub use operation::{Operation, Outcome};
