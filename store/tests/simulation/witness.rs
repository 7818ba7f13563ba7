//! What is known of a run that no client knows: which write each durable value and dot is of.
//!
//! It looks at the disks alone, so that whatever it holds against a run has really been kept somewhere.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use store::ring::NodeId;
use store::version::{Context, Dot, Nonce, Record, Siblings, Tag};

use crate::disk::Change;
use crate::letter::Key;
use crate::plan;

/// What is known of a run that no client knows.
#[derive(Default)]
pub(crate) struct Witness {
    /// Which write each nonce was given to.
    nonces: BTreeMap<(NodeId, Nonce), u64>,
    /// Which value each dot was given to; `None` is a tombstone.
    dots: BTreeMap<(Key, Dot), Option<Bytes>>,
    /// Those of writes that no primary numbered.
    guests: BTreeSet<(Key, Dot)>,
    /// The dot of each sibling written.
    dot_of: BTreeMap<u64, Dot>,
    /// The tag of each register write.
    tag_of: BTreeMap<u64, Tag>,
    /// Every value that was ever durable anywhere.
    durable: BTreeSet<u64>,
    /// The tombstones that each node has forgotten of each key.
    forgotten: BTreeMap<(usize, Key), Vec<Record>>,
    /// What must not have happened.
    pub(crate) violations: Vec<String>,
}

/// The write that a value is of.
pub(crate) fn number(value: &[u8]) -> u64 {
    let text = std::str::from_utf8(value).expect("values are numbers");
    text.parse().expect("values are numbers")
}

impl Witness {
    /// The write `number` was given this nonce.
    pub(crate) fn given(&mut self, node: &NodeId, nonce: Nonce, number: u64) {
        assert_eq!(
            self.nonces.insert((node.clone(), nonce), number),
            None,
            "a nonce was given twice"
        );
    }

    /// A change of some disk became durable.
    pub(crate) fn see(&mut self, change: &Change) {
        match change {
            Change::Copy(key, record, given) => {
                if let (Some(dot), Record::Siblings(siblings)) = (given, record) {
                    let live = siblings.live().find(|(live, _)| live == dot);
                    let (_, value) = live.expect("who gives a dot holds its value");
                    self.see_given(*key, dot, value);
                }
                self.see_record(*key, record);
            }
            Change::Hint(_, hint) => {
                let key = hint.key.rsplit(|byte| *byte == b':').next();
                let key = number(key.expect("a key has a last part")) as Key;
                self.see_record(key, &hint.record);
            }
            Change::NoHint(_) | Change::Forgotten(..) => {}
        }
    }

    /// A node forgets a tombstone.
    pub(crate) fn forgets(&mut self, node: usize, key: Key, tombstone: Record) {
        self.forgotten.entry((node, key)).or_default().push(tombstone);
    }

    /// The tombstones of `key` that `node` has forgotten.
    pub(crate) fn forgotten(&self, node: usize, key: Key) -> &[Record] {
        self.forgotten.get(&(node, key)).map_or(&[], Vec::as_slice)
    }

    /// How many tombstones were forgotten, on any node.
    pub(crate) fn tombstones_forgotten(&self) -> u64 {
        self.forgotten.values().map(|records| records.len() as u64).sum()
    }

    /// The last delete of a register that was forgotten anywhere: what is read where nothing is held.
    pub(crate) fn last_forgotten(&self, key: Key) -> Option<u64> {
        let of_key = self.forgotten.iter().filter(|((_, of), _)| *of == key);
        let tags = of_key.flat_map(|(_, records)| records).filter_map(Record::tag);
        tags.max().map(|tag| self.write_of(tag))
    }

    /// A coordinator that is no primary has numbered a write, and sends it to the first replica or to
    /// another.
    pub(crate) fn numbered(&mut self, key: Key, siblings: &Siblings) {
        for (dot, value) in siblings.live() {
            self.guests.insert((key, dot.clone()));
            self.see_given(key, &dot, value);
        }
    }

    /// How many writes were numbered so.
    pub(crate) fn writes_of_guests(&self) -> u64 {
        self.guests.len() as u64
    }

    fn see_given(&mut self, key: Key, dot: &Dot, value: Option<&Bytes>) {
        if let Some(value) = value {
            let number = number(value);
            let before = self.dot_of.insert(number, dot.clone());
            if let Some(before) = before.filter(|before| before != dot) {
                self.accuse(
                    key,
                    format!("the write of {number} was done as {before} and as {dot}"),
                );
            }
        }
        if let Some(before) = self.dots.insert((key, dot.clone()), value.cloned())
            && before.as_ref() != value
        {
            self.accuse(key, format!("{dot} was given to {before:?} and to {value:?}"));
        }
    }

    fn see_record(&mut self, key: Key, record: &Record) {
        self.durable.extend(record.values().iter().map(|value| number(value)));
        match record {
            Record::Siblings(siblings) => {
                for (dot, value) in siblings.live() {
                    let given = self.dots.get(&(key, dot.clone()));
                    if given.is_none_or(|given| given.as_ref() != value) {
                        let text =
                            format!("{dot} is held with {value:?}, and was given to {given:?}");
                        self.accuse(key, text);
                    }
                }
            }
            Record::Register { tag, .. } => {
                let number = self.write_of(tag);
                self.tag_of.entry(number).or_insert_with(|| tag.clone());
            }
            // No simulated keyspace has either.
            Record::Lww { .. } | Record::Branches(_) => {}
        }
    }

    /// Says what must not have happened.
    pub(crate) fn accuse(&mut self, key: Key, what: impl std::fmt::Display) {
        self.violations.push(format!("{}: {what}", plan::name(key)));
    }

    /// The register write with this tag.
    pub(crate) fn write_of(&self, tag: &Tag) -> u64 {
        self.nonces[&(tag.node.clone(), tag.nonce)]
    }

    /// Whether anything of the write `number` was ever durable anywhere.
    pub(crate) fn has_seen(&self, number: u64) -> bool {
        self.durable.contains(&number) || self.tag_of.contains_key(&number)
    }

    /// Whether `context` knows the sibling that the write `number` made.
    pub(crate) fn covers(&self, context: &Context, number: u64) -> bool {
        self.dot_of.get(&number).is_some_and(|dot| context.vector().knows(dot))
    }

    /// Whether who holds `record` knows of the write `number`; `None`: the witness cannot tell.
    pub(crate) fn knows(&self, record: &Record, number: u64) -> Option<bool> {
        match record {
            Record::Siblings(siblings) => {
                let dot = self.dot_of.get(&number)?;
                Some(siblings.context().vector().knows(dot))
            }
            record => Some(record.tag() >= self.tag_of.get(&number)),
        }
    }
}
