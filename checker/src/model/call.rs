//! What a model is asked to explain: an update, or a read together with what it replied.

use crate::event::{Function, Value};
use crate::operation::{Operation, Outcome};

/// An update, or a read together with what it replied.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// The register now holds this.
    Write(Value),
    /// The set now holds this too.
    Add(i64),
    /// This is what was found.
    Read(Value),
}

impl Call {
    /// What a model must explain of `operation`: nothing where it never happened, where it is a
    /// read without a reply, or a look into one replica. An error where no model knows the function.
    pub fn of(operation: &Operation) -> Result<Option<Call>, String> {
        if operation.outcome == Outcome::Fail {
            return Ok(None);
        }
        match (&operation.f, &operation.argument) {
            (Function::Write, value) => Ok(Some(Call::Write(value.clone()))),
            (Function::Add, Value::Int(element)) => Ok(Some(Call::Add(*element))),
            (Function::Read, _) => Ok(operation.reply().cloned().map(Call::Read)),
            (Function::ReadReplica, _) => Ok(None),
            (Function::Add | Function::Other(_), _) => {
                Err(format!("what {} does is unknown", operation.f))
            }
        }
    }

    /// Why no model can explain `operations`, where it cannot: one of them may have done anything.
    pub(crate) fn unknown(operations: &[&Operation]) -> Option<String> {
        operations.iter().find_map(|operation| Call::of(operation).err())
    }

    /// The value this update leaves behind; nothing for a read.
    pub fn written(&self) -> Option<Value> {
        match self {
            Call::Write(value) => Some(value.clone()),
            Call::Add(element) => Some(Value::Int(*element)),
            Call::Read(_) => None,
        }
    }

    /// What this read found; nothing for an update.
    pub fn reply(&self) -> Option<&Value> {
        match self {
            Call::Read(reply) => Some(reply),
            Call::Write(_) | Call::Add(_) => None,
        }
    }

    /// Whether this leaves every state as it was.
    pub fn is_read(&self) -> bool {
        matches!(self, Call::Read(_))
    }
}
