//! The bytes of the commit log, and the primitives every file of the engine is made of.
//!
//! Integers are little-endian; `crc` is CRC-32 (IEEE). A file begins with a magic of 8 bytes, the last
//! of which is the version of its format.
//!
//! ```text
//! string    length u32 | that many bytes
//! entry     kind u8 (0 removed, 1 put) | key string | put only: value string
//!
//! segment   segment header | record* | zeros, to the length allocated ahead
//!
//! segment header, 40 bytes
//!   0  magic           8  "schlog" 0 3
//!   8  number          8  of the segment, as in its name
//!  16  first sequence  8  of the first record, if there will be one
//!  24  synced          8  the last sequence known to be durable when this was made
//!  32  salt            4  random
//!  36  crc             4  of bytes 0..36
//!
//! record, 28 bytes and the payload
//!   0  crc             4  of bytes 4..28, begun from the salt of the segment
//!   4  payload length  4
//!   8  sequence        8  of the batch; one more than that of the record before, never 0
//!  16  synced          8  the last sequence known to be durable when this was written
//!  24  payload crc     4  of the payload, begun from the salt
//!  28  payload            entry*: one batch
//! ```
//!
//! `synced` tells a torn tail from damage: a bad record that a later one calls synced was whole once,
//! and is damaged; one that nobody calls synced was never promised to be durable, and may be cut off.
//! That of a header says it of the segments before, which may have ended without a sync.
//! The crcs of a record begin from the salt of its segment, so that no value a client stores can pass
//! for a record.
//! Source: the synced sequence is the idea of Alagappan et al., "Protocol-Aware Recovery for
//! Consensus-Based Storage", FAST 2018, §3.3, brought from entries of a log to its records.

use bytes::{Buf, BufMut};

use super::cursor::EntryRef;

/// First bytes of a log segment.
pub(super) const LOG_MAGIC: [u8; 8] = *b"schlog\0\x03";

/// Length of a segment's header.
pub(super) const SEGMENT_HEADER_BYTES: usize = 40;
/// Length of a record's header.
pub(super) const RECORD_HEADER_BYTES: usize = 28;
/// Length of the checksum that ends what [`seal`] seals.
pub(super) const CRC_BYTES: usize = 4;

/// The checksum of `bytes`, begun from `salt`.
pub(super) fn crc(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

/// Appends the checksum of everything in `out` from `begin` on.
pub(super) fn seal(out: &mut Vec<u8>, begin: usize) {
    out.put_u32_le(crc(0, &out[begin..]));
}

/// What stands before the checksum that ends `bytes`; `None` if that does not match.
pub(super) fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let (body, mut stored) = bytes.split_at_checked(bytes.len().checked_sub(CRC_BYTES)?)?;
    (stored.try_get_u32_le().ok()? == crc(0, body)).then_some(body)
}

/// Appends one entry.
pub(super) fn put_entry(out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    out.put_u8(u8::from(value.is_some()));
    put_string(out, key);
    if let Some(value) = value {
        put_string(out, value);
    }
}

/// Takes one entry off `input`; `None` if none stands there.
pub(super) fn take_entry<'a>(input: &mut &'a [u8]) -> Option<EntryRef<'a>> {
    let is_put = match input.try_get_u8().ok()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let key = take_string(input)?;
    let value = if is_put { Some(take_string(input)?) } else { None };
    Some((key, value))
}

/// Appends a length and `bytes`.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len());
    out.put_u32_le(length.expect("keys and values are bounded by the requests that bring them"));
    out.put_slice(bytes);
}

/// Takes a length and that many bytes off `input`; allocates nothing.
pub(super) fn take_string<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = input.try_get_u32_le().ok()? as usize;
    let (string, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(string)
}

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) number: u64,
    pub(super) first_sequence: u64,
    pub(super) synced: u64,
    pub(super) salt: u32,
}

impl SegmentHeader {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        out.put_slice(&LOG_MAGIC);
        out.put_u64_le(self.number);
        out.put_u64_le(self.first_sequence);
        out.put_u64_le(self.synced);
        out.put_u32_le(self.salt);
        seal(&mut out, 0);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<SegmentHeader> {
        let mut input = unseal(bytes.get(..SEGMENT_HEADER_BYTES)?)?.strip_prefix(&LOG_MAGIC)?;
        Some(SegmentHeader {
            number: input.try_get_u64_le().ok()?,
            first_sequence: input.try_get_u64_le().ok()?,
            synced: input.try_get_u64_le().ok()?,
            salt: input.try_get_u32_le().ok()?,
        })
    }
}

/// What the header of a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) payload_bytes: u32,
    pub(super) sequence: u64,
    pub(super) synced: u64,
    pub(super) payload_crc: u32,
}

impl RecordHeader {
    /// The header at the start of `bytes`; `None` if none stands there.
    pub(super) fn decode(bytes: &[u8], salt: u32) -> Option<RecordHeader> {
        let mut input = bytes.get(..RECORD_HEADER_BYTES)?;
        let stored = input.try_get_u32_le().ok()?;
        if stored != crc(salt, input) {
            return None;
        }
        Some(RecordHeader {
            payload_bytes: input.try_get_u32_le().ok()?,
            sequence: input.try_get_u64_le().ok()?,
            synced: input.try_get_u64_le().ok()?,
            payload_crc: input.try_get_u32_le().ok()?,
        })
    }

    /// Length of the record, its header among it.
    pub(super) fn record_bytes(self) -> u64 {
        RECORD_HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }

    fn encode(self, salt: u32) -> [u8; RECORD_HEADER_BYTES] {
        let mut out = [0; RECORD_HEADER_BYTES];
        let mut body = &mut out[CRC_BYTES..];
        body.put_u32_le(self.payload_bytes);
        body.put_u64_le(self.sequence);
        body.put_u64_le(self.synced);
        body.put_u32_le(self.payload_crc);
        let crc = crc(salt, &out[CRC_BYTES..]);
        out[..CRC_BYTES].copy_from_slice(&crc.to_le_bytes());
        out
    }
}

/// Appends the record of a batch to `out`.
pub(super) fn put_record<'a>(
    out: &mut Vec<u8>,
    salt: u32,
    sequence: u64,
    synced: u64,
    entries: impl Iterator<Item = EntryRef<'a>>,
) {
    let begin = out.len();
    out.resize(begin + RECORD_HEADER_BYTES, 0);
    for (key, value) in entries {
        put_entry(out, key, value);
    }
    let payload = &out[begin + RECORD_HEADER_BYTES..];
    let payload_bytes = u32::try_from(payload.len());
    let payload_bytes =
        payload_bytes.expect("a batch is bounded by the request or the frame that brings it");
    let payload_crc = crc(salt, payload);
    let header = RecordHeader { payload_bytes, sequence, synced, payload_crc };
    out[begin..begin + RECORD_HEADER_BYTES].copy_from_slice(&header.encode(salt));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_and_any_flipped_bit_is_seen() {
        let segment = SegmentHeader { number: 3, first_sequence: 9, synced: 6, salt: 7 };
        let record = RecordHeader { payload_bytes: 1, sequence: 2, synced: 1, payload_crc: 4 };
        let (mut one, mut two) = (segment.encode(), record.encode(5));
        assert_eq!(one.len(), SEGMENT_HEADER_BYTES);
        assert_eq!(two.len(), RECORD_HEADER_BYTES);
        assert_eq!(SegmentHeader::decode(&one), Some(segment));
        assert_eq!(RecordHeader::decode(&two, 5), Some(record));
        assert_eq!(RecordHeader::decode(&two, 6), None, "another segment's salt");
        for bit in 0..one.len() * 8 {
            one[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&one), None, "bit {bit}");
            one[bit / 8] ^= 1 << (bit % 8);
        }
        for bit in 0..two.len() * 8 {
            two[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&two, 5), None, "bit {bit}");
            two[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn an_entry_of_impossible_length_is_none() {
        let mut bytes = vec![1];
        bytes.put_u32_le(u32::MAX);
        bytes.put_slice(b"key");
        assert_eq!(take_entry(&mut bytes.as_slice()), None);
        assert_eq!(take_entry(&mut [2u8, 0, 0, 0, 0].as_slice()), None, "no such kind");
    }
}
