//! How operations and proofs are put into words.
//!
//! In the manner of Elle: *let* these be the operations; *then* this must come before that, because;
//! *however*; a contradiction. Every sentence names operations of the witness by a label, and every
//! label is introduced with its process, node and times.
//!
//! Source: Kingsbury and Alvaro, "Elle", VLDB 2020, §6 (explanations people can check by hand).

use std::collections::BTreeMap;

use crate::event::{Function, Value};
use crate::operation::{Operation, Outcome};

/// Sets longer than this are shown by their ends.
const ELEMENTS_SHOWN: usize = 8;

/// The operations of one proof, each with a label.
pub(crate) struct Cast<'h> {
    members: Vec<(&'h Operation, String)>,
}

impl<'h> Cast<'h> {
    /// Each operation once, by invocation, labelled by its kind: `W1`, `X1`, `A1`, `R1`, `R2`.
    pub(crate) fn new(operations: impl IntoIterator<Item = &'h Operation>) -> Cast<'h> {
        let by_line: BTreeMap<usize, &Operation> =
            operations.into_iter().map(|operation| (operation.invoked, operation)).collect();
        let mut counts = BTreeMap::new();
        let label = |operation: &'h Operation| {
            let letter = letter(&operation.f);
            let count = counts.entry(letter).or_insert(0);
            *count += 1;
            (operation, format!("{letter}{count}"))
        };
        Cast { members: by_line.into_values().map(label).collect() }
    }

    /// The label of one of them.
    pub(crate) fn label(&self, operation: &Operation) -> &str {
        let found = self.members.iter().find(|(member, _)| member.invoked == operation.invoked);
        found.map_or("it", |(_, label)| label)
    }

    /// `Let W1 = process 0 writes 1 at n1 (1.000–2.000 ms) and R1 = …. `
    pub(crate) fn introduction(&self) -> String {
        let parts =
            self.members.iter().map(|(member, label)| format!("{label} = {}", phrase(member)));
        format!("Let {}.", enumerate(&parts.collect::<Vec<_>>()))
    }

    /// The operations, by invocation.
    pub(crate) fn witness(&self) -> Vec<Operation> {
        self.members.iter().map(|(member, _)| (*member).clone()).collect()
    }

    /// `W1 was acknowledged at 2.000 ms, before W2 began at 3.000 ms`.
    pub(crate) fn before(&self, first: &Operation, second: &Operation) -> String {
        let ended = match first.reply() {
            Some(value) if !first.is_update() => {
                format!("{} had returned {} by", self.label(first), shorten(value))
            }
            _ => format!("{} was acknowledged at", self.label(first)),
        };
        let end = first.ended.map_or_else(String::new, ms);
        format!("{ended} {end}, before {} began at {}", self.label(second), ms(second.began))
    }
}

fn letter(f: &Function) -> char {
    match f {
        Function::Write => 'W',
        Function::Delete => 'X',
        Function::Add => 'A',
        Function::Read => 'R',
        Function::ReadReplica => 'D',
        Function::Other(_) => 'O',
    }
}

/// `process 0 writes 1 at n1 (1.000–2.000 ms)`.
pub(crate) fn phrase(operation: &Operation) -> String {
    let node = operation.node.as_deref();
    let at = node.map(|node| format!(" at {node}")).unwrap_or_default();
    let argument = shorten(&operation.argument);
    let deed = match (&operation.f, operation.reply()) {
        (Function::Write, _) => format!("writes {argument}{at}{}", instead(operation)),
        (Function::Delete, _) => format!("deletes{at}{}", instead(operation)),
        (Function::Add, _) => format!("adds {argument}{at}"),
        (Function::Read, Some(value)) => format!("reads {}{at}", shorten(value)),
        (Function::Read, None) => format!("reads{at}"),
        (Function::ReadReplica, Some(value)) => {
            format!("finds {} in the replica{at}", shorten(value))
        }
        (Function::ReadReplica, None) => format!("looks into the replica{at}"),
        (Function::Other(f), _) => format!("does {f}{at}"),
    };
    format!("process {} {deed} ({})", operation.process, span(operation))
}

/// What an update had read and replaced, where that is known.
fn instead(operation: &Operation) -> String {
    let read = operation.replaced().and(operation.reply());
    read.map(|read| format!(" over {}", shorten(read))).unwrap_or_default()
}

fn span(operation: &Operation) -> String {
    let (began, ended) = (operation.began, operation.ended.unwrap_or(operation.began));
    match operation.outcome {
        Outcome::Ok(_) => format!("{}–{}", plain_ms(began), ms(ended)),
        Outcome::Fail => format!("{}–{}, failed", plain_ms(began), ms(ended)),
        Outcome::Info => format!("from {}, never answered", ms(began)),
    }
}

/// A value in few words: a long set by its ends.
pub(crate) fn shorten(value: &Value) -> String {
    match value.elements() {
        Some(elements) if elements.len() > ELEMENTS_SHOWN => {
            let first: Vec<String> = elements[..3].iter().map(i64::to_string).collect();
            let last = elements[elements.len() - 1];
            format!("{{{} … {last}}} ({} elements)", first.join(" "), elements.len())
        }
        _ => value.to_string(),
    }
}

/// Nanoseconds as milliseconds: `1.500 ms`.
pub(crate) fn ms(time: u64) -> String {
    format!("{} ms", plain_ms(time))
}

fn plain_ms(time: u64) -> String {
    let micros = time / 1_000;
    format!("{}.{:03}", micros / 1_000, micros % 1_000)
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn enumerate(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `1 key`, `10 512 keys`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `10 512`: digits in groups of three.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}
