//! Where a key lives: its keyspace, its primaries, and the Merkle tree it is counted in.
//!
//! The ring is walked once, when a node starts: for every arc and keyspace the primaries are looked
//! up and kept, so that placing a key is one hash and one binary search. Arcs with the same
//! primaries (and stand-ins) in the same order share one [`Home`]; homes of one keyspace with the same primaries in
//! any order share one tree.
//!
//! Invariant: nodes with the same configuration place every key alike and name their trees alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{Config, Keyspace, Quorum};
use crate::ring::{NameError, NodeId, PreferenceList, ReplicaSet, Ring, Token};

/// Under this name the default keyspace is stored and its trees are shown.
pub const DEFAULT_KEYSPACE: &str = "default";

/// Place of a tree in the list of all trees of the cluster.
pub type TreeId = usize;

/// Where keys of one keyspace and one walk of the ring live.
#[derive(Debug)]
pub struct Home {
    /// Name of the keyspace.
    pub keyspace: Arc<str>,
    /// What the keyspace promises.
    pub settings: Keyspace,
    /// The nodes that hold the key, nearest first.
    pub primaries: Arc<[NodeId]>,
    /// Who stands in for them, in order; nobody where quorums are strict.
    pub stand_ins: Arc<[NodeId]>,
    /// Whether this node is one of the primaries.
    pub is_mine: bool,
    /// The tree that counts these keys.
    pub tree: TreeId,
}

/// A group of keys whose replicas compare them by one Merkle tree.
#[derive(Debug)]
pub struct Tree {
    /// `keyspace/n1,n2,n3`.
    pub name: String,
    /// Of which keyspace.
    pub keyspace: Arc<str>,
    /// Who holds these keys.
    pub replicas: ReplicaSet,
}

/// Where every key lives.
#[derive(Debug)]
pub struct Placement {
    me: NodeId,
    /// The start of every arc, ascending.
    tokens: Vec<Token>,
    /// For each keyspace, the home of each arc.
    keyspaces: BTreeMap<String, Vec<Arc<Home>>>,
    default: Vec<Arc<Home>>,
    trees: Vec<Tree>,
}

impl Placement {
    /// Where every key lives in the cluster of `config`, seen from its node.
    pub fn new(config: &Config) -> Result<Placement, NameError> {
        let members: Result<Vec<(NodeId, u32)>, NameError> = config
            .members
            .iter()
            .map(|member| Ok((NodeId::new(&member.node)?, member.weight)))
            .collect();
        let ring = Ring::new(members?);
        let mut survey = Survey { me: NodeId::new(&config.node)?, ring: &ring, trees: Vec::new() };
        let keyspaces = config
            .keyspaces
            .iter()
            .map(|(name, settings)| (name.clone(), survey.homes(name, settings)))
            .collect();
        let default = survey.homes(DEFAULT_KEYSPACE, &config.default);
        let Survey { me, trees, .. } = survey;
        let tokens = ring.points().iter().map(|(token, _)| *token).collect();
        Ok(Placement { me, tokens, keyspaces, default, trees })
    }

    /// This node.
    pub fn me(&self) -> &NodeId {
        &self.me
    }

    /// Where `key` lives.
    pub fn home(&self, key: &[u8]) -> &Arc<Home> {
        let mut homes = &self.default;
        if !self.keyspaces.is_empty() {
            let named = keyspace_prefix(key).and_then(|name| self.keyspaces.get(name));
            homes = named.unwrap_or(homes);
        }
        let arc = self.tokens.partition_point(|start| *start < Token::of(key));
        &homes[if arc == homes.len() { 0 } else { arc }]
    }

    /// Every tree of the cluster.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Trees this node belongs to, ascending by name.
    pub fn my_trees(&self) -> impl Iterator<Item = (TreeId, &Tree)> {
        let mine = |(_, tree): &(TreeId, &Tree)| tree.replicas.contains(&self.me);
        let mut trees: Vec<_> = self.trees.iter().enumerate().filter(mine).collect();
        trees.sort_unstable_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        trees.into_iter()
    }

    /// Other nodes that hold some of the keys that this node holds, ascending.
    pub fn fellows(&self) -> BTreeSet<NodeId> {
        let all = self.my_trees().flat_map(|(_, tree)| tree.replicas.nodes());
        all.filter(|node| **node != self.me).cloned().collect()
    }

    /// The tree of this name that this node and `other` belong to.
    pub fn shared_tree(&self, name: &str, other: &NodeId) -> Option<TreeId> {
        let id = self.trees.iter().position(|tree| tree.name == name)?;
        let replicas = &self.trees[id].replicas;
        (replicas.contains(&self.me) && replicas.contains(other)).then_some(id)
    }
}

/// What stands before the first colon.
fn keyspace_prefix(key: &[u8]) -> Option<&str> {
    let colon = key.iter().position(|&byte| byte == b':')?;
    std::str::from_utf8(&key[..colon]).ok()
}

/// The one walk over the ring.
struct Survey<'a> {
    me: NodeId,
    ring: &'a Ring,
    trees: Vec<Tree>,
}

impl Survey<'_> {
    fn homes(&mut self, name: &str, settings: &Keyspace) -> Vec<Arc<Home>> {
        let keyspace: Arc<str> = name.into();
        let sets: BTreeSet<ReplicaSet> = self.ring.replica_sets(settings.n).into_iter().collect();
        let first = self.trees.len();
        self.trees.extend(sets.iter().map(|set| Tree {
            name: format!("{name}/{set}"),
            keyspace: keyspace.clone(),
            replicas: set.clone(),
        }));
        let mut known: BTreeMap<PreferenceList, Arc<Home>> = BTreeMap::new();
        let points = self.ring.points().iter();
        points
            .map(|(token, _)| {
                let mut list = self.ring.preference(*token, settings.n);
                if settings.quorum == Quorum::Strict {
                    list.fallbacks.clear();
                }
                let rank = sets.range(..list.replica_set()).count();
                let home = known.entry(list.clone()).or_insert_with(|| {
                    Arc::new(Home {
                        keyspace: keyspace.clone(),
                        settings: settings.clone(),
                        is_mine: list.has_primary(&self.me),
                        primaries: list.primaries.into(),
                        stand_ins: list.fallbacks.into(),
                        tree: first + rank,
                    })
                });
                home.clone()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;

    fn placement(node: &str) -> Placement {
        let member = |i| {
            let (client, peer) = (7000 + i, 8000 + i);
            format!("{{node: n{i}, client: '127.0.0.1:{client}', peer: '127.0.0.1:{peer}'}}")
        };
        let yaml = format!(
            "{{cluster: demo, node: {node}, data: /nowhere, members: [{}], \
             keyspaces: {{a: {{policy: register, n: 3, r: 2, w: 2}}}}}}",
            (1..=5).map(member).collect::<Vec<_>>().join(", ")
        );
        Placement::new(&serde_yaml::from_str(&yaml).unwrap()).unwrap()
    }

    #[test]
    fn a_key_lives_where_the_ring_says() {
        let placement = placement("n1");
        let ring = Ring::new((1..=5).map(|i| (NodeId::new(&format!("n{i}")).unwrap(), 1)));
        for i in 0..500 {
            let key = format!("a:{i}");
            let home = placement.home(key.as_bytes());
            let list = ring.preference(Token::of(key.as_bytes()), 3);
            assert_eq!(*home.primaries, *list.primaries, "{key}");
            assert_eq!(placement.trees()[home.tree].replicas, list.replica_set(), "{key}");
            assert_eq!(home.is_mine, list.has_primary(placement.me()), "{key}");
        }
    }

    #[test]
    fn a_prefix_that_names_no_keyspace_belongs_to_the_default() {
        let placement = placement("n1");
        assert_eq!(placement.home(b"a:1").settings.policy, Policy::Register);
        for key in [&b"b:1"[..], b"a", b":", b"", b"\xff:1"] {
            assert_eq!(&*placement.home(key).keyspace, DEFAULT_KEYSPACE, "{key:?}");
        }
    }

    #[test]
    fn replicas_name_their_shared_trees_alike() {
        let (one, two) = (placement("n1"), placement("n2"));
        let names = |placement: &Placement, other: &str| -> Vec<String> {
            let other = NodeId::new(other).unwrap();
            placement
                .my_trees()
                .filter(|(_, tree)| tree.replicas.contains(&other))
                .map(|(_, tree)| tree.name.clone())
                .collect()
        };
        assert_eq!(names(&one, "n2"), names(&two, "n1"));
        assert_eq!(names(&one, "n2")[0], "a/n1,n2,n3");
    }
}
