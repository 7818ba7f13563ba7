//! Records and contexts as bytes, drawn once for those who write and those who read.
//!
//! ```text
//! record    1 byte   format, 1
//!           1 byte   kind: 1 register, 2 siblings, 3 lww, 4 branches
//!           …        register | siblings | lww | branches
//! register  tag      counter 8, nonce, node
//!           value
//! lww       stamp    wall_micros 8, nonce, node
//!           value
//! siblings  4 bytes  entries, then for each, ascending by actor:
//!           actor    node, epoch 8
//!           8 bytes  counter, 1 to 2^63
//!           4 bytes  live values, at most counter, then those values, oldest first
//! branches  4 bytes  versions, then for each, ascending by their vectors' counters, times and value:
//!           vector   4 bytes pairs, at least 1, then for each, ascending by actor:
//!           actor    node, epoch 8
//!           8 bytes  counter, 1 to 2^63
//!           8 bytes  when it was advanced, in microseconds since 1970
//!           value
//! context   1 byte   format, 1; or 2, of branches
//!           4 bytes  entries, then for each, ascending by actor:
//!           actor    node, epoch 8
//!           8 bytes  counter, 1 to 2^48
//!           8 bytes  in format 2: when it was advanced, in microseconds since 1970
//!           4 bytes  CRC-32 (IEEE) of the key and all bytes before it
//!
//! nonce     8 bytes  epoch; 8 bytes sequence
//! node      1 byte   length, 1 to 64; so many bytes of name
//! value     1 byte   0 tombstone, 1 value; of a value 4 bytes length, so many bytes
//! ```
//!
//! Integers are little-endian. Each record has exactly one encoding, so equal bytes mean equal
//! records, and a digest of the bytes is a digest of the record. A record has no checksum of its
//! own: the log and the frames that carry it have one.
//!
//! Bytes may come from a damaged disk or a confused peer: what is decoded is checked against every
//! line above, and nothing is allocated on the word of a length that the input does not back. That no
//! branch covers another is not looked at: it would cost the square of their number on every read.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes};

use super::branches::{Branch, Branches};
use super::context::Context;
use super::dot::Actor;
use super::record::Record;
use super::siblings::{Entry, Siblings};
use super::stamp::Stamp;
use super::tag::{Nonce, Tag};
use super::vector_clock::VectorClock;
use crate::ring::NodeId;

const FORMAT: u8 = 1;
/// Of contexts whose pairs have times.
const TIMED: u8 = 2;
const REGISTER: u8 = 1;
const SIBLINGS: u8 = 2;
const LWW: u8 = 3;
const BRANCHES: u8 = 4;

/// Highest counter of a stored dot or tag: far from the end, so that the next always exists.
const COUNTER_MAX: u64 = 1 << 63;

/// Highest counter of a context. No key is written 2^48 times by one node; and were a forged
/// context to come near [`COUNTER_MAX`], the key could take no further writes.
const CONTEXT_COUNTER_MAX: u64 = 1 << 48;

/// Why bytes are not what they should be; phrased to follow "… is damaged:".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field goes beyond the last byte.
    #[error("it ends too early")]
    Short,
    /// Bytes are left after the last field.
    #[error("{0} bytes follow its end")]
    Long(usize),
    /// Written by a release this one does not know.
    #[error("it is of format {0}, which is not known")]
    Format(u8),
    /// The checksum is another one.
    #[error("its checksum does not match")]
    Checksum,
    /// A field has a value it cannot have.
    #[error("{0}")]
    Field(&'static str),
}

pub(super) fn encode_record(record: &Record) -> Bytes {
    let mut out = Vec::with_capacity(room(record));
    out.put_u8(FORMAT);
    match record {
        Record::Register { tag, value } => {
            out.put_u8(REGISTER);
            put_moment(&mut out, tag.counter, tag.nonce, &tag.node);
            put_value(&mut out, value.as_ref());
        }
        Record::Siblings(siblings) => {
            out.put_u8(SIBLINGS);
            put_siblings(&mut out, siblings);
        }
        Record::Lww { stamp, value } => {
            out.put_u8(LWW);
            put_moment(&mut out, stamp.wall_micros, stamp.nonce, &stamp.node);
            put_value(&mut out, value.as_ref());
        }
        Record::Branches(branches) => {
            out.put_u8(BRANCHES);
            put_branches(&mut out, branches);
        }
    }
    out.into()
}

/// How many bytes the record takes, where that is known without writing it: a buffer that grows is
/// copied each time, and a copy of every write is made here.
fn room(record: &Record) -> usize {
    let moment = |node: &NodeId| 2 + 24 + 1 + node.as_str().len();
    let value = |value: &Option<Bytes>| value.as_ref().map_or(1, |value| 5 + value.len());
    match record {
        Record::Register { tag, value: it } => moment(&tag.node) + value(it),
        Record::Lww { stamp, value: it } => moment(&stamp.node) + value(it),
        Record::Siblings(_) | Record::Branches(_) => 0,
    }
}

pub(super) fn decode_record(bytes: &[u8]) -> Result<Record, DecodeError> {
    decode(Reader { rest: bytes, whole: None })
}

/// The same; values are slices of `bytes`, and keep them.
pub(super) fn decode_shared(bytes: &Bytes) -> Result<Record, DecodeError> {
    decode(Reader { rest: bytes, whole: Some(bytes) })
}

fn decode(mut reader: Reader<'_>) -> Result<Record, DecodeError> {
    reader.format()?;
    let record = match reader.u8()? {
        REGISTER => {
            let (counter, nonce, node) = reader.moment()?;
            require((1..=COUNTER_MAX).contains(&counter), "a tag's counter is out of range")?;
            Record::Register { tag: Tag { counter, node, nonce }, value: reader.value()? }
        }
        SIBLINGS => Record::Siblings(reader.siblings()?),
        LWW => {
            let (wall_micros, nonce, node) = reader.moment()?;
            Record::Lww { stamp: Stamp { wall_micros, node, nonce }, value: reader.value()? }
        }
        BRANCHES => Record::Branches(reader.branches()?),
        _ => return Err(DecodeError::Field("its kind is unknown")),
    };
    reader.end()?;
    Ok(record)
}

pub(super) fn encode_context(context: &Context, key: &[u8]) -> Vec<u8> {
    let clock = context.clock();
    let mut out = vec![if clock.has_times() { TIMED } else { FORMAT }];
    put_clock(&mut out, clock, clock.has_times());
    let checksum = context_checksum(key, &out);
    out.put_u32_le(checksum);
    out
}

pub(super) fn decode_context(bytes: &[u8], key: &[u8]) -> Result<Context, DecodeError> {
    let (body, checksum) = bytes.split_last_chunk().ok_or(DecodeError::Short)?;
    if context_checksum(key, body) != u32::from_le_bytes(*checksum) {
        return Err(DecodeError::Checksum);
    }
    let mut reader = Reader { rest: body, whole: None };
    let context = match reader.u8()? {
        FORMAT => {
            let entries = reader.by_actor(|reader| reader.counter(CONTEXT_COUNTER_MAX))?;
            entries.into_iter().collect()
        }
        TIMED => Context::from(reader.clock(CONTEXT_COUNTER_MAX)?),
        other => return Err(DecodeError::Format(other)),
    };
    reader.end()?;
    Ok(context)
}

fn context_checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

fn put_node(out: &mut impl BufMut, node: &NodeId) {
    assert!(node.as_str().len() <= NodeId::LEN_MAX, "a name's length fits one byte");
    out.put_u8(node.as_str().len() as u8);
    out.put_slice(node.as_str().as_bytes());
}

fn put_actor(out: &mut impl BufMut, actor: &Actor) {
    put_node(out, &actor.node);
    out.put_u64_le(actor.epoch);
}

/// A tag or a stamp: they differ in what the first number counts.
fn put_moment(out: &mut impl BufMut, time: u64, nonce: Nonce, node: &NodeId) {
    out.put_u64_le(time);
    out.put_u64_le(nonce.epoch);
    out.put_u64_le(nonce.sequence);
    put_node(out, node);
}

fn put_value(out: &mut impl BufMut, value: Option<&Bytes>) {
    out.put_u8(u8::from(value.is_some()));
    if let Some(value) = value {
        out.put_u32_le(u32::try_from(value.len()).expect("pairs are limited far below 4 GiB"));
        out.put_slice(value);
    }
}

fn put_siblings(out: &mut impl BufMut, siblings: &Siblings) {
    out.put_u32_le(siblings.entries().len() as u32);
    for (actor, entry) in siblings.entries() {
        put_actor(out, actor);
        out.put_u64_le(entry.counter);
        out.put_u32_le(entry.live.len() as u32);
        entry.live.iter().for_each(|value| put_value(out, value.as_ref()));
    }
}

fn put_clock(out: &mut impl BufMut, clock: &VectorClock, with_times: bool) {
    out.put_u32_le(clock.pairs().len() as u32);
    for (actor, counter, micros) in clock.pairs() {
        put_actor(out, actor);
        out.put_u64_le(counter);
        if with_times {
            out.put_u64_le(micros);
        }
    }
}

fn put_branches(out: &mut impl BufMut, branches: &Branches) {
    out.put_u32_le(branches.len() as u32);
    for branch in branches.iter() {
        put_clock(out, &branch.clock, true);
        put_value(out, branch.value.as_ref());
    }
}

fn require(holds: bool, otherwise: &'static str) -> Result<(), DecodeError> {
    if holds { Ok(()) } else { Err(DecodeError::Field(otherwise)) }
}

/// What is left to read.
struct Reader<'a> {
    rest: &'a [u8],
    /// Of which it is a part, where values may be slices of that.
    whole: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    fn format(&mut self) -> Result<(), DecodeError> {
        match self.u8()? {
            FORMAT => Ok(()),
            other => Err(DecodeError::Format(other)),
        }
    }

    fn node(&mut self) -> Result<NodeId, DecodeError> {
        let len = self.u8()?;
        let name = std::str::from_utf8(self.take(len.into())?).ok();
        name.and_then(|name| NodeId::new(name).ok())
            .ok_or(DecodeError::Field("a node's name is not one"))
    }

    fn moment(&mut self) -> Result<(u64, Nonce, NodeId), DecodeError> {
        let time = self.u64()?;
        let nonce = Nonce { epoch: self.u64()?, sequence: self.u64()? };
        Ok((time, nonce, self.node()?))
    }

    fn counter(&mut self, max: u64) -> Result<u64, DecodeError> {
        let counter = self.u64()?;
        require((1..=max).contains(&counter), "a counter is out of range")?;
        Ok(counter)
    }

    fn value(&mut self) -> Result<Option<Bytes>, DecodeError> {
        match self.u8()? {
            0 => Ok(None),
            1 => {
                let len = self.u32()?;
                let value = self.take(len as usize)?;
                let shared = self.whole.map(|whole| whole.slice_ref(value));
                Ok(Some(shared.unwrap_or_else(|| Bytes::copy_from_slice(value))))
            }
            _ => Err(DecodeError::Field("a value is neither there nor a tombstone")),
        }
    }

    /// What `read` makes of each entry, by actor; actors must ascend.
    fn by_actor<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<BTreeMap<Actor, T>, DecodeError> {
        let mut entries: BTreeMap<Actor, T> = BTreeMap::new();
        for _ in 0..self.u32()? {
            let actor = Actor { node: self.node()?, epoch: self.u64()? };
            let ascends = entries.last_key_value().is_none_or(|(last, _)| *last < actor);
            require(ascends, "actors do not ascend")?;
            entries.insert(actor, read(self)?);
        }
        Ok(entries)
    }

    fn siblings(&mut self) -> Result<Siblings, DecodeError> {
        let entries = self.by_actor(|reader| {
            let counter = reader.counter(COUNTER_MAX)?;
            let count = reader.u32()?;
            require(u64::from(count) <= counter, "there are more live values than dots")?;
            // Not with_capacity: each value must be there before room is made for it.
            let mut live = Vec::new();
            for _ in 0..count {
                live.push(reader.value()?);
            }
            Ok(Entry { counter, live })
        })?;
        Ok(Siblings::from_entries(entries))
    }

    /// A clock with times: of at least one pair, for one without would be encoded as without times.
    fn clock(&mut self, max: u64) -> Result<VectorClock, DecodeError> {
        let pairs = self.by_actor(|reader| Ok((reader.counter(max)?, reader.u64()?)))?;
        require(!pairs.is_empty(), "a vector has no pair")?;
        Ok(pairs.iter().map(|(actor, (counter, micros))| (actor, *counter, *micros)).collect())
    }

    fn branches(&mut self) -> Result<Branches, DecodeError> {
        // Not with_capacity: each must be there before room is made for it.
        let mut branches: Vec<Branch> = Vec::new();
        for _ in 0..self.u32()? {
            let branch = Branch { clock: self.clock(COUNTER_MAX)?, value: self.value()? };
            let ascends = branches.last().is_none_or(|last| *last < branch);
            require(ascends, "versions do not ascend")?;
            branches.push(branch);
        }
        Ok(branches.into_iter().collect())
    }

    fn end(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::Long(left)),
        }
    }
}

#[cfg(test)]
mod tests;
