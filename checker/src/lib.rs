//! Judges recorded histories: no clock, no async, no randomness, no knowledge of any store.

pub mod event;
pub mod fault;
pub mod finding;
pub mod history;
pub mod keyspace;
pub mod model;
pub mod operation;
mod pairing;
pub mod search;

pub use event::{Event, Function, Kind, Note, Process, Value};
pub use fault::FaultWindow;
pub use finding::{Anomaly, Checker, Finding, Verdict};
pub use history::{History, HistoryError};
pub use keyspace::Keyspace;
pub use operation::{Operation, Outcome};
