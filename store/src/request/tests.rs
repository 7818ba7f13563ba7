//! Requests played call by call, as scripts; and in every order that chance finds.

mod laws;

use bytes::Bytes;

use super::*;
use crate::script;
use crate::version::test_records::{lww, node, register};
use crate::version::{Actor, Encoded, Siblings};

/// `5@n1` is a register's write, `7us@n1` of an `lww` key; `milk@n1` a sibling; `-` is nothing held.
fn record(text: &str) -> Option<Record> {
    let (what, writer) = text.split_once('@')?;
    if let Some(micros) = what.strip_suffix("us") {
        return Some(lww(micros.parse().unwrap(), writer, 1, Some(what)));
    }
    if let Ok(counter) = what.parse() {
        return Some(register(counter, writer, 1, Some(what)));
    }
    let value = Bytes::copy_from_slice(what.as_bytes());
    Some(Record::Siblings(Siblings::new(Actor::new(node(writer), 1), Some(value))))
}

fn shown(record: Option<&Record>) -> String {
    let Some(record) = record else { return "nothing".into() };
    let values = record.values();
    let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value)).collect();
    format!("{} ({})", values.join(" + "), record.version())
}

/// `register of n1 n2 n3 at n1 w=2 stand-ins n4 down n3`: which request, and where.
fn begin(words: &[&str], goal: Goal) -> (Request, Vec<Action>) {
    let (mut primaries, mut stand_ins) = (Vec::new(), Vec::new());
    let mut target = Target {
        me: node("n1"),
        policy: match words[0] {
            "register" => Policy::Register,
            "siblings" => Policy::Siblings,
            "lww" => Policy::Lww,
            other => panic!("no policy {other}"),
        },
        causality: Causality::Dotted,
        primaries: Vec::new().into(),
        stand_ins: Vec::new().into(),
        down: BTreeSet::new(),
        r: 2,
        w: 2,
    };
    let mut list = "of";
    for word in &words[1..] {
        match *word {
            "server-vector" => target.causality = Causality::ServerVector,
            "of" | "at" | "stand-ins" | "down" => list = word,
            name if name.starts_with("r=") => target.r = name[2..].parse().unwrap(),
            name if name.starts_with("w=") => target.w = name[2..].parse().unwrap(),
            name if list == "of" => primaries.push(node(name)),
            name if list == "at" => target.me = node(name),
            name if list == "stand-ins" => stand_ins.push(node(name)),
            name => drop(target.down.insert(node(name))),
        }
    }
    (target.primaries, target.stand_ins) = (primaries.into(), stand_ins.into());
    Request::begin(target, goal)
}

fn goal_of(value: &str) -> Goal {
    Goal::Write(Write {
        value: (value != "-").then(|| Bytes::copy_from_slice(value.as_bytes())),
        context: Context::default(),
        nonce: Nonce { epoch: 1, sequence: 9 },
        wall_micros: 7,
    })
}

fn purpose(text: &str) -> Purpose {
    match text.split_once(':') {
        Some(("read", owner)) => Purpose::ReadFor(node(owner)),
        Some(("hold", owner)) => Purpose::HoldFor(node(owner)),
        _ => match text {
            "read" => Purpose::Read,
            "update" => Purpose::Update,
            "forward" => Purpose::Forward,
            "store" => Purpose::Store,
            "repair" => Purpose::Repair,
            other => panic!("no purpose {other}"),
        },
    }
}

fn heard(purpose: &Purpose, words: &[&str]) -> Result<Reply, CallError> {
    Ok(match (purpose, words) {
        (_, ["not-connected"]) => return Err(CallError::NotConnected),
        (_, ["overloaded"]) => return Err(CallError::Overloaded),
        (_, ["lost"]) => return Err(CallError::Lost),
        (_, ["late"]) => return Err(CallError::Late),
        (_, ["says", words @ ..]) => return Err(CallError::Refused(words.join(" "))),
        (_, ["same"]) => Reply::Same,
        (_, ["done"]) => Reply::Done,
        (Purpose::Update, [text]) => {
            let updated = record(text).expect("an update makes a record");
            let context = updated.context();
            Reply::Updated(updated, context)
        }
        (Purpose::Forward, [text]) => {
            Reply::Forwarded(record(text).map(|record| record.context()).unwrap_or_default())
        }
        (_, [text]) => Reply::Copy(record(text).map(Encoded::of)),
        other => panic!("no answer {other:?}"),
    })
}

fn told(action: &Action) -> String {
    match action {
        Action::Call(CallId { to, .. }, call) => match call {
            Call::Read { known: None } => format!("{to} <- read"),
            Call::Read { known: Some(_) } => format!("{to} <- read, if not the same"),
            Call::ReadHeld { owner } => format!("{to} <- read in the stead of {owner}"),
            Call::Store(record) => format!("{to} <- store {}", shown(Some(record))),
            Call::Hold { owner, record } => {
                format!("{to} <- hold for {owner} {}", shown(Some(record)))
            }
            Call::Update { value, .. } => format!("{to} <- update {value:?}"),
            Call::Forward { value, w, .. } => format!("{to} <- coordinate {value:?}, w={w}"),
        },
        Action::Answer(Ok(Outcome::Read(record))) => {
            format!("client <- {}", shown(record.as_ref()))
        }
        Action::Answer(Ok(Outcome::Written(_))) => "client <- OK".into(),
        Action::Answer(Err(failure)) => format!("client <- {failure}"),
        Action::Hint { owner, record } => format!("hint for {owner}: {}", shown(Some(record))),
        Action::Wake(Patience::Hedge) => "wake me when it is slow".into(),
        Action::Wake(Patience::StandIn) => "wake me when it takes long".into(),
        Action::Count(event) => format!("count {event:?}"),
    }
}

/// Replays a script: `read …` and `write POLICY VALUE …` begin, `n2 store done` tells what became of
/// a call, `slow` that it is slow, `wake` that it takes long.
fn replay(name: &str) {
    let mut request = None;
    script::replay(&format!("request/{name}"), |verb, words| {
        let actions = match (verb, &mut request) {
            ("read", request) => {
                let (begun, actions) = begin(words, Goal::Read);
                *request = Some(begun);
                actions
            }
            ("write", request) => {
                let rest: Vec<&str> = [&words[..1], &words[2..]].concat();
                let (begun, actions) = begin(&rest, goal_of(words[1]));
                *request = Some(begun);
                actions
            }
            ("slow", Some(request)) => request.wake(Patience::Hedge),
            ("wake", Some(request)) => request.wake(Patience::StandIn),
            (from, Some(request)) => {
                let purpose = purpose(words[0]);
                let heard = heard(&purpose, &words[1..]);
                request.hear(&CallId { to: node(from), purpose }, heard)
            }
            (verb, None) => panic!("{verb} before any request"),
        };
        let mut lines: Vec<String> = actions.iter().map(told).collect();
        if request.as_ref().is_some_and(Request::is_over) {
            lines.push("(over)".into());
        } else if lines.is_empty() {
            lines.push("(waits)".into());
        }
        lines.join("\n")
    });
}

#[test]
fn registers_go_as_written() {
    replay("register.txt");
}

#[test]
fn siblings_go_as_written() {
    replay("siblings.txt");
}

#[test]
fn forwarding_goes_as_written() {
    replay("forwarding.txt");
}

#[test]
fn wall_clock_writes_go_as_written() {
    replay("lww.txt");
}

#[test]
fn sloppy_quorums_go_as_written() {
    replay("sloppy.txt");
}

#[test]
fn failures_go_as_written() {
    replay("failures.txt");
}
