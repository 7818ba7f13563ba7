//! Do all replicas of a key hold the same in the end?
//!
//! Judged from reads of every replica directly, not through a coordinator, whose read repair would
//! mend what it is asked about. Values and versions must be equal: equal values under different
//! versions still differ, for the next write will be merged differently.
//!
//! Source: Vogels, "Eventually Consistent", 2009; DeCandia et al., "Dynamo", SOSP 2007, §4.7.

use crate::event::Value;
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
        if let Some(anomaly) = divergence(&replicas.copies) {
            return Judgement::Broken(vec![anomaly]);
        }
        if !replicas.were_asked() {
            return Judgement::Open("no replica was read".to_owned());
        }
        let answered = replicas.copies.len();
        let expected =
            self.replicas.unwrap_or(if replicas.silent.is_empty() { 1 } else { usize::MAX });
        if answered >= expected {
            return Judgement::Kept;
        }
        let wanted = self.replicas.map(|wanted| format!(" of {wanted}")).unwrap_or_default();
        let silent = match replicas.silent.as_slice() {
            [] => String::new(),
            nodes => format!(", {} did not answer", nodes.join(" ")),
        };
        Judgement::Open(format!("{answered}{wanted} replicas answered{silent}"))
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

/// Two copies that differ, if there are any: the first, and the first that is unlike it.
fn divergence(copies: &[&Operation]) -> Option<Anomaly> {
    let first = *copies.first()?;
    let held = |copy: &Operation| (copy.reply().cloned(), copy.version.clone());
    let other = *copies.iter().find(|copy| held(copy) != held(first))?;
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

/// `n1 holds {1 2} (version a)`.
fn holding(copy: &Operation) -> String {
    let value = copy.reply().map_or_else(|| shorten(&Value::Nil), shorten);
    let version = copy.version.as_deref().map(|version| format!(" (version {version})"));
    let node = copy.node.as_deref().unwrap_or("a node");
    format!("{node} holds {value}{}", version.unwrap_or_default())
}
