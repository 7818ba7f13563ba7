//! The tree is a function of what is held, and a walk finds exactly what differs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

type Held = BTreeMap<u16, u64>;

fn key(name: u16) -> Vec<u8> {
    format!("accounts:{name}").into_bytes()
}

fn tree(held: &Held) -> MerkleTree {
    let mut tree = MerkleTree::new();
    for (name, digest) in held {
        tree.update(&key(*name), None, Some(*digest));
    }
    tree
}

/// Walks to the end, the other tree answering. Returns the buckets and how many hashes were sent.
fn walk(ours: &MerkleTree, theirs: &MerkleTree) -> (Vec<Span>, usize) {
    let mut comparison = Comparison::new(ours, theirs.root());
    let mut sent = 1;
    while !comparison.asks().is_empty() {
        for span in comparison.asks() {
            let children = theirs.children(span).unwrap();
            sent += children.len();
            comparison.tell(ours, span, children);
        }
    }
    (comparison.buckets(), sent)
}

#[test]
fn keys_of_few_arcs_fall_into_all_buckets() {
    // Keys of one replica set lie on a few arcs: here on a 16th of the circle.
    let names = (0..u16::MAX).filter(|name| Token::of(&key(*name)).0 >> 60 == 0);
    let buckets: BTreeSet<Span> = names.map(|name| Span::bucket_of(&key(name))).collect();
    assert!(buckets.len() > BUCKETS * 9 / 10, "{} of {BUCKETS} buckets used", buckets.len());
}

#[test]
fn a_lone_difference_costs_two_rounds_of_children() {
    let held: Held = (0..5000).map(|name| (name, u64::from(name))).collect();
    let ours = tree(&held);
    let mut theirs = ours.clone();
    theirs.update(&key(77), Some(77), Some(78));
    let (buckets, sent) = walk(&ours, &theirs);
    assert_eq!(buckets, [Span::bucket_of(&key(77))]);
    assert_eq!(sent, 1 + 2 * FANOUT);
}

#[test]
fn two_keys_that_swap_their_records_do_differ() {
    // Were a bucket the XOR of its digests alone, keys that share it could swap records unseen.
    let (one, other) = (0..u16::MAX)
        .find(|name| Span::bucket_of(&key(*name + 1)) == Span::bucket_of(&key(0)))
        .map(|name| (0, name + 1))
        .unwrap();
    let ours = tree(&Held::from([(one, 1), (other, 2)]));
    let theirs = tree(&Held::from([(one, 2), (other, 1)]));
    assert_eq!(walk(&ours, &theirs).0, [Span::bucket_of(&key(0))]);
}

#[test]
fn a_peer_that_answers_nonsense_makes_us_look_everywhere_and_ends() {
    let ours = tree(&Held::from([(1, 1)]));
    let mut comparison = Comparison::new(&ours, !ours.root());
    for not_asked in [Span { level: 9, index: 9 }, Span { level: 1, index: 1 }] {
        comparison.tell(&ours, not_asked, &[1; FANOUT]);
    }
    assert_eq!((comparison.asks(), comparison.buckets()), (vec![Span::ROOT], vec![]));
    while let Some(span) = comparison.asks().first().copied() {
        comparison.tell(&ours, span, &[]);
    }
    assert_eq!(comparison.buckets().len(), BUCKETS);
}

#[test]
fn a_node_the_tree_does_not_have_has_no_hash() {
    let tree = MerkleTree::new();
    let (bucket, beside) = (Span { level: DEPTH, index: 0 }, Span { level: 1, index: 32 });
    assert_eq!((tree.hash(bucket), tree.children(bucket)), (Some(0), None));
    assert_eq!((tree.hash(beside), tree.children(beside)), (None, None));
    assert_eq!(tree.children(Span { level: 255, index: u32::MAX }), None);
    assert_eq!(tree.hash(Span::ROOT), Some(tree.root()));
}

fn helds() -> impl Strategy<Value = Held> {
    prop::collection::btree_map(0u16..200, 0u64..4, 0..100)
}

proptest! {
    #[test]
    fn the_tree_is_a_function_of_what_is_held(before in helds(), after in helds()) {
        let mut moved = tree(&before);
        for name in 0..200 {
            let digest = |held: &Held| held.get(&name).copied();
            moved.update(&key(name), digest(&before), digest(&after));
        }
        prop_assert_eq!(moved, tree(&after));
    }

    #[test]
    fn a_walk_finds_exactly_the_buckets_that_differ(ours in helds(), theirs in helds()) {
        let differing: BTreeSet<Span> = (0..200)
            .filter(|name| ours.get(name) != theirs.get(name))
            .map(|name| Span::bucket_of(&key(name)))
            .collect();
        let (buckets, sent) = walk(&tree(&ours), &tree(&theirs));
        prop_assert_eq!(&buckets, &differing.iter().copied().collect::<Vec<_>>());
        prop_assert!(sent <= 1 + FANOUT + FANOUT * differing.len(), "{} hashes sent", sent);
    }
}
