//! What a model is asked to explain: an update, or a read together with what it replied.

use crate::event::{Function, Value};
use crate::model::Model;
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
            (Function::Delete, _) => Ok(Some(Call::Write(Value::Nil))),
            (Function::Add, Value::Int(element)) => Ok(Some(Call::Add(*element))),
            (Function::Read, _) => Ok(operation.reply().cloned().map(Call::Read)),
            (Function::ReadReplica, _) => Ok(None),
            (Function::Add | Function::Other(_), _) => {
                Err(format!("what {} does is unknown", operation.f))
            }
        }
    }

    /// What `model` must explain of `operation`; an error also where it has no such call.
    pub(crate) fn known_to<M: Model>(
        model: &M,
        operation: &Operation,
    ) -> Result<Option<Call>, String> {
        match Call::of(operation)? {
            Some(call) if !model.knows(&call) => Err(format!(
                "line {}: this model has no {} of this shape",
                operation.invoked + 1,
                operation.f
            )),
            call => Ok(call),
        }
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
