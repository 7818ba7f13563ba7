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
}
