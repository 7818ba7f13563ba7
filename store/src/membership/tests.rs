//! Clusters played tick by tick over links that can be cut one way.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::script;

const TICK_MS: u64 = 100;
const SUSPECT_AFTER_MS: u64 = 500;

fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

/// Nodes that gossip once a tick, and the directed links that are cut.
#[derive(Default)]
struct Cluster {
    names: Vec<NodeId>,
    nodes: BTreeMap<NodeId, Membership>,
    cuts: BTreeSet<(NodeId, NodeId)>,
    asleep: BTreeMap<NodeId, Membership>,
    now_ms: u64,
    epoch: u64,
    changes: Vec<String>,
}

impl Cluster {
    fn new(names: &[&str]) -> Cluster {
        let names: Vec<NodeId> = names.iter().map(|name| node(name)).collect();
        let mut cluster = Cluster { names: names.clone(), ..Cluster::default() };
        for name in &names {
            cluster.start(name);
        }
        cluster
    }

    fn start(&mut self, name: &NodeId) {
        self.epoch += 1;
        let members = self.names.clone();
        let membership =
            Membership::new(name.clone(), self.epoch, members, SUSPECT_AFTER_MS, self.now_ms);
        self.nodes.insert(name.clone(), membership);
    }

    fn round(&mut self) {
        self.now_ms += TICK_MS;
        for name in self.names.clone() {
            let Some(me) = self.nodes.get_mut(&name) else { continue };
            let changes = me.tick(self.now_ms);
            self.log(&name, changes);
            let me = &self.nodes[&name];
            // Each in turn stands in for a random number, so that a script goes the same every time.
            let target = me.target(self.now_ms / TICK_MS).cloned();
            if let Some(target) = target {
                self.gossip(&name, &target);
            }
        }
    }

    /// We tell all we know with our digest, and are answered what we lack; each way may be cut.
    fn gossip(&mut self, from: &NodeId, to: &NodeId) {
        let (digest, all) = (self.nodes[from].digest(), self.nodes[from].exchange(&Digest::new()));
        if self.deliver(from, to, all) {
            let answer = self.nodes[to].exchange(&digest);
            self.deliver(to, from, answer);
        }
    }

    fn deliver(&mut self, from: &NodeId, to: &NodeId, rumours: Vec<Rumour>) -> bool {
        let is_cut = self.cuts.contains(&(from.clone(), to.clone()));
        let Some(receiver) = self.nodes.get_mut(to).filter(|_| !is_cut) else { return false };
        let changes = receiver.hear(rumours, self.now_ms);
        self.log(to, changes);
        true
    }

    fn log(&mut self, at: &NodeId, changes: Vec<Change>) {
        for Change { node, from, to } in changes {
            self.changes.push(format!("{at}: {node} {from:?} -> {to:?}\n"));
        }
    }

    fn cut(&mut self, from: &NodeId, to: &NodeId) {
        self.cuts.insert((from.clone(), to.clone()));
    }

    fn run(&mut self, verb: &str, words: &[&str]) -> String {
        match verb {
            "cluster" => *self = Cluster::new(words),
            "rounds" => {
                self.changes.clear();
                (0..words[0].parse().unwrap()).for_each(|_| self.round());
                return self.changes.concat();
            }
            // Nothing from the first reaches the others.
            "cut" => words[1..].iter().for_each(|to| self.cut(&node(words[0]), &node(to))),
            // The first and all others do not hear each other.
            "isolate" => {
                for other in self.names.clone() {
                    self.cut(&node(words[0]), &other);
                    self.cut(&other, &node(words[0]));
                }
            }
            "heal" => self.cuts.clear(),
            "stop" => drop(self.nodes.remove(&node(words[0]))),
            "start" => self.start(&node(words[0])),
            "pause" => self.asleep.extend(self.nodes.remove_entry(&node(words[0]))),
            "resume" => self.nodes.extend(self.asleep.remove_entry(&node(words[0]))),
            "health" => return self.health(),
            "observers" => {
                let observers = self.nodes[&node(words[0])].observers(&node(words[1]));
                return format!("{observers:?}");
            }
            other => panic!("no command {other}"),
        }
        String::new()
    }

    fn health(&self) -> String {
        let line = |(name, membership): (&NodeId, &Membership)| {
            let seen: Vec<String> =
                membership.members().map(|(node, health)| format!("{node} {health:?}")).collect();
            format!("{name} sees {}\n", seen.join(", "))
        };
        self.nodes.iter().map(line).collect()
    }
}

fn play(name: &str) {
    let mut cluster = Cluster::default();
    script::replay(name, |verb, words| cluster.run(verb, words));
}

#[test]
fn a_node_cut_off_is_down_for_the_rest_and_calls_nobody_down() {
    play("membership/partition-of-one.txt");
}

#[test]
fn one_way_cuts_are_walked_around() {
    play("membership/one-way-cuts.txt");
}

#[test]
fn a_node_is_up_again_with_its_first_heartbeat() {
    play("membership/restart.txt");
}

#[test]
fn nodes_that_slept_do_not_wake_to_call_the_others_down() {
    play("membership/pause.txt");
}

#[test]
fn small_clusters_have_as_many_observers_as_there_are() {
    play("membership/small-clusters.txt");
}

fn rumour(name: &str, epoch: u64, counter: u64, suspects: &[(&str, u64)]) -> Rumour {
    let at = |counter| Heartbeat { epoch: 1, counter };
    Rumour {
        node: node(name),
        heartbeat: Heartbeat { epoch, counter },
        suspects: suspects.iter().map(|(name, counter)| (node(name), at(*counter))).collect(),
    }
}

fn observer() -> Membership {
    Membership::new(node("a"), 1, ["a", "b", "c", "d"].map(node), SUSPECT_AFTER_MS, 0)
}

#[test]
fn the_suspicion_of_one_observer_does_not_make_a_node_down() {
    let mut a = observer();
    a.hear([rumour("d", 1, 5, &[]), rumour("b", 1, 9, &[("d", 5)])], 0);
    assert_eq!(a.health(&node("d")), Some(Health::Up));
    assert_eq!(a.observers(&node("d")), [node("b")]);
    // The same observer saying it again is still one observer.
    a.hear([rumour("b", 1, 10, &[("d", 5)])], 0);
    assert_eq!(a.health(&node("d")), Some(Health::Up));
    // A second one, who need not be we.
    let changes = a.hear([rumour("c", 1, 3, &[("d", 5)])], 0);
    let (node, from, to) = (node("d"), Health::Up, Health::Down);
    assert_eq!(changes, [Change { node, from, to }]);
}

#[test]
fn a_suspicion_of_an_older_heartbeat_is_void() {
    let mut a = observer();
    a.hear([rumour("b", 1, 9, &[("d", 5)]), rumour("c", 1, 9, &[("d", 6)])], 0);
    assert_eq!(a.health(&node("d")), Some(Health::Down));
    a.hear([rumour("d", 1, 6, &[])], 0);
    assert_eq!(a.observers(&node("d")), [node("c")], "of 5 it is void, of 6 it stands");
    assert_eq!(a.health(&node("d")), Some(Health::Up));
    a.hear([rumour("d", 2, 0, &[])], 0);
    assert_eq!(a.observers(&node("d")), []);
}

#[test]
fn a_rumour_older_than_what_is_known_is_ignored() {
    let mut a = observer();
    a.hear([rumour("b", 2, 1, &[("d", 5)])], 0);
    a.hear([rumour("b", 1, 99, &[])], 0);
    assert_eq!(a.observers(&node("d")), [node("b")]);
}

#[test]
fn old_rumours_of_ourselves_and_any_of_strangers_change_nothing() {
    let mut a = observer();
    a.tick(100);
    let before = a.digest();
    let changes = a.hear([rumour("a", 1, 0, &[]), rumour("z", 1, 1, &[("b", 9), ("c", 9)])], 0);
    assert_eq!((changes, a.digest()), (vec![], before));
    assert_eq!(a.health(&node("z")), None);
    assert_eq!(a.health(&node("a")), Some(Health::Up));
}

#[test]
fn a_node_whose_boot_went_back_with_its_clock_is_up_again() {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    (0..10).for_each(|_| cluster.round());
    cluster.nodes.remove(&node("c"));
    (0..10).for_each(|_| cluster.round());
    assert_eq!(cluster.nodes[&node("a")].health(&node("c")), Some(Health::Down));
    cluster.epoch = 0;
    cluster.start(&node("c"));
    (0..3).for_each(|_| cluster.round());
    for name in ["a", "b"] {
        assert_eq!(cluster.nodes[&node(name)].health(&node("c")), Some(Health::Up), "for {name}");
    }
}

#[test]
fn an_exchange_sends_what_the_other_lacks() {
    let (mut a, b) = (observer(), Membership::new(node("b"), 1, ["a", "b"].map(node), 500, 0));
    a.tick(100);
    let lacks: Vec<NodeId> = a.exchange(&b.digest()).into_iter().map(|r| r.node).collect();
    // Of c and d nobody has heard, but b has never heard their names either.
    assert_eq!(lacks, ["a", "c", "d"].map(node));
    assert_eq!(a.exchange(&a.digest()), []);
    assert_eq!(a.exchange(&Digest::new()).len(), 4);
}

#[test]
fn every_other_member_is_a_target() {
    let a = observer();
    let targets: BTreeSet<&NodeId> = (0..3).filter_map(|random| a.target(random)).collect();
    assert_eq!(targets, ["b", "c", "d"].map(node).iter().collect());
    assert_eq!(a.target(u64::MAX), a.target(u64::MAX % 3));
    assert_eq!(Membership::new(node("a"), 1, [node("a")], 500, 0).target(7), None);
}

proptest! {
    /// Whatever is cut, a node that two others still hear, or that hear of each other, is not down;
    /// and once all is healed, everybody is up within the time rumours need.
    #[test]
    fn nobody_is_down_after_healing(cuts in prop::collection::vec((0..5usize, 0..5usize), 0..25)) {
        let names = ["a", "b", "c", "d", "e"];
        let mut cluster = Cluster::new(&names);
        for (from, to) in cuts {
            cluster.cut(&node(names[from]), &node(names[to]));
        }
        (0..20).for_each(|_| cluster.round());
        cluster.cuts.clear();
        (0..5).for_each(|_| cluster.round());
        for (name, membership) in &cluster.nodes {
            for (other, health) in membership.members() {
                prop_assert_eq!(health, Health::Up, "{} sees {}", name, other);
            }
        }
    }

    #[test]
    fn a_stopped_node_is_down_for_all_others(stopped in 0..5usize, cut in (0..5usize, 0..5usize)) {
        let names = ["a", "b", "c", "d", "e"];
        let mut cluster = Cluster::new(&names);
        (0..5).for_each(|_| cluster.round());
        cluster.cut(&node(names[cut.0]), &node(names[cut.1]));
        cluster.nodes.remove(&node(names[stopped]));
        (0..15).for_each(|_| cluster.round());
        for membership in cluster.nodes.values() {
            prop_assert_eq!(membership.health(&node(names[stopped])), Some(Health::Down));
        }
    }

    #[test]
    fn hearing_a_rumour_twice_or_late_changes_nothing(counters in prop::collection::vec(0..9u64, 1..9)) {
        let rumours: Vec<Rumour> =
            counters.iter().map(|counter| rumour("b", 1, *counter, &[("d", *counter)])).collect();
        let (mut once, mut again) = (observer(), observer());
        once.hear(rumours.iter().max_by_key(|rumour| rumour.heartbeat).cloned(), 0);
        again.hear(rumours.clone(), 0);
        again.hear(rumours.into_iter().rev(), 0);
        prop_assert_eq!(once.exchange(&Digest::new()), again.exchange(&Digest::new()));
    }
}
