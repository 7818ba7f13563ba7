//! How operations, their arguments and their replies are put into words, alike in every report.
//!
//! ```text
//! write 42 → ok      read → 41      read → nil      read → {1 2 3 … 9}      write 42 → info
//! ```

use checker::{Anomaly, FaultWindow, Finding, Function, Operation, Outcome, Value, Verdict};

use crate::anomalies::{self, Selection};
use crate::quantity;
use crate::summary::Counts;

/// Elements of a set that are spelled out before the middle is left away.
const ELEMENTS_SHOWN: usize = 6;

/// Names of anomalies that the first sentence of a report tells.
const NAMES_SHOWN: usize = 3;

/// The keyspace an operation worked in: what stands before the colon of its key.
pub(crate) fn workload(operation: &Operation) -> &str {
    let key = operation.key.as_deref().unwrap_or_default();
    match key.split_once(':') {
        Some((keyspace, _)) => keyspace,
        None if key.is_empty() => "other",
        None => key,
    }
}

/// `write 42`, `read`; of an update that says what it had read also that: `write 42 over {7 9}`.
pub(crate) fn request(operation: &Operation) -> String {
    let over = over(operation);
    match &operation.argument {
        Value::Nil => format!("{}{over}", operation.f),
        argument => format!("{} {}{over}", operation.f, value(argument)),
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

/// `stale read of register:7, lost acknowledged write of register:6 and 8 more`.
fn broken(findings: &[Finding]) -> Option<String> {
    let all = Selection::of(findings, usize::MAX).shown;
    let named = anomalies::names(findings).min(NAMES_SHOWN);
    let mut parts: Vec<_> = all.iter().take(named).map(|found| anomaly(found.anomaly)).collect();
    if all.len() > named {
        parts.push(format!("{} more", quantity::count((all.len() - named) as u64)));
    }
    (!parts.is_empty()).then(|| enumerate(&parts))
}

/// `a`, `a and b`, `a, b and c`.
fn enumerate(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [firsts @ .., last] => format!("{} and {last}", firsts.join(", ")),
    }
}

/// `stale read of register:7`.
pub(crate) fn anomaly(anomaly: &Anomaly) -> String {
    match &anomaly.key {
        Some(key) => format!("{} of {key}", anomaly.name),
        None => anomaly.name.clone(),
    }
}

/// `And 8 more stale reads and 1 more lost acknowledged write, in findings.json.`, or nothing.
pub(crate) fn more_anomalies(more: &[(&str, usize)], place: &str) -> String {
    let each = |(name, count): &(&str, usize)| match count {
        1 => format!("1 more {name}"),
        _ => format!("{} more {}", quantity::count(*count as u64), plural(name)),
    };
    match more {
        [] => String::new(),
        _ => format!("And {}, in {place}.", enumerate(&more.iter().map(each).collect::<Vec<_>>())),
    }
}

/// More than one of an anomaly: `stale reads`, `reads of a value never written`. What is plural
/// already, or says what a history is rather than what is in it, stays as it is.
fn plural(name: &str) -> String {
    let ends = [" of ", " from ", " never "].iter().filter_map(|word| name.find(word));
    let (noun, rest) = name.split_at(ends.min().unwrap_or(name.len()));
    match noun {
        same if same.ends_with('s') || same.starts_with("not ") => name.to_owned(),
        hissed if hissed.ends_with("sh") || hissed.ends_with("ch") => format!("{hissed}es{rest}"),
        _ => format!("{noun}s{rest}"),
    }
}

/// `linearizability (register)`.
pub(crate) fn checker(finding: &Finding) -> String {
    match &finding.keyspace {
        Some(keyspace) => format!("{} ({keyspace})", finding.checker),
        None => finding.checker.clone(),
    }
}

/// `linearizability and stale-reads (register)`.
pub(crate) fn checkers(findings: &[&Finding]) -> String {
    let (first, same) = match findings {
        [] => return String::new(),
        [first, ..] => (first, findings.iter().all(|each| each.keyspace == first.keyspace)),
    };
    if !same {
        return enumerate(&findings.iter().map(|each| checker(each)).collect::<Vec<_>>());
    }
    let names: Vec<_> = findings.iter().map(|each| each.checker.clone()).collect();
    checker(&Finding { checker: enumerate(&names), ..(*first).clone() })
}

/// What was judged, and how it came out.
pub(crate) fn summary(finding: &Finding) -> String {
    quantity::regrouped(&finding.summary)
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

/// What a fault did, its links unbroken at the end of a line: `n1 → n2, n1 → n3 cut`.
pub(crate) fn description(fault: &FaultWindow) -> String {
    [" → ", " ↔ "].iter().fold(fault.description.clone(), |text, arrow| {
        text.replace(arrow, &quantity::together(arrow))
    })
}

/// What an update had read and replaced: ` over {3 12}`.
fn over(operation: &Operation) -> String {
    let read = operation.replaced().and(operation.reply());
    read.map(|read| format!(" over {}", value(read))).unwrap_or_default()
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
        assert_eq!(write(Outcome::Ok(Value::Set(vec![7, 9]))), "write 42 over {7 9} → ok");
        let delete = |reply| operation(&asked(Function::Delete, Value::Nil, Outcome::Ok(reply)));
        assert_eq!(delete(Value::Nil), "delete → ok");
        assert_eq!(delete(Value::Set(vec![42])), "delete over {42} → ok");
        let read = |reply| operation(&asked(Function::Read, Value::Nil, Outcome::Ok(reply)));
        assert_eq!(read(Value::Nil), "read → nil");
        assert_eq!(read(Value::Int(41)), "read → 41");
        assert_eq!(read(Value::Set(vec![])), "read → {}");
        assert_eq!(read(Value::Set(vec![1, 2])), "read → {1 2}");
        assert_eq!(read(Value::Set((1..=9).collect())), "read → {1 2 3 … 9: 9 elements}");
    }

    #[test]
    fn what_is_left_away_is_counted_by_name() {
        let more = |more: &[(&str, usize)]| more_anomalies(more, "findings.json");
        assert_eq!(more(&[]), "");
        assert_eq!(
            more(&[("stale read", 8), ("lost acknowledged write", 1)]),
            "And 8 more stale reads and 1 more lost acknowledged write, in findings.json."
        );
        let several = [
            ("divergent replicas", "divergent replicas"),
            ("not linearizable", "not linearizable"),
            ("node crash", "node crashes"),
            ("new-old inversion", "new-old inversions"),
            ("read from the future", "reads from the future"),
            ("read of a value never written", "reads of a value never written"),
            ("value never written", "values never written"),
        ];
        for (one, two) in several {
            assert_eq!(plural(one), two);
        }
    }

    #[test]
    fn the_first_sentence_names_every_way_in_which_a_run_is_broken() {
        let anomaly = |name: &str, key: &str| Anomaly {
            name: name.to_owned(),
            key: Some(key.to_owned()),
            witness: vec![],
            because: String::new(),
        };
        let finding = |checker: &str, keyspace: Option<&str>, anomalies| Finding {
            checker: checker.to_owned(),
            keyspace: keyspace.map(str::to_owned),
            verdict: Verdict::Invalid,
            summary: String::new(),
            anomalies,
        };
        let stale = vec![anomaly("stale read", "r:1"), anomaly("stale read", "r:2")];
        let findings = [
            finding("linearizability", Some("r"), stale.clone()),
            finding("stale-reads", Some("r"), stale),
            finding("lost-writes", None, vec![anomaly("lost write", "r:2")]),
        ];
        let told = |of| meaning(Verdict::Invalid, &findings[of]);
        assert_eq!(
            told(0..3),
            "A promise was broken: stale read of r:1, lost write of r:2 and 1 more."
        );
        assert_eq!(told(0..1), "A promise was broken: stale read of r:1 and 1 more.");
        assert_eq!(told(2..3), "A promise was broken: lost write of r:2.");
        assert_eq!(told(0..0), "A promise was broken.");
        let [a, b, c] = &findings;
        assert_eq!(checkers(&[a, b]), "linearizability and stale-reads (r)");
        assert_eq!(checkers(&[a, c]), "linearizability (r) and lost-writes");
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
