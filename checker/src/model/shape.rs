//! What the operations of one key use it as.

use crate::event::{Function, Value};
use crate::model::{Call, Register, Set};
use crate::operation::Operation;

/// What the operations of one key use it as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// It is overwritten, and holds one value.
    Register,
    /// It is overwritten, and holds every value that no other has replaced: a multi-value register.
    Siblings,
    /// It is added to.
    Set,
}

impl Shape {
    /// Something is added, or nothing is overwritten and a read finds elements: a set. A client who
    /// overwrites it is shown several values: siblings. Otherwise a register.
    pub(crate) fn of(operations: &[&Operation]) -> Shape {
        let several = |operation: &&Operation| matches!(operation.reply(), Some(Value::Set(_)));
        let adds = operations.iter().any(|operation| operation.f == Function::Add);
        let overwrites = operations.iter().any(|operation| operation.is_overwrite());
        let mut clients = operations.iter().filter(|operation| operation.is_coordinated());
        if adds || !overwrites && operations.iter().any(several) {
            Shape::Set
        } else if clients.any(several) {
            Shape::Siblings
        } else {
            Shape::Register
        }
    }

    /// Why `operations` of one key of this shape cannot be explained, where they cannot: one of them
    /// may have done anything, or the key is used as something else as well.
    pub(crate) fn unknown(self, operations: &[&Operation]) -> Option<String> {
        operations.iter().find_map(|operation| match self {
            Shape::Set => Call::known_to(&Set, operation).err(),
            Shape::Register => Call::known_to(&Register, operation).err(),
            Shape::Siblings => unknown_to_siblings(operation),
        })
    }
}

fn unknown_to_siblings(operation: &Operation) -> Option<String> {
    let call = match Call::of(operation) {
        Ok(call) => call?,
        Err(why) => return Some(why),
    };
    let fits = match &call {
        Call::Write(value) => matches!(value, Value::Int(_) | Value::Nil),
        Call::Read(reply) => reply.elements().is_some(),
        Call::Add(_) => false,
    };
    let line = operation.invoked + 1;
    (!fits).then(|| format!("line {line}: siblings have no {} of this shape", operation.f))
}
