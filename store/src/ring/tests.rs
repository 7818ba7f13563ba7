//! The laws of the ring, and what it says for a few clusters one can read.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::script;

fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

/// A ring of `n1`, `n2`, … with these weights.
fn ring(weights: &[u32]) -> Ring {
    Ring::new(weights.iter().enumerate().map(|(i, w)| (node(&format!("n{}", i + 1)), *w)))
}

fn names(nodes: &[NodeId]) -> String {
    nodes.iter().map(NodeId::as_str).collect::<Vec<_>>().join(" ")
}

#[test]
fn preference_lists_are_as_written() {
    let mut ring = Ring::new([]);
    script::replay("ring.txt", |verb, words| match verb {
        "members" => {
            ring = Ring::new(words.iter().map(|word| {
                let (name, weight) = word.split_once('*').unwrap_or((word, "1"));
                (node(name), weight.parse().unwrap())
            }));
            format!("{} members, {} virtual nodes", ring.members(), ring.points().len())
        }
        "prefer" => {
            let n = words[0].parse().unwrap();
            let lines = words[1..].iter().map(|key| {
                let token = Token::of(key.as_bytes());
                let list = ring.preference(token, n);
                let (primaries, fallbacks) = (names(&list.primaries), names(&list.fallbacks));
                format!("{key} at {token}: {primaries} | {fallbacks}").trim_end().to_owned()
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        "sets" => {
            let sets = ring.replica_sets(words[0].parse().unwrap());
            sets.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        other => panic!("no command {other}"),
    });
}

#[test]
fn a_key_on_a_virtual_node_belongs_to_it() {
    let ring = ring(&[1, 1, 1]);
    for (token, owner) in ring.points() {
        assert_eq!(ring.preference(*token, 1).primaries, std::slice::from_ref(owner));
    }
}

#[test]
fn a_token_past_the_last_virtual_node_belongs_to_the_first() {
    let ring = ring(&[1, 1, 1]);
    let (last, first) = (&ring.points()[ring.points().len() - 1], &ring.points()[0]);
    assert!(last.0 < Token(u64::MAX));
    assert_eq!(ring.preference(Token(last.0.0 + 1), 1).primaries, std::slice::from_ref(&first.1));
    assert_eq!(ring.preference(Token(u64::MAX), 3), ring.preference(Token(0), 3));
}

#[test]
fn a_ring_of_nobody_prefers_nobody() {
    for ring in [Ring::new([]), ring(&[0, 0])] {
        let list = ring.preference(Token(7), 3);
        assert_eq!((list.primaries, list.fallbacks), (vec![], vec![]));
        assert_eq!(ring.replica_sets(3), []);
    }
}

#[test]
fn load_follows_weight() {
    let weights = [1, 1, 2, 4];
    let ring = ring(&weights);
    let mut held: BTreeMap<NodeId, u32> = BTreeMap::new();
    let keys = 80_000;
    for key in 0..keys {
        let list = ring.preference(Token::of(format!("key:{key}").as_bytes()), 1);
        *held.entry(list.primaries[0].clone()).or_default() += 1;
    }
    for (i, weight) in weights.iter().enumerate() {
        let fair = f64::from(keys * weight) / 8.0;
        let share = f64::from(held[&node(&format!("n{}", i + 1))]) / fair;
        // About 1/√64 of a share is one standard deviation; the hash is fixed, so this cannot flicker.
        assert!((0.7..1.3).contains(&share), "n{} holds {share:.2} of its share", i + 1);
    }
}

/// Who comes first, computed another way: every node at its least distance clockwise from the token.
fn by_distance(ring: &Ring, token: Token) -> Vec<NodeId> {
    let mut nearest: BTreeMap<&NodeId, u64> = BTreeMap::new();
    for (at, node) in ring.points() {
        let distance = at.0.wrapping_sub(token.0);
        nearest.entry(node).and_modify(|d| *d = distance.min(*d)).or_insert(distance);
    }
    let mut nodes: Vec<(u64, &NodeId)> = nearest.into_iter().map(|(n, d)| (d, n)).collect();
    nodes.sort_unstable();
    nodes.into_iter().map(|(_, node)| node.clone()).collect()
}

proptest! {
    #[test]
    fn a_preference_list_is_every_member_once_nearest_first(
        weights in prop::collection::vec(0u32..4, 0..8), token: u64, n in 0usize..9,
    ) {
        let ring = ring(&weights);
        let members = weights.iter().filter(|weight| **weight > 0).count();
        let list = ring.preference(Token(token), n);
        prop_assert_eq!(list.primaries.len(), n.min(members));
        prop_assert_eq!([list.primaries, list.fallbacks].concat(), by_distance(&ring, Token(token)));
    }

    #[test]
    fn the_order_of_joining_does_not_matter(weights in prop::collection::vec(1u32..4, 1..7)) {
        let members: Vec<(NodeId, u32)> =
            weights.iter().enumerate().map(|(i, w)| (node(&format!("n{i}")), *w)).collect();
        prop_assert_eq!(Ring::new(members.clone()), Ring::new(members.into_iter().rev()));
    }

    /// Read from right to left it is the law of leaving: nothing moves but what the leaver held.
    #[test]
    fn a_node_that_joins_takes_keys_and_moves_none_between_others(
        weights in prop::collection::vec(1u32..4, 1..7), weight in 1u32..4, tokens: [u64; 32],
    ) {
        let before = ring(&weights);
        let after = ring(&[&weights[..], &[weight]].concat());
        let joined = node(&format!("n{}", weights.len() + 1));
        for token in tokens.map(Token) {
            let without = |list: PreferenceList| {
                let mut nodes = [list.primaries, list.fallbacks].concat();
                nodes.retain(|node| *node != joined);
                nodes
            };
            prop_assert_eq!(without(after.preference(token, 3)), without(before.preference(token, 3)));
        }
    }

    #[test]
    fn a_higher_weight_only_adds_virtual_nodes(weights in prop::collection::vec(1u32..4, 1..7)) {
        let mut heavier = weights.clone();
        heavier[0] += 1;
        let (before, after) = (ring(&weights), ring(&heavier));
        prop_assert!(before.points().iter().all(|point| after.points().contains(point)));
        prop_assert_eq!(after.points().len(), before.points().len() + SHARE as usize);
    }

    #[test]
    fn every_key_belongs_to_one_of_the_replica_sets(
        weights in prop::collection::vec(1u32..3, 1..6), token: u64, n in 1usize..5,
    ) {
        let ring = ring(&weights);
        let sets = ring.replica_sets(n);
        prop_assert!(sets.contains(&ring.preference(Token(token), n).replica_set()));
        prop_assert!(sets.is_sorted_by(|a, b| a < b), "sets are not distinct and ascending");
    }
}
