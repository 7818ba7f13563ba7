//! Who has answered, who has refused, and whether that is enough.

use std::collections::BTreeSet;
use std::fmt;

use crate::ring::NodeId;

/// How far a quorum is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Too few have answered, and enough may yet.
    Pending,
    /// Enough have answered.
    Met,
    /// So many have refused that the rest are too few, unless one who was given up answers late.
    Unreachable,
}

/// Who has answered, who has refused, and how many are needed.
///
/// Prints as `needs 2 of 3, 1 acknowledged: n2; refused: n1, n3`, the verb before it being the
/// quorum's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    replicas: Vec<NodeId>,
    needed: usize,
    answered: BTreeSet<NodeId>,
    refused: BTreeSet<NodeId>,
}

impl Tally {
    /// Nobody of `replicas` has answered, and `needed` must. A quorum of none would be met by
    /// silence, so `needed` is at least 1.
    pub(super) fn new(replicas: impl IntoIterator<Item = NodeId>, needed: usize) -> Tally {
        let mut distinct: Vec<NodeId> = Vec::new();
        for replica in replicas {
            if !distinct.contains(&replica) {
                distinct.push(replica);
            }
        }
        Tally {
            replicas: distinct,
            needed: needed.max(1),
            answered: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Counts an answer. Returns whether it is the first of a replica.
    ///
    /// An answer after a refusal counts: a replica given up as late did answer after all.
    pub(super) fn answer(&mut self, from: &NodeId) -> bool {
        let counts = self.replicas.contains(from) && self.answered.insert(from.clone());
        if counts {
            self.refused.remove(from);
        }
        counts
    }

    /// Counts an error or a timeout, unless that replica has answered.
    pub(super) fn refuse(&mut self, from: &NodeId) {
        if self.replicas.contains(from) && !self.answered.contains(from) {
            self.refused.insert(from.clone());
        }
    }

    /// How far the quorum is.
    pub fn progress(&self) -> Progress {
        if self.answered.len() >= self.needed {
            Progress::Met
        } else if self.replicas.len() - self.refused.len() < self.needed {
            Progress::Unreachable
        } else {
            Progress::Pending
        }
    }

    /// How many answers are needed.
    pub fn needed(&self) -> usize {
        self.needed
    }

    /// How many have answered.
    pub fn answered(&self) -> usize {
        self.answered.len()
    }

    /// Whether `node` has answered.
    pub fn has_answered(&self, node: &NodeId) -> bool {
        self.answered.contains(node)
    }

    /// The replicas, in the order of the preference list.
    pub fn replicas(&self) -> &[NodeId] {
        &self.replicas
    }

    /// Replicas that have not answered, whether they refused or are still silent.
    pub fn missing(&self) -> Vec<NodeId> {
        self.those(|node| !self.answered.contains(node))
    }

    /// Replicas that have neither answered nor refused.
    pub fn silent(&self) -> Vec<NodeId> {
        self.those(|node| !self.answered.contains(node) && !self.refused.contains(node))
    }

    fn those(&self, holds: impl Fn(&NodeId) -> bool) -> Vec<NodeId> {
        self.replicas.iter().filter(|node| holds(node)).cloned().collect()
    }

    /// `needs 2 of 3, 1 <done>: n2; refused: n1; silent: n3`, empty lists left out.
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>, done: &str) -> fmt::Result {
        let answered = self.those(|node| self.answered.contains(node));
        let refused = self.those(|node| self.refused.contains(node));
        write!(f, "needs {} of {}, {} {done}", self.needed, self.replicas.len(), answered.len())?;
        list(f, ": ", &answered)?;
        list(f, "; refused: ", &refused)?;
        list(f, "; silent: ", &self.silent())
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, nodes: &[NodeId]) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        write!(f, "{}{node}", if i == 0 { title } else { ", " })?;
    }
    Ok(())
}
