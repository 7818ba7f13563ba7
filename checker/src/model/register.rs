//! A register: a read returns what was written last, or nil before the first write.

use crate::event::Value;
use crate::model::{Call, Model};

/// A register of one number, at first nil.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register;

/// What a register holds: a number, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content(Option<i64>);

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(number) => write!(f, "{number}"),
            None => f.write_str("nil"),
        }
    }
}

fn content(value: &Value) -> Option<Content> {
    match value {
        Value::Nil => Some(Content(None)),
        Value::Int(number) => Some(Content(Some(*number))),
        Value::Set(_) | Value::Note(_) => None,
    }
}

impl Model for Register {
    type State = Content;

    fn init(&self) -> Content {
        Content(None)
    }

    fn step(&self, state: &Content, call: &Call) -> Option<Content> {
        match call {
            Call::Write(value) => content(value),
            Call::Read(value) => content(value).filter(|read| read == state),
            Call::Add(_) => None,
        }
    }

    fn shown(&self, reply: &Value) -> Vec<Value> {
        vec![reply.clone()]
    }

    fn without(&self, reply: &Value, gone: &dyn Fn(&Value) -> bool) -> Option<Value> {
        (!gone(reply)).then(|| reply.clone())
    }

    fn weight(&self, _: &Content) -> usize {
        0
    }

    fn knows(&self, call: &Call) -> bool {
        match call {
            Call::Write(value) | Call::Read(value) => content(value).is_some(),
            Call::Add(_) => false,
        }
    }
}
