//! A seeded, pure source of operations: asked for the next, shown every event.

use checker::{Event, Function, Value};

/// What a client is about to ask.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// What is asked.
    pub f: Function,
    /// Of which key, as `keyspace:name`.
    pub key: String,
    /// With which argument.
    pub value: Value,
}

/// A seeded, pure source of operations, shared by the workers of one workload.
///
/// The same seed, asked and shown the same in the same order, gives the same operations.
pub trait Generator: Send {
    /// The next operation for `worker` (a number from zero, stable for the whole run), or `None`
    /// when there is nothing left for it to do.
    fn next(&mut self, worker: u32) -> Option<Invocation>;
    /// Shown every event of this generator's own workload, in the order recorded.
    fn observe(&mut self, event: &Event);
}
