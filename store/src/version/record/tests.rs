//! The laws of the join, and what a record shows.

use proptest::prelude::*;

use super::*;
use crate::version::Actor;
use crate::version::test_records::{lww, node, register, whole};

fn siblings() -> Siblings {
    let mut siblings = Siblings::new(Actor::new(node("n1"), 1), Some("tea".into()));
    siblings.update(&Context::default(), Actor::new(node("n2"), 1), Some("milk".into()));
    siblings.update(&Context::default(), Actor::new(node("n2"), 1), None);
    siblings
}

/// The second write of n2 has hidden its first.
fn branches() -> Branches {
    let mut branches = Branches::default();
    for (name, value) in [("n1", Some("tea")), ("n2", Some("milk")), ("n2", None)] {
        let actor = Actor::new(node(name), 1);
        branches.update(&Context::default(), &actor, 1, None, value.map(Bytes::from));
    }
    branches
}

#[test]
fn the_later_tag_stays_and_a_tombstone_is_a_write_like_others() {
    let write = register(1, "n1", 1, Some("v"));
    let delete = register(2, "n1", 2, None);
    assert_eq!(write.clone().join(delete.clone()), delete);
    assert_eq!(delete.clone().join(write), delete);
    assert_eq!(delete.values(), Vec::<Bytes>::new());
}

#[test]
fn writes_of_one_microsecond_are_ordered_by_node_not_by_arrival() {
    let [a, b] = ["n1", "n2"].map(|name| lww(7, name, 1, Some(name)));
    assert_eq!(a.clone().join(b.clone()), b);
    assert_eq!(b.clone().join(a), b);
}

#[test]
fn versions_print_without_spaces_and_differ_by_kind() {
    assert_eq!(register(5, "n1", 7, Some("v")).version(), "tag=5/n1/1.7");
    assert_eq!(lww(5, "n1", 7, Some("v")).version(), "stamp=5us/n1/1.7");
    assert_eq!(Record::Siblings(siblings()).version(), "dots=n1/1:1(1),n2/1:2(2)");
    assert_eq!(Record::Branches(branches()).version(), "vectors=[n1/1:1][n2/1:2]");
}

#[test]
fn values_ascend_and_tombstones_are_not_shown() {
    assert_eq!(Record::Siblings(siblings()).values(), ["milk", "tea"]);
    assert_eq!(Record::Branches(branches()).values(), ["tea"]);
}

#[test]
fn siblings_that_know_the_same_but_hold_different_values_print_differently() {
    let mut superseded = siblings();
    superseded.discard(&siblings().context());
    assert_eq!(superseded.context(), siblings().context());
    assert_ne!(superseded.to_string(), siblings().to_string());
}

#[test]
fn a_join_with_a_replica_that_holds_nothing_is_what_the_other_holds() {
    let held = Some(register(1, "n1", 1, None));
    assert_eq!(Record::join_held(held.clone(), None), held);
    assert_eq!(Record::join_held(None, held.clone()), held);
    assert_eq!(Record::join_held(None, None), None);
}

#[test]
fn a_digest_tells_records_of_one_version_apart() {
    let [a, b] = ["v", "w"].map(|value| register(1, "n1", 1, Some(value)));
    assert_eq!(a.version(), b.version());
    assert_ne!(a.digest(), b.digest());
    assert_eq!(a.digest(), a.clone().digest());
}

fn mixed() -> impl Strategy<Value = Record> {
    let kept = [Record::Siblings(siblings()), Record::Branches(branches())];
    prop_oneof![4 => whole(), 1 => prop::sample::select(kept.to_vec())]
}

proptest! {
    #[test]
    fn join_is_idempotent_commutative_and_associative(
        a in mixed(), b in mixed(), c in mixed(),
    ) {
        prop_assert_eq!(a.clone().join(a.clone()), a.clone());
        prop_assert_eq!(a.clone().join(b.clone()), b.clone().join(a.clone()));
        prop_assert_eq!(a.clone().join(b.clone()).join(c.clone()), a.join(b.join(c)));
    }
}
