//! Who has answered, who has refused, and whether that is enough.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

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

/// What was heard of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    Answer,
    Refusal,
}

/// Who has answered, who has refused, and how many are needed.
///
/// Prints as `needs 2 of 3, 1 acknowledged: n2; refused: n1, n3`, the verb before it being the
/// quorum's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    replicas: Arc<[NodeId]>,
    needed: usize,
    /// Of each replica, at its place in the list.
    heard: SmallVec<[Heard; 8]>,
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
        Tally::of(distinct.into(), needed)
    }

    /// The same. *Requires* that no node stands in the list twice.
    pub(super) fn of(replicas: Arc<[NodeId]>, needed: usize) -> Tally {
        let heard = SmallVec::from_elem(Heard::Nothing, replicas.len());
        Tally { replicas, needed: needed.max(1), heard }
    }

    /// Where a replica stands in the list.
    pub(super) fn place(&self, node: &NodeId) -> Option<usize> {
        self.replicas.iter().position(|replica| replica == node)
    }

    /// Counts an answer. Returns whether it is the first of a replica.
    ///
    /// An answer after a refusal counts: a replica given up as late did answer after all.
    pub(super) fn answer(&mut self, from: &NodeId) -> bool {
        let Some(place) = self.place(from) else { return false };
        std::mem::replace(&mut self.heard[place], Heard::Answer) != Heard::Answer
    }

    /// Counts an error or a timeout, unless that replica has answered.
    pub(super) fn refuse(&mut self, from: &NodeId) {
        if let Some(place) = self.place(from).filter(|&it| self.heard[it] == Heard::Nothing) {
            self.heard[place] = Heard::Refusal;
        }
    }

    /// How far the quorum is.
    pub fn progress(&self) -> Progress {
        if self.answered() >= self.needed {
            Progress::Met
        } else if self.replicas.len() - self.count(Heard::Refusal) < self.needed {
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
        self.count(Heard::Answer)
    }

    /// Whether `node` has answered.
    pub fn has_answered(&self, node: &NodeId) -> bool {
        self.place(node).is_some_and(|place| self.heard[place] == Heard::Answer)
    }

    /// The replicas, in the order of the preference list.
    pub fn replicas(&self) -> &[NodeId] {
        &self.replicas
    }

    /// The same, to share.
    pub(super) fn shared_replicas(&self) -> Arc<[NodeId]> {
        self.replicas.clone()
    }

    /// Replicas that have not answered, whether they refused or are still silent.
    pub fn missing(&self) -> Vec<NodeId> {
        self.those(|heard| heard != Heard::Answer)
    }

    /// Replicas that have neither answered nor refused.
    pub fn silent(&self) -> Vec<NodeId> {
        self.those(|heard| heard == Heard::Nothing)
    }

    fn count(&self, what: Heard) -> usize {
        self.heard.iter().filter(|heard| **heard == what).count()
    }

    fn those(&self, holds: impl Fn(Heard) -> bool) -> Vec<NodeId> {
        let replicas = self.replicas.iter().zip(&self.heard);
        replicas.filter(|(_, heard)| holds(**heard)).map(|(node, _)| node.clone()).collect()
    }

    /// `needs 2 of 3, 1 <done>: n2; refused: n1; silent: n3`, empty lists left out.
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>, done: &str) -> fmt::Result {
        let answered = self.those(|heard| heard == Heard::Answer);
        let refused = self.those(|heard| heard == Heard::Refusal);
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
