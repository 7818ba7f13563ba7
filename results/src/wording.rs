//! How operations, their arguments and their replies are put into words, alike in every report.
//!
//! ```text
//! write 42 → ok      read → 41      read → nil      read → {1 2 3 … 9}      write 42 → info
//! ```

use checker::{Function, Note, Operation, Outcome, Value, Verdict};

/// Elements of a set that are spelled out before the middle is left away.
const ELEMENTS_SHOWN: usize = 6;

/// The keyspace an operation worked in: what stands before the colon of its key.
pub(crate) fn workload(operation: &Operation) -> &str {
    let key = operation.key.as_deref().unwrap_or_default();
    match key.split_once(':') {
        Some((keyspace, _)) => keyspace,
        None if key.is_empty() => "other",
        None => key,
    }
}

/// `write 42`, `read`.
pub(crate) fn request(operation: &Operation) -> String {
    match &operation.argument {
        Value::Nil => operation.f.to_string(),
        argument => format!("{} {}", operation.f, value(argument)),
    }
}

/// `ok`, `41`, `nil`, `fail`, `info`: a reply stands for its `ok` where it says something.
pub(crate) fn reply(operation: &Operation) -> String {
    match &operation.outcome {
        Outcome::Ok(reply) if asks(&operation.f) => value(reply),
        Outcome::Ok(_) => "ok".to_owned(),
        Outcome::Fail => "fail".to_owned(),
        Outcome::Info => "info".to_owned(),
    }
}

/// `write 42 → ok`.
pub(crate) fn operation(operation: &Operation) -> String {
    format!("{} → {}", request(operation), reply(operation))
}

/// The verdict as the first word of a report.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "Valid",
        Verdict::Unknown => "Unknown",
        Verdict::Invalid => "Invalid",
    }
}

/// What the verdict means.
pub(crate) fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "Every promise judged was kept.",
        Verdict::Unknown => "Nothing was found broken, but not everything could be judged.",
        Verdict::Invalid => "A promise was broken, and a witness shows it.",
    }
}

/// What was measured of a fault: `packets dropped 212, pid 4711`.
pub(crate) fn evidence(evidence: &Note) -> String {
    let word = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let each: Vec<_> =
        evidence.iter().map(|(name, value)| format!("{name} {}", word(value))).collect();
    match each.is_empty() {
        true => "no evidence".to_owned(),
        false => each.join(", "),
    }
}

/// Whether the reply, rather than its arrival, is what was wanted.
fn asks(f: &Function) -> bool {
    matches!(f, Function::Read | Function::ReadReplica)
}

fn value(value: &Value) -> String {
    match value {
        Value::Set(elements) if elements.len() > ELEMENTS_SHOWN => long_set(elements),
        short => short.to_string(),
    }
}

/// Of a long set the first elements, the last and how many. *Requires* a long one.
fn long_set(elements: &[i64]) -> String {
    let head: Vec<_> = elements[..ELEMENTS_SHOWN / 2].iter().map(i64::to_string).collect();
    let last = elements[elements.len() - 1];
    format!("{{{} … {last}: {} elements}}", head.join(" "), elements.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(f: Function, argument: Value, outcome: Outcome) -> Operation {
        Operation {
            process: 0,
            f,
            key: Some("register:7".to_owned()),
            argument,
            outcome,
            invoked: 0,
            completed: None,
            began: 0,
            ended: None,
            node: None,
            version: None,
            error: None,
        }
    }

    #[test]
    fn operations_read_as_claims() {
        let write = |outcome| operation(&asked(Function::Write, Value::Int(42), outcome));
        assert_eq!(write(Outcome::Ok(Value::Int(42))), "write 42 → ok");
        assert_eq!(write(Outcome::Info), "write 42 → info");
        assert_eq!(write(Outcome::Fail), "write 42 → fail");
        let read = |reply| operation(&asked(Function::Read, Value::Nil, Outcome::Ok(reply)));
        assert_eq!(read(Value::Nil), "read → nil");
        assert_eq!(read(Value::Int(41)), "read → 41");
        assert_eq!(read(Value::Set(vec![])), "read → {}");
        assert_eq!(read(Value::Set(vec![1, 2])), "read → {1 2}");
        assert_eq!(read(Value::Set((1..=9).collect())), "read → {1 2 3 … 9: 9 elements}");
    }

    #[test]
    fn the_workload_is_the_keyspace() {
        let mut operation = asked(Function::Read, Value::Nil, Outcome::Info);
        assert_eq!(workload(&operation), "register");
        operation.key = Some("plain".to_owned());
        assert_eq!(workload(&operation), "plain");
        operation.key = None;
        assert_eq!(workload(&operation), "other");
    }
}
