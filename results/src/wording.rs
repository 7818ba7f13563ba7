//! How operations, their arguments and their replies are put into words, alike in every report.
//!
//! ```text
//! write 42 → ok      read → 41      read → nil      read → {1 2 3 … 9}      write 42 → info
//! ```

use checker::{Anomaly, FaultWindow, Finding, Function, Note, Operation, Outcome, Value, Verdict};

use crate::quantity;
use crate::summary::Counts;

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

/// What the verdict means, with the first broken promise by name.
pub(crate) fn meaning(verdict: Verdict, findings: &[Finding]) -> String {
    match (verdict, broken(findings)) {
        (Verdict::Valid, _) => "Every promise judged was kept.".to_owned(),
        (Verdict::Unknown, _) => {
            "Nothing was found broken, but not everything could be judged.".to_owned()
        }
        (Verdict::Invalid, None) => "A promise was broken.".to_owned(),
        (Verdict::Invalid, Some(names)) => format!("A promise was broken: {names}."),
    }
}

/// `stale read of register:7, and 2 more`.
fn broken(findings: &[Finding]) -> Option<String> {
    let mut anomalies = findings.iter().flat_map(|finding| &finding.anomalies);
    let first = anomaly(anomalies.next()?);
    match anomalies.count() {
        0 => Some(first),
        more => Some(format!("{first}, and {more} more")),
    }
}

/// `stale read of register:7`.
pub(crate) fn anomaly(anomaly: &Anomaly) -> String {
    match &anomaly.key {
        Some(key) => format!("{} of {key}", anomaly.name),
        None => anomaly.name.clone(),
    }
}

/// `… and 12 anomalies more, in findings.json`.
pub(crate) fn more_anomalies(left_away: usize) -> String {
    let noun = if left_away == 1 { "anomaly" } else { "anomalies" };
    format!("… and {} {noun} more, in findings.json", quantity::count(left_away as u64))
}

/// `linearizability (register)`.
pub(crate) fn checker(finding: &Finding) -> String {
    match &finding.keyspace {
        Some(keyspace) => format!("{} ({keyspace})", finding.checker),
        None => finding.checker.clone(),
    }
}

/// `8 003 ok, 90 info, 27 fail`.
pub(crate) fn counts(counts: Counts) -> String {
    let [ok, info, fail] = [counts.ok, counts.info, counts.fail].map(quantity::count);
    format!("{ok} ok, {info} info, {fail} fail")
}

/// `12 faults, 11 with evidence`.
pub(crate) fn faults(faults: &[FaultWindow]) -> String {
    let bit = faults.iter().filter(|fault| fault.bit).count();
    let counted = quantity::counted(faults.len() as u64, "fault");
    match faults {
        [] => counted,
        _ => format!("{counted}, {bit} with evidence"),
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
    if each.is_empty() { "no evidence".to_owned() } else { each.join(", ") }
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
