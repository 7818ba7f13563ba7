//! Do all replicas of a key hold the same in the end?
//!
//! Judged from reads of every replica directly, not through a coordinator, whose read repair would
//! mend what it is asked about. Values and versions must be equal: equal values under different
//! versions still differ, for the next write will be merged differently. Of a key that was deleted one
//! replica may still hold a tombstone that another has dropped already: a store that drops tombstones
//! does so in its own time, and neither shows a value. Copies read while clients were still writing may
//! differ, and prove nothing.
//!
//! Source: Vogels, "Eventually Consistent", 2009; DeCandia et al., "Dynamo", SOSP 2007, §4.7.

use crate::event::{Function, Value};
use crate::finding::{Anomaly, Checker, Finding};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::operation::Operation;
use crate::prose::{Cast, enumerate, shorten};
use crate::replica::Replicas;
use crate::tally::{Judgement, Tally};

/// Judges whether all replicas of each key hold the same.
pub struct Convergence {
    keyspace: Keyspace,
    replicas: Option<usize>,
}

impl Convergence {
    /// Judges the keys of `keyspace`: every node asked must answer, or say that it is no replica.
    pub fn new(keyspace: impl Into<Keyspace>) -> Convergence {
        Convergence { keyspace: keyspace.into(), replicas: None }
    }

    /// And at least this many must answer for each key.
    #[must_use]
    pub fn with_replicas(self, replicas: usize) -> Convergence {
        Convergence { replicas: Some(replicas), ..self }
    }

    fn judge(&self, operations: &[&Operation]) -> Judgement {
        let replicas = Replicas::of(operations);
        let deletes = |operation: &&Operation| operation.f == Function::Delete;
        let is_deleted = operations.iter().any(|o| deletes(o) && o.may_have_happened());
        match (divergence(&replicas.copies, is_deleted), replicas.lack(self.replicas)) {
            (Some(_), _) if are_disturbed(&replicas.copies, operations) => Judgement::Open(
                "its copies differ, but it was updated while they were read".to_owned(),
            ),
            (Some(anomaly), _) => Judgement::Broken(vec![anomaly]),
            (None, Some(lack)) => Judgement::Open(lack),
            (None, None) => Judgement::Kept,
        }
    }
}

impl Checker for Convergence {
    fn name(&self) -> &'static str {
        "convergence"
    }

    fn check(&self, history: &History) -> Finding {
        let keys = self.keyspace.by_key(history).into_iter();
        let judged = keys.map(|(key, mut operations)| {
            let judgement = self.judge(&operations);
            operations.retain(|operation| !operation.is_coordinated());
            (key.to_owned(), operations.len(), judgement)
        });
        Tally::of(judged).finding(self.name(), &self.keyspace, "equal on all replicas")
    }
}

/// Whether an update was still under way while `copies` were read: then they may differ in good
/// faith. One that had ended as `info` by then is not held to be: who reads replicas lets them come
/// to rest first, and nothing could be judged otherwise.
fn are_disturbed(copies: &[&Operation], operations: &[&Operation]) -> bool {
    let first = copies.iter().map(|copy| copy.invoked).min();
    let last = copies.iter().filter_map(|copy| copy.completed).max();
    let overlaps = |update: &Operation| {
        Some(update.invoked) < last && update.completed.is_some_and(|line| Some(line) > first)
    };
    operations.iter().any(|o| o.is_update() && o.may_have_happened() && overlaps(o))
}

/// Two copies that differ, if there are any: the first pair in the order of the nodes.
fn divergence(copies: &[&Operation], is_deleted: bool) -> Option<Anomaly> {
    let pairs = copies.iter().enumerate().flat_map(|(at, one)| {
        let others = copies[at + 1..].iter();
        others.map(move |other| (*one, *other))
    });
    let (first, other) = pairs.into_iter().find(|(one, other)| !agree(one, other, is_deleted))?;
    let cast = Cast::new([first, other]);
    let copies: Vec<String> = copies.iter().map(|copy| holding(copy)).collect();
    let differ = if first.reply() == other.reply() { "versions" } else { "values" };
    Some(Anomaly {
        name: "divergent replicas".to_owned(),
        key: first.key.clone(),
        witness: cast.witness(),
        because: format!(
            "{} In the end {}. However all replicas of a key must hold the same: their {differ} \
             differ.",
            cast.introduction(),
            enumerate(&copies)
        ),
    })
}

/// Whether two copies hold the same, or of a key that was deleted one holds a tombstone and the other
/// none any more.
fn agree(one: &Operation, other: &Operation, is_deleted: bool) -> bool {
    let holds_nothing = |copy: &Operation| copy.version.as_deref().is_none_or(str::is_empty);
    let shows_nothing =
        |copy: &Operation| copy.reply().and_then(Value::elements).is_some_and(<[i64]>::is_empty);
    let is_dropped = is_deleted
        && shows_nothing(one)
        && shows_nothing(other)
        && (holds_nothing(one) || holds_nothing(other));
    is_dropped || one.reply() == other.reply() && one.version == other.version
}

/// `n1 holds {1 2} (version a)`.
fn holding(copy: &Operation) -> String {
    let value = copy.reply().map_or_else(|| shorten(&Value::Nil), shorten);
    let version = copy.version.as_deref().filter(|version| !version.is_empty());
    let version = version.map(|version| format!(" (version {version})"));
    let node = copy.node.as_deref().unwrap_or("a node");
    format!("{node} holds {value}{}", version.unwrap_or_default())
}
