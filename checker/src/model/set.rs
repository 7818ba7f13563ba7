//! A set that only grows: a read returns everything added so far.
//!
//! It is not judged element by element, although that is sound for a set asked about one element at
//! a time: a read of the whole set ties the elements together, and two reads that each miss what the
//! other shows are wrong although every element alone is right.

use std::collections::BTreeSet;

use crate::event::Value;
use crate::model::{Call, Model};

/// A set of numbers, at first empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

/// The elements of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Elements(BTreeSet<i64>);

impl std::fmt::Display for Elements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", Value::Set(self.0.iter().copied().collect()))
    }
}

impl Model for Set {
    type State = Elements;

    fn init(&self) -> Elements {
        Elements::default()
    }

    fn step(&self, state: &Elements, call: &Call) -> Option<Elements> {
        match call {
            Call::Add(element) => {
                let mut next = state.clone();
                next.0.insert(*element);
                Some(next)
            }
            Call::Read(reply) => {
                let same = reply.elements()?.iter().eq(state.0.iter());
                same.then(|| state.clone())
            }
            Call::Write(_) => None,
        }
    }

    fn shown(&self, reply: &Value) -> Vec<Value> {
        reply.elements().unwrap_or_default().iter().copied().map(Value::Int).collect()
    }

    fn without(&self, reply: &Value, gone: &dyn Fn(&Value) -> bool) -> Option<Value> {
        let kept = reply.elements()?.iter().filter(|element| !gone(&Value::Int(**element)));
        Some(Value::Set(kept.copied().collect()))
    }

    fn weight(&self, state: &Elements) -> usize {
        // A B-tree leaf of eleven elements, two thirds full, with its links.
        state.0.len() * 16
    }

    fn knows(&self, call: &Call) -> bool {
        match call {
            Call::Add(_) => true,
            Call::Read(reply) => reply.elements().is_some(),
            Call::Write(_) => false,
        }
    }
}
