//! Every byte the engine leaves on disk, drawn once for writer and reader alike.
//!
//! Integers are little-endian; `crc` is CRC-32 (IEEE). Each file begins with a magic that ends in
//! the version of its format.
//!
//! ```text
//! entry     kind u8 (0 removed, 1 put) | key length u32 | key | put only: value length u32 | value
//!
//! log       segment header | record*
//! header    magic 8 | number u64 | first sequence u64 | salt u32 | crc of these u32
//! record    crc of the next 24 bytes u32 | payload length u32 | sequence u64 | synced u64
//!           | crc of payload u32 | payload: entry*
//!
//! table     magic 8 | block* | index | footer
//! block     entry* | crc u32
//! index     (first key length u32 | first key | block offset u64 | block length u32)* | crc u32
//! footer    index offset u64 | index length u64 | entries u64 | crc of these u32 | magic 8
//!
//! manifest  magic 8 | next table u64 | oldest log u64 | table number u64* | crc of all before u32
//! ```
//!
//! `synced` is the last sequence known to be on the platter when the record was written. It tells a
//! torn tail from damage: a bad record that a later one calls synced was whole once, and is damaged;
//! one that nobody calls synced was never promised by `Sync::Always`, and may be cut off.
//! The crcs of a record begin from the salt of its segment, drawn at random, so that no value a client
//! stores can pass for a record.

use bytes::{Buf, BufMut};

/// First bytes of a log segment.
pub(super) const LOG_MAGIC: [u8; 8] = *b"schlog\0\x01";
/// First and last bytes of a table.
pub(super) const TABLE_MAGIC: [u8; 8] = *b"schtbl\0\x01";
/// First bytes of the manifest.
pub(super) const MANIFEST_MAGIC: [u8; 8] = *b"schman\0\x01";

/// Length of a segment's header.
pub(super) const SEGMENT_HEADER_BYTES: usize = 32;
/// Length of a record's header.
pub(super) const RECORD_HEADER_BYTES: usize = 28;
/// Length of a table's footer.
pub(super) const FOOTER_BYTES: usize = 36;
/// Length of the checksum at the end of a block, an index, a manifest.
pub(super) const CRC_BYTES: usize = 4;

/// A key, and its value or `None` where it was removed; borrowed from what was read.
pub(super) type EntryRef<'a> = (&'a [u8], Option<&'a [u8]>);

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
    pub(super) salt: u32,
}

impl SegmentHeader {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        out.put_slice(&LOG_MAGIC);
        out.put_u64_le(self.number);
        out.put_u64_le(self.first_sequence);
        out.put_u32_le(self.salt);
        seal(&mut out, 0);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<SegmentHeader> {
        let mut input = unseal(bytes.get(..SEGMENT_HEADER_BYTES)?)?.strip_prefix(&LOG_MAGIC)?;
        Some(SegmentHeader {
            number: input.try_get_u64_le().ok()?,
            first_sequence: input.try_get_u64_le().ok()?,
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

    fn encode(self, salt: u32) -> Vec<u8> {
        let mut body = Vec::with_capacity(RECORD_HEADER_BYTES);
        body.put_u32_le(self.payload_bytes);
        body.put_u64_le(self.sequence);
        body.put_u64_le(self.synced);
        body.put_u32_le(self.payload_crc);
        let mut out = crc(salt, &body).to_le_bytes().to_vec();
        out.extend(body);
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
        let segment = SegmentHeader { number: 3, first_sequence: 9, salt: 7 };
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
