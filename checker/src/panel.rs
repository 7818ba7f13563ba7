//! Which checkers sit over a history, and how they are asked.

use crate::event::Function;
use crate::finding::{Checker, Finding};
use crate::history::History;
use crate::judge::{Activity, Convergence, Faults, Linearizability, LostWrites};
use crate::keyspace::Keyspace;
use crate::operation::Operation;

/// What each of `checkers` finds in `history`, in their order.
pub fn check_all(history: &History, checkers: &[Box<dyn Checker>]) -> Vec<Finding> {
    checkers.iter().map(|checker| checker.check(history)).collect()
}

/// The checkers that fit what `history` holds, for a history that comes without a suite.
///
/// Of every keyspace, and of keys without one together: whether anything happened; of registers
/// (keys that are written) linearizability, the strongest promise a register can give; of sets (keys
/// that are added to) that no acknowledged add is lost, the promise of a store whose writes commute,
/// with stale reads counted in its summary but not held against it, as in Jepsen. Where replicas were
/// read, also convergence and, of registers, lost writes; where the nemesis spoke, also the evidence
/// of its faults.
pub fn for_history(history: &History) -> Vec<Box<dyn Checker>> {
    let mut checkers: Vec<Box<dyn Checker>> = Vec::new();
    let mut keyspaces: Vec<Keyspace> =
        history.keyspaces().into_iter().map(Keyspace::from).collect();
    let bare =
        |operation: &Operation| operation.key.as_deref().is_none_or(|key| !key.contains(':'));
    if keyspaces.is_empty() || history.operations().iter().any(bare) {
        keyspaces = vec![Keyspace::all()];
    }
    for keyspace in keyspaces {
        checkers.extend(for_keyspace(&keyspace, history));
    }
    if !history.faults().is_empty() {
        checkers.push(Box::new(Faults::new()));
    }
    checkers
}

fn for_keyspace(keyspace: &Keyspace, history: &History) -> Vec<Box<dyn Checker>> {
    let keys = keyspace.by_key(history);
    let uses = |f: Function| keys.values().flatten().any(|operation| operation.f == f);
    let (set, replicas) = (uses(Function::Add), uses(Function::ReadReplica));
    let mut checkers: Vec<Box<dyn Checker>> = vec![Box::new(Activity::new(keyspace.clone()))];
    if !set || uses(Function::Write) {
        checkers.push(Box::new(Linearizability::register(keyspace.clone())));
    }
    if set || replicas {
        checkers.push(Box::new(LostWrites::new(keyspace.clone())));
    }
    if replicas {
        checkers.push(Box::new(Convergence::new(keyspace.clone())));
    }
    checkers
}
