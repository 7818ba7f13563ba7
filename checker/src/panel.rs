//! Which checkers sit over a history, and how they are asked.

use crate::event::{Event, Function, Process};
use crate::finding::{Checker, Finding};
use crate::history::History;
use crate::judge::{
    Activity, Convergence, Crashes, Faults, Linearizability, LostWrites, Quiescence, Reaping,
    Resurrection,
};
use crate::keyspace::Keyspace;
use crate::model::Shape;
use crate::operation::Operation;
use crate::search::Budget;

/// What each of `checkers` finds in `history`, in their order.
pub fn check_all(history: &History, checkers: &[Box<dyn Checker>]) -> Vec<Finding> {
    checkers.iter().map(|checker| checker.check(history)).collect()
}

/// The checkers that fit what `history` holds, for a history that comes without a suite.
///
/// Of every keyspace, and of keys without one together: whether anything happened; of registers
/// (keys that are written) linearizability, the strongest promise a register can give; of sets (keys
/// that are added to) that no acknowledged add is lost, the promise of a store whose writes commute,
/// with stale reads counted in its summary but not held against it, as in Jepsen; of siblings (keys
/// that are overwritten and hold several values) that no acknowledged write is lost and none that was
/// deleted comes back; of registers that were deleted the latter too. Where replicas were read, also
/// convergence and, of registers, lost writes; where the nemesis spoke, also the evidence of its faults, the nodes that ended by
/// themselves, whether the replicas came to rest, and whether tombstones were reaped. Each key is searched
/// within `budget`.
pub fn for_history(history: &History, budget: &Budget) -> Vec<Box<dyn Checker>> {
    let mut checkers: Vec<Box<dyn Checker>> = Vec::new();
    let mut keyspaces: Vec<Keyspace> =
        history.keyspaces().into_iter().map(Keyspace::from).collect();
    let bare =
        |operation: &Operation| operation.key.as_deref().is_none_or(|key| !key.contains(':'));
    if keyspaces.is_empty() || history.operations().iter().any(bare) {
        keyspaces = vec![Keyspace::all()];
    }
    for keyspace in keyspaces {
        checkers.extend(for_keyspace(&keyspace, history, budget));
    }
    if !history.faults().is_empty() {
        checkers.push(Box::new(Faults::new()));
    }
    let noted = |word: &str| {
        let said = |event: &Event| matches!(&event.f, Function::Other(f) if f == word);
        history.events().iter().any(|event| event.process == Process::Nemesis && said(event))
    };
    if noted("crash") {
        checkers.push(Box::new(Crashes));
    }
    if noted("quiesce") {
        checkers.push(Box::new(Quiescence));
    }
    if noted("reaped") {
        checkers.push(Box::new(Reaping));
    }
    checkers
}

fn for_keyspace(keyspace: &Keyspace, history: &History, budget: &Budget) -> Vec<Box<dyn Checker>> {
    let keys = keyspace.by_key(history);
    let uses = |f: Function| keys.values().flatten().any(|operation| operation.f == f);
    let operations: Vec<&Operation> = keys.values().flatten().copied().collect();
    let (shape, replicas) = (Shape::of(&operations), uses(Function::ReadReplica));
    let mut checkers: Vec<Box<dyn Checker>> = vec![Box::new(Activity::new(keyspace.clone()))];
    if shape == Shape::Register || shape == Shape::Set && uses(Function::Write) {
        let register = Linearizability::register(keyspace.clone());
        checkers.push(Box::new(register.within(budget.clone())));
    }
    if shape != Shape::Register || replicas {
        checkers.push(Box::new(LostWrites::new(keyspace.clone())));
    }
    if shape == Shape::Siblings || uses(Function::Delete) {
        checkers.push(Box::new(Resurrection::new(keyspace.clone())));
    }
    if replicas {
        checkers.push(Box::new(Convergence::new(keyspace.clone())));
    }
    checkers
}
