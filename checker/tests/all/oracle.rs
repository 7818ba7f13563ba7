//! The search and the shortcuts agree with an oracle that tries every order.
//!
//! The oracle knows nothing of the crate's models, intervals, clusters or reductions: it takes the
//! operations as recorded and tries all permutations that respect real time, with every choice of
//! the operations that may have happened. It is slow and obvious.

use std::collections::BTreeSet;

use crate::support::{Plan, Shape, history, rng};
use checker::model::{Register, Set};
use checker::search::{Found, Interval, search};
use checker::{
    Budget, Checker, Function, History, Linearizability, Operation, Outcome, Value, Verdict,
    canonical,
};

/// All that a register or a grow-only set can hold.
#[derive(Clone, Default)]
struct State {
    register: Option<i64>,
    set: BTreeSet<i64>,
}

fn apply(state: &State, operation: &Operation) -> Option<State> {
    let mut next = state.clone();
    match (&operation.f, &operation.argument, &operation.outcome) {
        (Function::Write, Value::Int(number), _) => next.register = Some(*number),
        (Function::Delete, ..) => next.register = None,
        (Function::Add, Value::Int(element), _) => {
            next.set.insert(*element);
        }
        (Function::Read, _, Outcome::Ok(Value::Int(number))) => {
            return (state.register == Some(*number)).then_some(next);
        }
        (Function::Read, _, Outcome::Ok(Value::Nil)) => {
            return (state.register.is_none() && state.set.is_empty()).then_some(next);
        }
        (Function::Read, _, Outcome::Ok(Value::Set(elements))) => {
            return state.set.iter().eq(elements.iter()).then_some(next);
        }
        (Function::Read, _, Outcome::Info) => {}
        other => panic!("the oracle does not know {other:?}"),
    }
    Some(next)
}

/// Whether the operations not in `done` have an order from `state` on.
fn has_order(operations: &[&Operation], done: u32, state: &State) -> bool {
    let left = |at: &usize| done & (1 << at) == 0;
    let rest: Vec<usize> = (0..operations.len()).filter(left).collect();
    if rest.iter().all(|at| operations[*at].outcome == Outcome::Info) {
        return true;
    }
    rest.iter().any(|&at| {
        let first = rest.iter().all(|&other| {
            let certain = matches!(operations[other].outcome, Outcome::Ok(_));
            !certain || operations[other].completed.unwrap() > operations[at].invoked
        });
        first
            && apply(state, operations[at])
                .is_some_and(|next| has_order(operations, done | 1 << at, &next))
    })
}

fn oracle(history: &History) -> bool {
    let happened = |operation: &&Operation| operation.outcome != Outcome::Fail;
    let operations: Vec<&Operation> = history.operations().iter().filter(happened).collect();
    assert!(operations.len() <= 10, "the oracle is not for long histories");
    has_order(&operations, 0, &State::default())
}

fn by_search(shape: Shape, history: &History) -> bool {
    let operations: Vec<&Operation> = history.operations().iter().collect();
    let budget = Budget::default();
    let (found, spent) = match shape {
        Shape::Register { .. } | Shape::Erased => {
            let intervals = Interval::of_all(&Register, &operations).unwrap();
            let found = search(&Register, &intervals, &budget);
            (matches!(found, Found::Order), matches!(found, Found::Spent(_)))
        }
        Shape::Set { .. } => {
            let intervals = Interval::of_all(&Set, &operations).unwrap();
            let found = search(&Set, &intervals, &budget);
            (matches!(found, Found::Order), matches!(found, Found::Spent(_)))
        }
    };
    assert!(!spent, "eight operations exceed no budget");
    found
}

fn checker_for(shape: Shape) -> Linearizability {
    match shape {
        Shape::Register { .. } | Shape::Erased => Linearizability::register("k"),
        Shape::Set { .. } => Linearizability::set("k"),
    }
}

fn plan(shape: Shape, seed: u64) -> Plan {
    let lies = [0, 150, 500][seed as usize % 3];
    let operations = 2 + seed as usize % 7;
    let clients = 2 + seed as u32 % 3;
    Plan { shape, key: "k:1", operations, clients, info: 200, fail: 100, lies }
}

/// Judges thousands of small histories both ways; returns how many were linearizable, how many not.
fn agree(shape: Shape, seeds: std::ops::Range<u64>) -> (usize, usize) {
    let checker = checker_for(shape);
    let (mut good, mut bad) = (0, 0);
    for seed in seeds {
        let history = history(plan(shape, seed), &mut rng(seed));
        let truth = oracle(&history);
        assert_eq!(by_search(shape, &history), truth, "search, seed {seed}: {history:#?}");
        let finding = checker.check(&history);
        if history.operations().iter().any(|operation| matches!(operation.outcome, Outcome::Ok(_)))
        {
            let verdict = if truth { Verdict::Valid } else { Verdict::Invalid };
            assert_eq!(finding.verdict, verdict, "checker, seed {seed}: {finding:#?} {history:#?}");
        }
        if truth {
            good += 1;
        } else {
            bad += 1;
            witness_is_guilty_alone(&checker, &finding.anomalies[0], seed);
        }
    }
    (good, bad)
}

/// A witness is itself a history without an order, shows the anomaly it is given for, and no read of
/// it can be left out.
fn witness_is_guilty_alone(checker: &Linearizability, anomaly: &checker::Anomaly, seed: u64) {
    // A minimal witness of a set shows of each reply only the elements that matter; the others have
    // no add in it. What is replayed is the witness as recorded, where they would be thin air.
    let alone = canonical::replay(&anomaly.witness);
    assert!(!oracle(&alone), "seed {seed}: {anomaly:#?}");
    let registers = anomaly.witness.iter().all(|operation| operation.f != Function::Add);
    if !registers || anomaly.witness.iter().any(|o| matches!(o.reply(), Some(Value::Set(_)))) {
        return;
    }
    let again = checker.check(&alone);
    assert_eq!(again.anomalies[0].name, anomaly.name, "seed {seed}: {anomaly:#?}");
    for (at, operation) in anomaly.witness.iter().enumerate() {
        if operation.f == Function::Read {
            let mut rest = anomaly.witness.clone();
            rest.remove(at);
            assert!(oracle(&canonical::replay(&rest)), "seed {seed}: {anomaly:#?} without {at}");
        }
    }
}

#[test]
fn registers_of_unique_values_are_judged_as_by_every_order() {
    let (good, bad) = agree(Shape::Register { unique: true }, 0..40_000);
    assert!(good > 10_000 && bad > 7_000, "{good} linearizable, {bad} not");
}

#[test]
fn registers_of_repeated_values_are_judged_as_by_every_order() {
    let (good, bad) = agree(Shape::Register { unique: false }, 100_000..140_000);
    assert!(good > 10_000 && bad > 7_000, "{good} linearizable, {bad} not");
}

#[test]
fn registers_deleted_now_and_then_are_judged_as_by_every_order() {
    let (good, bad) = agree(Shape::Erased, 400_000..440_000);
    assert!(good > 10_000 && bad > 7_000, "{good} linearizable, {bad} not");
}

#[test]
fn sets_of_unique_elements_are_judged_as_by_every_order() {
    let (good, bad) = agree(Shape::Set { unique: true }, 200_000..240_000);
    assert!(good > 10_000 && bad > 7_000, "{good} linearizable, {bad} not");
}

#[test]
fn sets_of_repeated_elements_are_judged_as_by_every_order() {
    let (good, bad) = agree(Shape::Set { unique: false }, 300_000..340_000);
    assert!(good > 10_000 && bad > 7_000, "{good} linearizable, {bad} not");
}
