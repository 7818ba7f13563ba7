//! Records that could be: of every kind, from few writers, so that they often meet.

use bytes::Bytes;
use proptest::prelude::*;

use super::{Actor, Branches, Context, Nonce, Record, Siblings, Stamp, Tag};
use crate::ring::NodeId;

pub(crate) fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// A register's record of boot 1.
pub(crate) fn register(counter: u64, name: &str, sequence: u64, value: Option<&str>) -> Record {
    let nonce = Nonce { epoch: 1, sequence };
    Record::Register { tag: Tag { counter, node: node(name), nonce }, value: value.map(bytes) }
}

/// An lww record of boot 1.
pub(crate) fn lww(wall_micros: u64, name: &str, sequence: u64, value: Option<&str>) -> Record {
    let nonce = Nonce { epoch: 1, sequence };
    Record::Lww { stamp: Stamp { wall_micros, node: node(name), nonce }, value: value.map(bytes) }
}

fn values() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.8, "[a-c]{0,2}")
}

/// Each write by one of three servers, with or without the context of what is there.
fn siblings() -> impl Strategy<Value = Record> {
    prop::collection::vec((0..3usize, any::<bool>()), 0..6).prop_map(|writes| {
        let mut siblings = Siblings::default();
        for (i, (server, has_read)) in writes.into_iter().enumerate() {
            let context = if has_read { siblings.context() } else { Context::default() };
            let actor = Actor::new(node(["n1", "n2", "n3"][server]), 1);
            let value = (i % 4 > 0).then(|| bytes(&i.to_string()));
            siblings.update(&context, actor, value);
        }
        Record::Siblings(siblings)
    })
}

/// Each write by one of three servers; a third of them with the context of what is there.
fn branches() -> impl Strategy<Value = Record> {
    let write = (0..3usize, prop::bool::weighted(0.3), 0..100u64);
    let limit = prop::option::weighted(0.3, 1..3usize);
    (prop::collection::vec(write, 0..6), limit).prop_map(|(writes, limit)| {
        let mut branches = Branches::default();
        for (i, (server, has_read, micros)) in writes.into_iter().enumerate() {
            let context = if has_read { branches.context() } else { Context::default() };
            let actor = Actor::new(node(["n1", "n2", "n3"][server]), 1);
            let value = (i % 4 > 0).then(|| bytes(&i.to_string()));
            branches.update(&context, &actor, micros, limit, value);
        }
        Record::Branches(branches)
    })
}

/// Records of one kind or another. Siblings of two records share no history, so they are for codecs;
/// their join is judged where their history is played.
pub(crate) fn records() -> impl Strategy<Value = Record> {
    prop_oneof![whole(), siblings(), branches()]
}

/// Records of which a join takes one whole. Tags and stamps meet often, also with different values,
/// which no correct node makes and a join must survive.
pub(crate) fn whole() -> impl Strategy<Value = Record> {
    (any::<bool>(), 1..4u64, 0..2usize, 0..2u64, values()).prop_map(
        |(is_register, time, writer, sequence, value)| {
            let make = if is_register { register } else { lww };
            make(time, ["n1", "n2"][writer], sequence, value.as_deref())
        },
    )
}
