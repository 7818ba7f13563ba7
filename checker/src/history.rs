//! All events of a run in real-time order, invocations paired with their completions.

use std::io::BufRead;

use crate::event::{Event, Kind, Process};
use crate::operation::{Operation, Outcome};

/// All events of a run in real-time order. Well-formed by construction: every process is
/// single-threaded, times never decrease, and a completion answers the invocation before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    events: Vec<Event>,
    operations: Vec<Operation>,
}

/// Why a file is not a history. Lines count from one.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file could not be read.
    #[error("line {line}: {source}")]
    Read {
        /// Line reached.
        line: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not an event.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line.
        line: usize,
        /// Column, from one.
        column: usize,
        /// What was found, and what was expected.
        message: String,
    },
    /// An event cannot follow those before it.
    #[error("line {line}: {message}")]
    Order {
        /// Line.
        line: usize,
        /// Which rule it breaks.
        message: String,
    },
}

impl History {
    /// Reads JSON lines.
    pub fn parse(reader: impl BufRead) -> Result<History, HistoryError> {
        let mut events = Vec::new();
        for (at, line) in reader.lines().enumerate() {
            let line = line.map_err(|source| HistoryError::Read { line: at + 1, source })?;
            let event = serde_json::from_str(&line).map_err(|error| HistoryError::Syntax {
                line: at + 1,
                column: error.column(),
                message: error.to_string(),
            })?;
            events.push(event);
        }
        History::from_events(events)
    }

    /// Pairs events that are already in real-time order.
    pub fn from_events(events: Vec<Event>) -> Result<History, HistoryError> {
        let mut open = std::collections::BTreeMap::<u32, usize>::new();
        let mut operations: Vec<Operation> = Vec::new();
        for (at, event) in events.iter().enumerate() {
            let Process::Client(process) = event.process else { continue };
            if event.kind == Kind::Invoke {
                open.insert(process, operations.len());
                operations.push(Operation {
                    process,
                    f: event.f.clone(),
                    key: event.key.clone(),
                    argument: event.value.clone(),
                    outcome: Outcome::Info,
                    invoked: at,
                    completed: None,
                    began: event.time,
                    ended: None,
                    node: event.node.clone(),
                    version: None,
                });
                continue;
            }
            let Some(slot) = open.remove(&process) else {
                let message = format!("process {process} completes what it never invoked");
                return Err(HistoryError::Order { line: at + 1, message });
            };
            let operation = &mut operations[slot];
            operation.completed = Some(at);
            operation.ended = Some(event.time);
            operation.version.clone_from(&event.version);
            operation.outcome = match event.kind {
                Kind::Ok => Outcome::Ok(event.value.clone()),
                Kind::Fail => Outcome::Fail,
                Kind::Info | Kind::Invoke => Outcome::Info,
            };
        }
        Ok(History { events, operations })
    }

    /// Every event, in real-time order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Every client operation, by invocation.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }
}
