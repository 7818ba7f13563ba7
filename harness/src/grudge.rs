//! A partition as data: for each node, the nodes whose packets it drops.
//!
//! Every shape is the same thing. A clean split, one node alone, a one-way cut, a bridge and a ring of
//! overlapping majorities differ only in their pairs, so there is one way to apply, record and show
//! them. Nothing here draws lots: who wants a random partition shuffles the nodes first.
//!
//! Shape: no node holds a grudge against itself, and no node is listed with nobody.
//! Source: the partition grudges of Jepsen's `jepsen.nemesis`; the word is theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// Who drops whose packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grudge(BTreeMap<String, BTreeSet<String>>);

impl Grudge {
    /// Nobody drops anything: the healed network.
    pub fn none() -> Self {
        Grudge::default()
    }

    /// Two sides that hear nothing of each other.
    pub fn halves(a: &[String], b: &[String]) -> Self {
        Grudge::one_way(a, b).union(&Grudge::one_way(b, a))
    }

    /// Any number of sides that hear nothing of each other.
    pub fn split(groups: &[Vec<String>]) -> Self {
        let others = |i: usize| groups.iter().enumerate().filter(move |(j, _)| i != *j);
        let cut = |(i, group): (usize, &Vec<String>)| {
            others(i)
                .fold(Grudge::none(), |all, (_, other)| all.union(&Grudge::one_way(other, group)))
        };
        groups.iter().enumerate().map(cut).fold(Grudge::none(), |all, part| all.union(&part))
    }

    /// One node alone, the rest of `nodes` together.
    pub fn isolate(node: &str, nodes: &[String]) -> Self {
        let rest: Vec<String> = nodes.iter().filter(|other| *other != node).cloned().collect();
        Grudge::halves(&[node.to_owned()], &rest)
    }

    /// Packets of every node in `from` to every node in `to` are dropped; answers still pass.
    pub fn one_way(from: &[String], to: &[String]) -> Self {
        let mut grudge = Grudge::none();
        for (source, node) in to.iter().flat_map(|node| from.iter().map(move |s| (s, node))) {
            grudge.resent(node, source);
        }
        grudge
    }

    /// Two halves which hear nothing of each other, and the node in the middle, which hears all.
    pub fn bridge(nodes: &[String]) -> Self {
        let middle = nodes.len() / 2;
        Grudge::halves(&nodes[..middle], nodes.get(middle + 1..).unwrap_or_default())
    }

    /// Every node hears a majority, and no two hear the same one.
    ///
    /// Nodes sit in a ring; each hears itself and its nearest neighbours, just enough for a majority.
    /// When that is an even number, the window leans clockwise, and some pairs are cut one way only.
    pub fn majority_ring(nodes: &[String]) -> Self {
        let count = nodes.len();
        let majority = count / 2 + 1;
        let before = (majority - 1) / 2;
        let mut grudge = Grudge::none();
        for (seat, node) in nodes.iter().enumerate() {
            for beyond in majority..count {
                grudge.resent(node, &nodes[(seat + count - before + beyond) % count]);
            }
        }
        grudge
    }

    /// Both grudges at once.
    #[must_use]
    pub fn union(mut self, other: &Grudge) -> Self {
        for (from, to) in other.pairs() {
            self.resent(to, from);
        }
        self
    }

    fn resent(&mut self, node: &str, source: &str) {
        if node != source {
            self.0.entry(node.to_owned()).or_default().insert(source.to_owned());
        }
    }

    /// Whether nothing is dropped.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether packets from the one to the other are dropped.
    pub fn cuts(&self, from: &str, to: &str) -> bool {
        self.0.get(to).is_some_and(|sources| sources.contains(from))
    }

    /// Every directed pair `(from, to)` whose packets are dropped, ascending by receiver.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|(to, sources)| sources.iter().map(move |from| (from.as_str(), to.as_str())))
    }

    /// Every node with a part in it, ascending.
    pub fn nodes(&self) -> BTreeSet<&str> {
        self.pairs().flat_map(|(from, to)| [from, to]).collect()
    }

    /// The sides, if this is a clean split: nodes that hear each other, all others cut both ways.
    pub fn sides(&self) -> Option<Vec<Vec<&str>>> {
        let nodes = self.nodes();
        let together = |a: &str, b: &str| !self.cuts(a, b) && !self.cuts(b, a);
        let mut sides: Vec<Vec<&str>> = Vec::new();
        for &node in &nodes {
            match sides.iter_mut().find(|side| together(side[0], node)) {
                Some(side) => side.push(node),
                None => sides.push(vec![node]),
            }
        }
        (Grudge::split(&owned(&sides)) == *self).then_some(sides)
    }
}

fn owned(sides: &[Vec<&str>]) -> Vec<Vec<String>> {
    sides.iter().map(|side| side.iter().map(|&node| node.to_owned()).collect()).collect()
}

/// `n1 n2 | n3 n4 n5` for a clean split, else every cut: `n1 → n3 cut`, `n1 ↔ n4 cut`.
impl fmt::Display for Grudge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("whole");
        }
        if let Some(sides) = self.sides() {
            let sides: Vec<String> = sides.iter().map(|side| side.join(" ")).collect();
            return f.write_str(&sides.join(" | "));
        }
        let ordered: BTreeSet<(&str, &str)> = self.pairs().collect();
        let arrows = ordered.iter().filter_map(|&(from, to)| match self.cuts(to, from) {
            true if from < to => Some(format!("{from} ↔ {to}")),
            true => None,
            false => Some(format!("{from} → {to}")),
        });
        write!(f, "{} cut", arrows.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nodes(count: usize) -> Vec<String> {
        (1..=count).map(|i| format!("n{i}")).collect()
    }

    fn heard_by(grudge: &Grudge, node: &str, all: &[String]) -> BTreeSet<String> {
        all.iter().filter(|from| !grudge.cuts(from, node)).cloned().collect()
    }

    #[test]
    fn halves_read_as_two_sides() {
        let n = nodes(5);
        assert_eq!(Grudge::halves(&n[..2], &n[2..]).to_string(), "n1 n2 | n3 n4 n5");
    }

    #[test]
    fn an_isolated_node_stands_alone() {
        assert_eq!(Grudge::isolate("n2", &nodes(3)).to_string(), "n1 n3 | n2");
    }

    #[test]
    fn a_one_way_cut_reads_as_an_arrow_and_spares_the_answers() {
        let n = nodes(3);
        let grudge = Grudge::one_way(&n[..1], &n[2..]);
        assert_eq!(grudge.to_string(), "n1 → n3 cut");
        assert!(grudge.cuts("n1", "n3") && !grudge.cuts("n3", "n1"));
    }

    #[test]
    fn a_bridge_spares_the_middle_and_is_no_clean_split() {
        let grudge = Grudge::bridge(&nodes(3));
        assert_eq!(grudge.pairs().collect::<Vec<_>>(), [("n3", "n1"), ("n1", "n3")]);
        let five = Grudge::bridge(&nodes(5));
        assert!(!five.nodes().contains("n3"), "{five}");
        assert_eq!(five.pairs().count(), 8);
    }

    #[test]
    fn three_in_a_ring_are_cut_one_way_each() {
        let grudge = Grudge::majority_ring(&nodes(3));
        assert_eq!(grudge.to_string(), "n1 → n2, n2 → n3, n3 → n1 cut");
    }

    #[test]
    fn five_in_a_ring_hear_both_neighbours() {
        let n = nodes(5);
        let grudge = Grudge::majority_ring(&n);
        let heard = heard_by(&grudge, "n1", &n);
        assert_eq!(heard, ["n1", "n2", "n5"].map(String::from).into());
        assert_eq!(grudge.to_string(), "n1 ↔ n3, n1 ↔ n4, n2 ↔ n4, n2 ↔ n5, n3 ↔ n5 cut");
    }

    #[test]
    fn nothing_reads_as_whole() {
        assert_eq!(Grudge::none().to_string(), "whole");
        assert!(Grudge::halves(&nodes(3), &[]).is_empty());
        assert!(Grudge::majority_ring(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn in_a_ring_all_hear_a_majority_and_no_two_the_same(count in 3usize..12) {
            let n = nodes(count);
            let grudge = Grudge::majority_ring(&n);
            let heard: BTreeSet<_> = n.iter().map(|node| heard_by(&grudge, node, &n)).collect();
            prop_assert_eq!(heard.len(), count);
            prop_assert!(heard.iter().all(|set| set.len() == count / 2 + 1));
            prop_assert!(n.iter().all(|node| heard_by(&grudge, node, &n).contains(node)));
        }

        #[test]
        fn a_split_cuts_exactly_the_pairs_across(sides in prop::collection::vec(0usize..3, 2..8)) {
            let n = nodes(sides.len());
            let group = |g| n.iter().zip(&sides).filter(|&(_, s)| *s == g).map(|(n, _)| n.clone()).collect();
            let grudge = Grudge::split(&[group(0), group(1), group(2)]);
            for (a, x) in n.iter().zip(&sides) {
                for (b, y) in n.iter().zip(&sides) {
                    prop_assert_eq!(grudge.cuts(a, b), x != y);
                }
            }
        }

        #[test]
        fn union_is_commutative_and_idempotent_and_keeps_every_pair(a in any_grudge(), b in any_grudge()) {
            let both = a.clone().union(&b);
            prop_assert_eq!(&both, &b.clone().union(&a));
            prop_assert_eq!(&both, &both.clone().union(&a));
            prop_assert!(a.pairs().chain(b.pairs()).all(|(from, to)| both.cuts(from, to)));
            prop_assert_eq!(both.pairs().count(), a.pairs().chain(b.pairs()).collect::<BTreeSet<_>>().len());
        }

        #[test]
        fn a_grudge_survives_the_plan_file(grudge in any_grudge()) {
            let text = serde_json::to_string(&grudge).unwrap();
            prop_assert_eq!(serde_json::from_str::<Grudge>(&text).unwrap(), grudge);
        }
    }

    prop_compose! {
        fn any_grudge()(pairs in prop::collection::vec((0usize..5, 0usize..5), 0..12)) -> Grudge {
            let n = nodes(5);
            pairs.into_iter().fold(Grudge::none(), |all, (from, to)| {
                all.union(&Grudge::one_way(&n[from..=from], &n[to..=to]))
            })
        }
    }
}
