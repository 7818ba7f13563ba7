//! All events of a run in real-time order, invocations paired with their completions.
//!
//! A history is well-formed by construction: whatever breaks the rules of the `pairing` module is
//! refused with its line, because a checker that guesses what a recorder meant proves nothing.
//! An empty file is an empty history; a last line cut short is told apart from a malformed one, for
//! it is what a recorder leaves that was killed in the middle of a line.

use std::collections::BTreeSet;
use std::io::BufRead;

use crate::event::Event;
use crate::fault::{self, FaultWindow};
use crate::operation::Operation;
use crate::pairing::Pairing;

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
    /// The last line has no end: whoever wrote it was stopped in the middle of it.
    #[error("line {line}: the file is truncated here, in the middle of an event")]
    Truncated {
        /// Line.
        line: usize,
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
    pub fn parse(mut reader: impl BufRead) -> Result<History, HistoryError> {
        let mut pairing = Pairing::default();
        let mut events = Vec::new();
        let mut text = Vec::new();
        for line in 1.. {
            text.clear();
            let read = reader.read_until(b'\n', &mut text);
            if read.map_err(|source| HistoryError::Read { line, source })? == 0 {
                break;
            }
            let event = parse_line(line, &text)?;
            pairing.push(&event).map_err(|message| HistoryError::Order { line, message })?;
            events.push(event);
        }
        Ok(History { events, operations: pairing.into_operations() })
    }

    /// Pairs events that are already in real-time order.
    pub fn from_events(events: Vec<Event>) -> Result<History, HistoryError> {
        let mut pairing = Pairing::default();
        for (at, event) in events.iter().enumerate() {
            pairing.push(event).map_err(|message| HistoryError::Order { line: at + 1, message })?;
        }
        Ok(History { events, operations: pairing.into_operations() })
    }

    /// Every event, in real-time order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Every client operation, by invocation.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Every fault of the nemesis, by number.
    pub fn faults(&self) -> Vec<FaultWindow> {
        fault::windows(&self.events)
    }

    /// The phases of the run as `(name, begin, end)`, in nanoseconds since it began. A phase ends
    /// where the next begins; the last has no end.
    pub fn phases(&self) -> Vec<(String, u64, Option<u64>)> {
        fault::phases(&self.events)
    }

    /// Every key of `keyspace` that clients spoke of, ascending.
    pub fn keys(&self, keyspace: &str) -> Vec<&str> {
        let keys = self.operations.iter().filter_map(|operation| operation.key.as_deref());
        let own = keys.filter(|key| key.split_once(':').is_some_and(|(own, _)| own == keyspace));
        own.collect::<BTreeSet<&str>>().into_iter().collect()
    }

    /// Every keyspace that clients spoke of, ascending.
    pub fn keyspaces(&self) -> Vec<&str> {
        let keys = self.operations.iter().filter_map(|operation| operation.key.as_deref());
        let own = keys.filter_map(|key| key.split_once(':').map(|(keyspace, _)| keyspace));
        own.collect::<BTreeSet<&str>>().into_iter().collect()
    }
}

fn parse_line(line: usize, text: &[u8]) -> Result<Event, HistoryError> {
    let whole = text.ends_with(b"\n");
    if text.trim_ascii().is_empty() {
        let message = "an empty line, where an event was expected".to_owned();
        return Err(HistoryError::Syntax { line, column: 1, message });
    }
    serde_json::from_slice(text).map_err(|error| {
        if !whole && error.is_eof() {
            return HistoryError::Truncated { line };
        }
        HistoryError::Syntax { line, column: error.column().max(1), message: without_place(&error) }
    })
}

/// What the parser said, without the place: its own line count begins anew with each of ours.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}
