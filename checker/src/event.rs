//! One line of a history: an invocation or a completion of a client, or an act of the nemesis.
//!
//! The order of the lines is the real-time order of the events; `time` says how far apart they
//! were. A client's process is single-threaded: after an invocation comes its own completion, and
//! a process whose operation ended as `info` (it may have happened, or may yet) never speaks again.
//!
//! ```text
//! {"time":120000,"process":3,"type":"invoke","f":"write","key":"register:7","value":42,"node":"n2"}
//! {"time":910000,"process":3,"type":"ok","f":"write","key":"register:7","value":42,"node":"n2"}
//! {"time":950000,"process":"nemesis","type":"info","f":"begin","value":{"fault":1,"kind":"partition"}}
//! ```
//!
//! Source: the history format of Jepsen (invoke, ok, fail, info), as JSON lines.

use serde::{Deserialize, Serialize};

/// Free-form details of a nemesis event, ordered by name so that a file never depends on hashing.
pub type Note = std::collections::BTreeMap<String, serde_json::Value>;

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Nanoseconds since the run began, on one monotonic clock; never decreasing along a history.
    pub time: u64,
    /// Who speaks.
    pub process: Process,
    /// Invocation or kind of completion.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What is asked.
    pub f: Function,
    /// What it is asked of, as `keyspace:name`; absent for the nemesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The argument of an invocation, the reply of a completion.
    #[serde(default, skip_serializing_if = "Value::is_nil")]
    pub value: Value,
    /// The node the client spoke to, or that a replica read was directed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The version a replica holds, opaque to the checker: equal text means the same version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why a completion is `fail` or `info`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Who speaks in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Process {
    /// A single-threaded client, until it crashes.
    Client(u32),
    /// The process that applies and heals faults, and marks the phases of the run.
    Nemesis,
}

/// Invocation, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The operation is about to be sent.
    Invoke,
    /// It happened, and this is its reply.
    Ok,
    /// It did not happen, and never will.
    Fail,
    /// It may have happened, or may yet. Also: an act of the nemesis took effect.
    Info,
}

/// What is asked. In JSON a plain string: `"read"`, `"write"`, `"delete"`, `"add"`, `"read-replica"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// The value of a register (`Int` or `Nil`), or the elements of a set (`Set`).
    Read,
    /// Replace the value of a register by an `Int`. A client that hands back what it has read replies
    /// with that (`Set`): the siblings it replaced, and no others.
    Write,
    /// Replace the value of a register by nothing: a write of nil. Replies like a write.
    Delete,
    /// Add an `Int` to a set.
    Add,
    /// What one node holds of a key, read from it directly, past any coordinator.
    ReadReplica,
    /// What the nemesis does (`begin`, `end`, `phase`), or a function this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// An argument or a reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Nothing: the argument of a read, the value of a key never written.
    #[default]
    Nil,
    /// The value of a register, or one element of a set.
    Int(i64),
    /// The elements of a set, ascending.
    Set(Vec<i64>),
    /// What the nemesis did.
    Note(Note),
}

impl Value {
    /// Whether this is nothing.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// The number, where this is one.
    pub fn number(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Nil | Value::Set(_) | Value::Note(_) => None,
        }
    }

    /// The elements, where this is read as a set: a key never added to holds none.
    pub fn elements(&self) -> Option<&[i64]> {
        match self {
            Value::Nil => Some(&[]),
            Value::Set(elements) => Some(elements),
            Value::Int(_) | Value::Note(_) => None,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Set(elements) => {
                let words: Vec<String> = elements.iter().map(i64::to_string).collect();
                write!(f, "{{{}}}", words.join(" "))
            }
            Value::Note(note) => write!(f, "{}", serde_json::Value::from_iter(note.clone())),
        }
    }
}

impl std::fmt::Display for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Function::Read => "read",
            Function::Write => "write",
            Function::Delete => "delete",
            Function::Add => "add",
            Function::ReadReplica => "read-replica",
            Function::Other(name) => name,
        })
    }
}

impl Serialize for Process {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Process::Client(number) => serializer.serialize_u32(*number),
            Process::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Process;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a process number or \"nemesis\"")
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Process, E> {
                u32::try_from(number).map(Process::Client).map_err(|_| {
                    E::invalid_value(serde::de::Unexpected::Unsigned(number), &"at most 2^32 - 1")
                })
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Process, E> {
                match name {
                    "nemesis" => Ok(Process::Nemesis),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(name), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
