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

fn hashes(tree: &MerkleTree, spans: &[Span]) -> Vec<u64> {
    spans.iter().flat_map(|span| tree.children(*span)).collect()
}

/// Walks to the end. Returns the buckets, how many hashes were sent, and in how many rounds.
fn walk(ours: &MerkleTree, theirs: &MerkleTree) -> (BTreeSet<Bucket>, usize, usize) {
    let mut comparison = Comparison::new(ours.root(), theirs.root());
    let (mut sent, mut rounds) = (1, 0);
    loop {
        let spans = comparison.asks(7);
        if spans.is_empty() {
            return (comparison.buckets().clone(), sent, rounds);
        }
        let told = hashes(theirs, &spans);
        (sent, rounds) = (sent + told.len(), rounds + 1);
        comparison.tell(&spans, &hashes(ours, &spans), &told).unwrap();
    }
}

#[test]
fn an_arc_of_the_ring_fills_the_buckets_it_covers_and_no_others() {
    let on_arc = |name: &u16| Token::of(&key(*name)).0 >> 60 == 5;
    let buckets: BTreeSet<Bucket> =
        (0..u16::MAX).filter(on_arc).map(|name| Bucket::of(&key(name))).collect();
    assert!(buckets.iter().all(|bucket| bucket.0 >> 12 == 5), "all within a 16th");
    // 4,096 keys by chance into 4,096 buckets leave about one in e of them empty.
    assert!(buckets.len() > 2400, "{} of 4096 buckets used", buckets.len());
}

#[test]
fn a_lone_difference_costs_four_rounds_of_children() {
    let held: Held = (0..5000).map(|name| (name, u64::from(name))).collect();
    let ours = tree(&held);
    let mut theirs = ours.clone();
    theirs.update(&key(77), Some(77), Some(78));
    let (buckets, sent, rounds) = walk(&ours, &theirs);
    assert_eq!(buckets, BTreeSet::from([Bucket::of(&key(77))]));
    assert_eq!((sent, rounds), (1 + 4 * FANOUT, 4));
}

#[test]
fn two_keys_that_swap_their_records_do_differ() {
    // Were a bucket the XOR of its digests alone, keys that share it could swap records unseen.
    let mut met = BTreeMap::new();
    let (one, other) = (0..u16::MAX)
        .find_map(|name| Some((met.insert(Bucket::of(&key(name)), name)?, name)))
        .unwrap();
    let ours = tree(&Held::from([(one, 1), (other, 2)]));
    let theirs = tree(&Held::from([(one, 2), (other, 1)]));
    assert_eq!(walk(&ours, &theirs).0, BTreeSet::from([Bucket::of(&key(one))]));
}

#[test]
fn hashes_that_are_too_many_or_too_few_are_refused() {
    let ours = tree(&Held::from([(1, 1)]));
    let mut comparison = Comparison::new(ours.root(), 7);
    let children = ours.children(Span::ROOT);
    for theirs in [&[][..], &[1; FANOUT - 1], &[1; FANOUT + 1]] {
        let refused = comparison.tell(&[Span::ROOT], &children, theirs);
        assert_eq!(refused, Err(Uneven { asked: 1, got: theirs.len() }));
    }
    assert_eq!(comparison.asks(9), [Span::ROOT], "it is still unknown what lies below");
}

#[test]
fn a_peer_that_says_all_differs_makes_us_look_everywhere_and_ends() {
    let ours = tree(&Held::from([(1, 1)]));
    let mut comparison = Comparison::new(ours.root(), !ours.root());
    let not_asked = Span { level: 1, index: 1 };
    comparison.tell(&[not_asked], &[0; FANOUT], &[1; FANOUT]).unwrap();
    assert_eq!((comparison.asks(9), comparison.buckets().len()), (vec![Span::ROOT], 0));
    let mut rounds = 0;
    loop {
        let spans = comparison.asks(256);
        if spans.is_empty() {
            break;
        }
        rounds += 1;
        let ours = hashes(&ours, &spans);
        let theirs: Vec<u64> = ours.iter().map(|hash| !hash).collect();
        comparison.tell(&spans, &ours, &theirs).unwrap();
    }
    assert_eq!((comparison.buckets().len(), rounds), (Bucket::COUNT, 1 + 1 + 1 + 16));
}

#[test]
fn a_tree_has_the_inner_nodes_of_its_levels_and_no_others() {
    assert_eq!(Span::inner(0, 0), Some(Span::ROOT));
    assert_eq!(Span::inner(3, 4095), Some(Span { level: 3, index: 4095 }));
    for (level, index) in [(0, 1), (1, 16), (3, 4096), (4, 0), (256, 0), (u32::MAX, u32::MAX)] {
        assert_eq!(Span::inner(level, index), None, "{level} {index}");
    }
    let tree = MerkleTree::new();
    assert_eq!(tree.children(Span { level: 3, index: 4095 }), [0; FANOUT]);
}

#[test]
fn hashes_are_the_same_in_every_release() {
    let tree = tree(&Held::from([(1, 1), (2, 2)]));
    assert_eq!(format!("{:016x}", tree.root()), "9de8d52a9ad1313f");
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
    fn a_way_down_ends_at_zero_unless_the_bucket_holds_a_key(
        held in helds(),
        name in 0u16..200,
    ) {
        let (tree, wanted) = (tree(&held), Bucket::of(&key(name)));
        let (mut hash, mut span) = (tree.root(), Span::ROOT);
        while span.bucket().is_none() {
            let nth = span::turn(span.level, wanted);
            (hash, span) = (tree.children(span)[nth], span.child(nth));
        }
        prop_assert_eq!(span.bucket(), Some(wanted));
        let is_held = held.keys().any(|name| Bucket::of(&key(*name)) == wanted);
        prop_assert_eq!(hash != 0, is_held);
    }

    #[test]
    fn a_walk_finds_exactly_the_buckets_that_differ(ours in helds(), theirs in helds()) {
        let differing: BTreeSet<Bucket> = (0..200)
            .filter(|name| ours.get(name) != theirs.get(name))
            .map(|name| Bucket::of(&key(name)))
            .collect();
        let (buckets, sent, _) = walk(&tree(&ours), &tree(&theirs));
        prop_assert_eq!(&buckets, &differing);
        let bound = 1 + differing.len() * usize::from(DEPTH) * FANOUT;
        prop_assert!(sent <= bound, "{} hashes sent", sent);
    }
}
