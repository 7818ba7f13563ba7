//! Consistent hashing: which node owns which part of the circle, so that a change of members moves
//! only the keys it must.
//!
//! Every node takes its place on the circle of 2^64 many times, as *virtual nodes*: [`SHARE`] for
//! each share of its weight, the i-th at the hash of `node/i`. A key belongs to the first virtual
//! node at or after its token. Many small arcs a node even out the luck of the hash, let weight
//! speak, and spread a lost node's load over all the others instead of doubling its neighbour's.
//!
//! Invariants: the ring is a function of the members and their weights alone (no order of joining,
//! no randomness), so nodes that agree on the members agree on every key; a node that joins takes
//! keys for itself and moves none between others.
//!
//! Source: Karger et al., "Consistent Hashing and Random Trees", STOC 1997; DeCandia et al.,
//! "Dynamo", SOSP 2007, §4.2 (virtual nodes) and §6.2, strategy 1 (tokens by hash, one range each).
//! Departure: racks and data centres are not yet known to the walk.

mod node;
mod preference;
mod replica_set;
mod token;

pub use node::{NameError, NodeId};
pub use preference::PreferenceList;
pub use replica_set::ReplicaSet;
pub use token::Token;

use std::collections::{BTreeMap, BTreeSet};

/// Virtual nodes for each share of weight.
///
/// With v virtual nodes a node's load strays from its share by about 1/√v: an eighth at 64.
pub const SHARE: u32 = 64;

/// All virtual nodes of a cluster, ascending by token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    points: Vec<(Token, NodeId)>,
    members: usize,
}

impl Ring {
    /// The ring of these members and their weights, in shares. A weight of 0 takes no keys; of a
    /// node named twice the last weight holds.
    pub fn new(members: impl IntoIterator<Item = (NodeId, u32)>) -> Ring {
        let members: BTreeMap<NodeId, u32> =
            members.into_iter().filter(|(_, weight)| *weight > 0).collect();
        let mut points: Vec<(Token, NodeId)> = members
            .iter()
            .flat_map(|(node, &weight)| {
                (0..weight.saturating_mul(SHARE))
                    .map(move |i| (virtual_token(node, i), node.clone()))
            })
            .collect();
        points.sort_unstable();
        Ring { points, members: members.len() }
    }

    /// How many nodes take keys.
    pub fn members(&self) -> usize {
        self.members
    }

    /// The virtual nodes, ascending by token.
    pub fn points(&self) -> &[(Token, NodeId)] {
        &self.points
    }

    /// Who answers for a key at `token` that is kept `n` times: the distinct nodes met on one lap
    /// clockwise from it. The first `n` are primaries, the rest fallbacks.
    pub fn preference(&self, token: Token, n: usize) -> PreferenceList {
        let mut nodes = self.walk(token, self.members);
        let fallbacks = nodes.split_off(n.min(nodes.len()));
        PreferenceList { primaries: nodes, fallbacks }
    }

    /// The distinct sets of primaries over all arcs, for keys kept `n` times, ascending.
    ///
    /// Each is a group of nodes that hold the same keys, and so may compare one Merkle tree.
    pub fn replica_sets(&self, n: usize) -> Vec<ReplicaSet> {
        let sets: BTreeSet<ReplicaSet> =
            self.points.iter().map(|(token, _)| ReplicaSet::new(self.walk(*token, n))).collect();
        sets.into_iter().collect()
    }

    /// The first `limit` members, each where its first virtual node is met clockwise from `token`.
    fn walk(&self, token: Token, limit: usize) -> Vec<NodeId> {
        let start = self.points.partition_point(|(at, _)| *at < token);
        let (before, after) = self.points.split_at(start);
        let wanted = limit.min(self.members);
        let mut met: Vec<NodeId> = Vec::with_capacity(wanted);
        for (_, node) in after.iter().chain(before) {
            if met.len() == wanted {
                break;
            }
            // Clusters are small: a look through a short list beats hashing names.
            if !met.contains(node) {
                met.push(node.clone());
            }
        }
        met
    }
}

fn virtual_token(node: &NodeId, i: u32) -> Token {
    Token::of(format!("{node}/{i}").as_bytes())
}

#[cfg(test)]
mod tests;
