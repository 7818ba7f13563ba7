//! What a key would do if it were served by one thread: the sequential specification.
//!
//! A model is pure data: a state and a step. A history is linearizable when its operations can be
//! put in an order that respects real time and that the model steps through without objection.
//!
//! What `fail` means: the operation did not happen, and observed nothing. It is left out before any
//! model sees it.
//!
//! Source: Herlihy and Wing, "Linearizability", 1990, §2; the trait follows Knossos's `Model`.

mod call;
mod register;
mod set;
mod shape;

use std::fmt::Display;
use std::hash::Hash;

pub use call::Call;
pub use register::Register;
pub use set::Set;
pub(crate) use shape::Shape;

use crate::event::Value;

/// A pure sequential specification.
pub trait Model: Send + Sync {
    /// All that matters of the past.
    type State: Clone + Eq + Ord + Hash + Display + Send;

    /// The state before anything happened.
    fn init(&self) -> Self::State;

    /// The state after `call`, or `None` where the model could not have answered so.
    fn step(&self, state: &Self::State, call: &Call) -> Option<Self::State>;

    /// The written values of which `reply` gives evidence.
    fn shown(&self, reply: &Value) -> Vec<Value>;

    /// `reply` as it would be had the values that `gone` names never been written; `None` where
    /// nothing would be left of it. Law: the result shows no value that is gone.
    fn without(&self, reply: &Value, gone: &dyn Fn(&Value) -> bool) -> Option<Value>;

    /// About how many bytes `state` takes beyond its own size: the search keeps within a budget.
    fn weight(&self, state: &Self::State) -> usize;

    /// Whether the model has this function, with this shape of reply.
    fn knows(&self, call: &Call) -> bool;
}
