//! An invocation together with how it ended.

use serde::{Deserialize, Serialize};

use crate::event::{Function, Value};

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It happened, and this was the reply.
    Ok(Value),
    /// It did not happen, and never will.
    Fail,
    /// It may have happened, or may yet: at any time after its invocation, or never.
    Info,
}

/// An invocation together with how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The client that asked.
    pub process: u32,
    /// What was asked.
    pub f: Function,
    /// Of which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With which argument.
    #[serde(default, skip_serializing_if = "Value::is_nil")]
    pub argument: Value,
    /// How it ended.
    pub outcome: Outcome,
    /// Line of the invocation in its history, from zero: its rank in real time.
    pub invoked: usize,
    /// Line of the completion; absent while none is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<usize>,
    /// When it was invoked, in nanoseconds since the run began.
    pub began: u64,
    /// When it was completed, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// The node asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The version replied by a replica read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it ended as `fail` or `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Operation {
    /// The line at which it was acknowledged: whatever it did, it had done by then. Absent when it
    /// failed, or may yet happen.
    pub fn acknowledged(&self) -> Option<usize> {
        if self.is_ok() { self.completed } else { None }
    }

    /// Whether it happened.
    pub fn is_ok(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(_))
    }

    /// Whether it may have happened: acknowledged, or never heard of again.
    pub fn may_have_happened(&self) -> bool {
        self.outcome != Outcome::Fail
    }

    /// What it replied, if it happened.
    pub fn reply(&self) -> Option<&Value> {
        match &self.outcome {
            Outcome::Ok(value) => Some(value),
            Outcome::Fail | Outcome::Info => None,
        }
    }

    /// Whether it surely happened before `other` did: it was acknowledged before `other` began.
    pub fn precedes(&self, other: &Operation) -> bool {
        self.acknowledged().is_some_and(|line| line < other.invoked)
    }

    /// Whether it changes what it is asked of: a write, a delete or an add.
    pub fn is_update(&self) -> bool {
        self.is_overwrite() || self.f == Function::Add
    }

    /// Whether it replaces what a register holds, by a number or by nothing.
    pub fn is_overwrite(&self) -> bool {
        matches!(self.f, Function::Write | Function::Delete)
    }

    /// What it leaves in a register: a number, or of a delete nothing. `None` of what overwrites none.
    pub fn written(&self) -> Option<&Value> {
        self.is_overwrite().then_some(&self.argument)
    }

    /// The siblings that its client had read when it wrote, and so replaced; `None` where it read
    /// nothing first, or where it is not known.
    pub fn replaced(&self) -> Option<&[i64]> {
        match self.reply() {
            Some(Value::Set(read)) if self.is_overwrite() => Some(read),
            _ => None,
        }
    }

    /// Whether it told its client what the key held: a read that was answered, or an update that says
    /// what it had read first.
    pub fn is_sight(&self) -> bool {
        self.is_ok() && (self.f == Function::Read || self.replaced().is_some())
    }

    /// Whether it was served through a coordinator, and so is bound by what the store promises its
    /// clients. A look into one replica is not.
    pub fn is_coordinated(&self) -> bool {
        self.f != Function::ReadReplica
    }
}
