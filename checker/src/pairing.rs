//! The rules that make a sequence of events a history, applied one event at a time.
//!
//! A process is single-threaded: `(invoke (ok | fail))* (invoke info?)?`. A process whose operation
//! ended as `info` never speaks again, because that operation may still take effect while the next
//! one runs, and one process would be in two places at once. Time never decreases. A completion
//! repeats the function and the key of its invocation. Arguments and replies have the shape their
//! function asks for; the elements of a set ascend.
//!
//! Source: Herlihy and Wing, "Linearizability", 1990, §2.2 (well-formed histories); Jepsen's
//! `knossos.history`, whose crashed processes are replaced by new ones.

use std::collections::BTreeMap;

use crate::event::{Event, Function, Kind, Process, Value};
use crate::fault;
use crate::operation::{Operation, Outcome};

/// What a process is about.
#[derive(Clone, Copy)]
enum Stage {
    Idle,
    /// In the middle of the operation of this index.
    Busy(usize),
    /// Its last operation may still happen.
    Crashed,
}

/// Operations paired so far, and where each process stands.
#[derive(Default)]
pub(crate) struct Pairing {
    operations: Vec<Operation>,
    processes: BTreeMap<u32, Stage>,
    lines: usize,
    time: u64,
}

impl Pairing {
    /// Takes the next event, or says which rule it breaks.
    pub(crate) fn push(&mut self, event: &Event) -> Result<(), String> {
        if event.time < self.time {
            return Err(format!("time goes back from {} to {}", self.time, event.time));
        }
        let line = self.lines;
        match event.process {
            Process::Nemesis => fault::well_formed(event)?,
            Process::Client(process) => self.client(process, event, line)?,
        }
        self.time = event.time;
        self.lines += 1;
        Ok(())
    }

    /// Every operation, by invocation.
    pub(crate) fn into_operations(self) -> Vec<Operation> {
        self.operations
    }

    fn client(&mut self, process: u32, event: &Event, line: usize) -> Result<(), String> {
        let stage = self.processes.get(&process).copied().unwrap_or(Stage::Idle);
        let next = match (stage, event.kind) {
            (Stage::Idle, Kind::Invoke) => self.invoke(process, event, line)?,
            (Stage::Busy(slot), Kind::Ok | Kind::Fail | Kind::Info) => {
                complete(&mut self.operations[slot], event, line)?
            }
            (Stage::Busy(slot), Kind::Invoke) => {
                let open = self.operations[slot].invoked + 1;
                return Err(format!(
                    "process {process} invokes while its operation of line {open} is open"
                ));
            }
            (Stage::Idle, _) => {
                return Err(format!("process {process} completes what it never invoked"));
            }
            (Stage::Crashed, _) => {
                return Err(format!("process {process} speaks after an operation ended as info"));
            }
        };
        self.processes.insert(process, next);
        Ok(())
    }

    fn invoke(&mut self, process: u32, event: &Event, line: usize) -> Result<Stage, String> {
        argument_fits(&event.f, &event.value)?;
        self.operations.push(Operation {
            process,
            f: event.f.clone(),
            key: event.key.clone(),
            argument: event.value.clone(),
            outcome: Outcome::Info,
            invoked: line,
            completed: None,
            began: event.time,
            ended: None,
            node: event.node.clone(),
            version: None,
            error: None,
        });
        Ok(Stage::Busy(self.operations.len() - 1))
    }
}

fn complete(operation: &mut Operation, event: &Event, line: usize) -> Result<Stage, String> {
    let process = operation.process;
    if operation.f != event.f {
        return Err(format!("process {process} invoked {} but completes {}", operation.f, event.f));
    }
    if operation.key != event.key {
        let name = |key: &Option<String>| key.clone().unwrap_or_else(|| "no key".to_owned());
        let (asked, answered) = (name(&operation.key), name(&event.key));
        return Err(format!("process {process} invoked on {asked} but completes on {answered}"));
    }
    if event.kind == Kind::Ok {
        reply_fits(&event.f, &event.value)?;
    }
    operation.completed = Some(line);
    operation.ended = Some(event.time);
    operation.version.clone_from(&event.version);
    operation.error.clone_from(&event.error);
    if operation.node.is_none() {
        operation.node.clone_from(&event.node);
    }
    operation.outcome = match event.kind {
        Kind::Ok => Outcome::Ok(event.value.clone()),
        Kind::Fail => Outcome::Fail,
        Kind::Info | Kind::Invoke => Outcome::Info,
    };
    Ok(if operation.outcome == Outcome::Info { Stage::Crashed } else { Stage::Idle })
}

fn argument_fits(f: &Function, value: &Value) -> Result<(), String> {
    let (fits, expected) = match f {
        Function::Write => (matches!(value, Value::Int(_) | Value::Nil), "a number"),
        Function::Add => (matches!(value, Value::Int(_)), "a number"),
        Function::Delete | Function::Read | Function::ReadReplica => (value.is_nil(), "no value"),
        Function::Other(_) => (true, ""),
    };
    if fits { Ok(()) } else { Err(format!("{f} takes {expected}, not {value}")) }
}

fn reply_fits(f: &Function, value: &Value) -> Result<(), String> {
    match (f, value) {
        (Function::Read | Function::ReadReplica, Value::Note(_)) => {
            Err(format!("{f} replies with nothing, a number or a set, not {value}"))
        }
        (
            Function::Read | Function::ReadReplica | Function::Write | Function::Delete,
            Value::Set(elements),
        ) if !elements.is_sorted_by(|a, b| a < b) => {
            Err(format!("the elements of a set ascend, those of {value} do not"))
        }
        _ => Ok(()),
    }
}
