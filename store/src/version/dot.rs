//! One write, named so that nobody else's write can bear the same name.
//!
//! An [`Actor`] numbers its own writes of a key 1, 2, 3, …; a [`Dot`] is one of those numbers.
//! Everything the version vectors promise rests on a dot never being given twice. A node that lost
//! its data would count from 1 again, and others, who know of those dots already, would take its
//! new writes for old ones and drop them in silence. So an actor is a node *in one epoch*: a node
//! that starts with an empty disk takes a fresh epoch, and is somebody else.
//!
//! Source: Preguiça et al., "Dotted Version Vectors", arXiv 1011.5808, 2010 (the dot); Almeida et
//! al., "Scalable and accurate causality tracking for eventually consistent stores", DAIS 2014.

use std::fmt;

use crate::ring::NodeId;

/// A node in one epoch of its life: who numbers writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    /// The node.
    pub node: NodeId,
    /// Rises whenever the node may have forgotten a dot it gave.
    pub epoch: u64,
}

impl Actor {
    /// `node` in its `epoch`.
    pub fn new(node: NodeId, epoch: u64) -> Actor {
        Actor { node, epoch }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.epoch)
    }
}

/// One write: the `counter`-th of its actor to a key, from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Who wrote.
    pub actor: Actor,
    /// Which of its writes to this key.
    pub counter: u64,
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.actor, self.counter)
    }
}
