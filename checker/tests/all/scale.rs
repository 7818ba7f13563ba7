//! A run's worth of history is judged within the default budget.

use crate::support::{Plan, Shape, Story, interleave, rng};
use checker::{
    Checker, Event, Function, History, Kind, Linearizability, Operation, Value, Verdict,
};

const KEYS: usize = 200;

fn run(shape: Shape, seed: u64) -> History {
    let mut rng = rng(seed);
    let names: Vec<&'static str> =
        (0..KEYS).map(|key| &*Box::leak(format!("register:{key:03}").into_boxed_str())).collect();
    let stories = names.iter().map(|key| {
        let plan = Plan { shape, key, operations: 300, clients: 10, info: 10, fail: 10, lies: 0 };
        Story::new(plan, &mut rng).tell()
    });
    let stories = stories.collect();
    interleave(stories, &mut rng)
}

/// Makes one read of the last key return what was surely replaced before it began.
fn with_one_stale_read(history: &History) -> History {
    let key = format!("register:{:03}", KEYS - 1);
    let operations: Vec<_> =
        history.operations().iter().filter(|o| o.key.as_deref() == Some(key.as_str())).collect();
    let write = operations.iter().find(|o| o.f == Function::Write && o.is_ok()).unwrap();
    let next = operations.iter().find(|o| o.is_overwrite() && write.precedes(o) && o.is_ok());
    let read = operations
        .iter()
        .rfind(|o| o.f == Function::Read && next.unwrap().precedes(o) && o.is_ok());
    let line = read.unwrap().completed.unwrap();
    let mut events: Vec<Event> = history.events().to_vec();
    assert_eq!(events[line].kind, Kind::Ok);
    events[line].value = write.argument.clone();
    assert!(matches!(events[line].value, Value::Int(_)));
    History::from_events(events).unwrap()
}

/// Makes the last read that surely came after a write, and after which no delete can have come before it,
/// return nothing.
fn with_one_lost_value(history: &History) -> History {
    let is_lost = |read: &&Operation| {
        let same = || history.operations().iter().filter(|o| o.key == read.key);
        let deletes = || same().filter(|o| o.f == Function::Delete && o.may_have_happened());
        let before = |write: &&Operation| {
            let over = |delete: &Operation| delete.precedes(write);
            deletes().all(|delete| over(delete) || Some(delete.invoked) > read.completed)
        };
        let writes = same().filter(|o| o.f == Function::Write && o.precedes(read));
        read.f == Function::Read
            && read.is_ok()
            && deletes().count() > 50
            && writes.clone().any(|w| before(&w))
    };
    let read = history.operations().iter().rfind(is_lost).expect("one such read");
    let mut events: Vec<Event> = history.events().to_vec();
    events[read.completed.expect("it is answered")].value = Value::Nil;
    History::from_events(events).unwrap()
}

#[test]
fn two_hundred_keys_of_unique_values_are_judged_and_one_stale_read_is_found() {
    let history = run(Shape::Register { unique: true }, 1);
    let checker = Linearizability::register("register");
    let started = std::time::Instant::now();
    let finding = checker.check(&history);
    println!("{} operations: {:?}", history.operations().len(), started.elapsed());
    assert_eq!(finding.verdict, Verdict::Valid, "{}", finding.summary);

    let broken = with_one_stale_read(&history);
    let started = std::time::Instant::now();
    let finding = checker.check(&broken);
    println!("one stale read: {:?}", started.elapsed());
    assert_eq!(finding.verdict, Verdict::Invalid);
    assert_eq!(finding.anomalies.len(), 1);
    assert_eq!(finding.anomalies[0].name, "stale read");
    assert_eq!(finding.anomalies[0].key.as_deref(), Some("register:199"));
}

#[test]
fn two_hundred_keys_of_repeated_values_are_judged_by_search() {
    let history = run(Shape::Register { unique: false }, 2);
    let started = std::time::Instant::now();
    let finding = Linearizability::register("register").check(&history);
    println!("{} operations by search: {:?}", history.operations().len(), started.elapsed());
    assert_eq!(finding.verdict, Verdict::Valid, "{}", finding.summary);
}

#[test]
fn two_hundred_keys_deleted_now_and_then_are_judged_by_search() {
    let history = run(Shape::Erased, 3);
    let started = std::time::Instant::now();
    let finding = Linearizability::register("register").check(&history);
    println!("{} operations with deletes: {:?}", history.operations().len(), started.elapsed());
    assert_eq!(finding.verdict, Verdict::Valid, "{}", finding.summary);

    let broken = with_one_stale_read(&history);
    let started = std::time::Instant::now();
    let finding = Linearizability::register("register").check(&broken);
    println!("one stale read with deletes: {:?}", started.elapsed());
    let found: Vec<_> = finding.anomalies.iter().map(|a| (&*a.name, a.key.as_deref())).collect();
    assert_eq!(found, [("stale read", Some("register:199"))]);

    let started = std::time::Instant::now();
    let finding = Linearizability::register("register").check(&with_one_lost_value(&history));
    println!("one lost value with deletes: {:?}", started.elapsed());
    let found: Vec<_> = finding.anomalies.iter().map(|a| (&*a.name, a.witness.len())).collect();
    assert_eq!(found, [("stale read", 3)]);
}
