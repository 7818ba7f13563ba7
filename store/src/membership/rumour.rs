//! What goes from mouth to mouth.

use std::collections::BTreeMap;

use super::heartbeat::Heartbeat;
use crate::ring::NodeId;

/// What `node` last said of itself: it lives, and whom it misses.
///
/// Only `node` makes rumours of itself; others pass them on unchanged. Of two, the one with the higher
/// heartbeat is the newer and replaces the other whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rumour {
    /// Who said it.
    pub node: NodeId,
    /// When, in its own time.
    pub heartbeat: Heartbeat,
    /// Nodes it had not heard of for too long, each with the last heartbeat it knew. A suspicion is of
    /// that heartbeat: whoever knows a later one knows it to be void.
    pub suspects: BTreeMap<NodeId, Heartbeat>,
}

/// The heartbeats a node knows, by which another sees what it lacks.
pub type Digest = BTreeMap<NodeId, Heartbeat>;
