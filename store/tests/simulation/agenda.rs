//! What is to happen, and when: simulated time moves from one event to the next, and never by itself.
//!
//! Two events of one moment happen in the order in which they were entered, so that a run is the
//! same run every time.

use std::collections::BTreeMap;

use store::peer::CallError;
use store::request::{Patience, Reply};

use crate::letter::{Letter, Return};

/// Simulated microseconds since the run began.
pub(crate) type Micros = u64;

/// A millisecond.
pub(crate) const MS: Micros = 1_000;

/// Something that happens.
pub(crate) enum Event {
    /// An ask reaches the node it was sent to.
    Ask(Letter),
    /// What became of a call reaches who made it.
    Heard(Return, Result<Reply, CallError>),
    /// The same, over the network: it may be held up or lost on the way from this node.
    Answer(usize, Return, Result<Reply, CallError>),
    /// The oldest write of a node's disk is durable.
    Durable {
        /// Whose disk.
        node: usize,
        /// In which of its lives.
        life: u64,
    },
    /// A request asked to be woken.
    Wake {
        /// At which node.
        node: usize,
        /// In which of its lives.
        life: u64,
        /// Which request.
        request: u64,
        /// After which patience.
        patience: Patience,
    },
    /// A node looks at its links, its hints and its fellow replicas.
    Tick(usize),
    /// Tombstones may be forgotten.
    Reap,
    /// A client may ask something.
    Client(usize),
    /// The nemesis acts.
    Strike,
    /// The cuts end.
    Mend,
    /// A node that is down starts again.
    Start(usize),
}

/// What is to happen, and when.
#[derive(Default)]
pub(crate) struct Agenda {
    now: Micros,
    entered: u64,
    entries: BTreeMap<(Micros, u64), Event>,
}

impl Agenda {
    /// All that is to happen.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.entries.values()
    }

    /// The moment of the event that is happening.
    pub(crate) fn now(&self) -> Micros {
        self.now
    }

    /// Lets `event` happen `later`.
    pub(crate) fn enter(&mut self, later: Micros, event: Event) {
        self.entered += 1;
        self.entries.insert((self.now + later, self.entered), event);
    }

    /// Moves on to the next event.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let ((at, _), event) = self.entries.pop_first()?;
        self.now = at;
        Some(event)
    }
}
