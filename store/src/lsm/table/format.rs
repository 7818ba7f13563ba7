//! Every byte of a table, drawn once for writer and reader alike.
//!
//! Integers are little-endian; a varint is seven bits a byte, lowest first, the eighth says that more
//! follow. The magic ends in the version of the format.
//!
//! ```text
//! table       magic 8 | partition* | top | properties | footer
//! partition   data* | guide
//! footer      top length u32 | properties length u32 | table number u64
//!             | checksum of the 16 bytes before u64 | magic 8
//!
//! data, guide, top and properties are blocks:
//! block       payload | compression u8 | checksum u64
//! checksum    xxh3 of payload and compression, xor a number made of table number and offset
//!
//! the payload, once unpacked, is for
//! data        entry* | restart offset u32* | restart count u32
//! entry       shared varint | unshared varint | value length + 1 varint, 0 for a tombstone
//!             | the key without its first `shared` bytes | value
//! guide       filter of the partition's keys | index of its data blocks | filter length u32
//! top         index of all guides
//! index       key* | (end of the key u32 | offset u64 | length u32)* | count u32
//! properties  entries u64 | tombstones u64 | key bytes u64 | value bytes u64
//!             | smallest key length u32 | smallest key | largest key
//! ```
//!
//! A key shares bytes with the one before it; at every *restart* it shares none, so that a search may
//! begin there. The key of an index stands between two blocks: no key of its block is above it, all
//! keys of later blocks are. Offsets count from the start of the file.
//!
//! Nothing lies between the parts: the first data block begins behind the magic, each block where the
//! one before ends, the footer behind the properties. A place that does not fit this is damage. The
//! offset in the checksum tells a block that is whole but not where it was written: a misdirected or a
//! lost write of the disk, which a checksum of the bytes alone would let through.
//! Source: Chang et al., "Bigtable", OSDI 2006, §4; Bairavasundaram et al., "An Analysis of Data
//! Corruption in the Storage Stack", FAST 2008 (misdirected writes).

use bytes::{Buf, BufMut};
use xxhash_rust::xxh3::xxh3_64;

use super::super::compression::Compression;

/// First and last bytes of a table.
pub(super) const MAGIC: [u8; 8] = *b"schsst\0\x01";
/// Length of what follows a payload: compression and checksum.
pub(super) const TRAILER_BYTES: usize = 1 + CHECKSUM_BYTES;
/// Length of the footer.
pub(super) const FOOTER_BYTES: usize = 32;
/// Every so many entries a key is stored whole.
pub(super) const RESTART_INTERVAL: usize = 16;

const CHECKSUM_BYTES: usize = 8;

/// Where a block is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Offset in bytes from the start of the file.
    pub(super) offset: u64,
    /// Length in bytes, with the trailer.
    pub(super) length: u32,
}

impl Place {
    /// Offset of the first byte behind it; `None` beyond what can be counted.
    pub(super) fn end(self) -> Option<u64> {
        self.offset.checked_add(u64::from(self.length))
    }
}

/// The checksum of bytes that stand at `offset` of table `number`.
///
/// Each factor is odd, so two places that differ in one of the two numbers never look alike.
fn checksum(bytes: &[u8], number: u64, offset: u64) -> u64 {
    let table = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let place = offset.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(32);
    xxh3_64(bytes) ^ table ^ place
}

/// Ends a block: `out` from `begin` on is its payload, which will stand at `offset` of `number`.
pub(super) fn seal(
    out: &mut Vec<u8>,
    begin: usize,
    compression: Compression,
    number: u64,
    offset: u64,
) {
    out.put_u8(compression as u8);
    let checksum = checksum(&out[begin..], number, offset);
    out.put_u64_le(checksum);
}

/// Compression and payload of the block read from `offset` of `number`; an error says what is wrong.
pub(super) fn unseal(
    block: &[u8],
    number: u64,
    offset: u64,
) -> Result<(Compression, &[u8]), &'static str> {
    let (body, mut stored) = block
        .split_last_chunk::<CHECKSUM_BYTES>()
        .map(|(body, last)| (body, &last[..]))
        .ok_or("the block is too short")?;
    if stored.try_get_u64_le() != Ok(checksum(body, number, offset)) {
        return Err("the block's checksum does not match");
    }
    let (&compression, payload) = body.split_last().ok_or("the block is too short")?;
    let compression = Compression::from_number(compression);
    Ok((compression.ok_or("the block's compression is unknown")?, payload))
}

/// What the last bytes of a table say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) top_bytes: u32,
    pub(super) properties_bytes: u32,
    pub(super) number: u64,
}

impl Footer {
    /// The footer that will stand at `offset`.
    pub(super) fn encode(self, offset: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_BYTES);
        out.put_u32_le(self.top_bytes);
        out.put_u32_le(self.properties_bytes);
        out.put_u64_le(self.number);
        let checksum = checksum(&out, self.number, offset);
        out.put_u64_le(checksum);
        out.put_slice(&MAGIC);
        out
    }

    /// The footer read from `offset`; `None` if these bytes are none.
    pub(super) fn decode(bytes: &[u8], offset: u64) -> Option<Footer> {
        let body = bytes.strip_suffix(&MAGIC)?;
        let (mut fields, mut stored) = body.split_at_checked(16)?;
        let footer = Footer {
            top_bytes: fields.get_u32_le(),
            properties_bytes: fields.get_u32_le(),
            number: fields.get_u64_le(),
        };
        let checksum = checksum(&body[..16], footer.number, offset);
        (stored.len() == CHECKSUM_BYTES && stored.get_u64_le() == checksum).then_some(footer)
    }
}

/// What a table holds, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties {
    pub(super) entries: u64,
    pub(super) tombstones: u64,
    pub(super) key_bytes: u64,
    pub(super) value_bytes: u64,
    pub(super) smallest: Vec<u8>,
    pub(super) largest: Vec<u8>,
}

impl Properties {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u64_le(self.entries);
        out.put_u64_le(self.tombstones);
        out.put_u64_le(self.key_bytes);
        out.put_u64_le(self.value_bytes);
        out.put_u32_le(length_u32(self.smallest.len()));
        out.put_slice(&self.smallest);
        out.put_slice(&self.largest);
        out
    }

    pub(super) fn decode(mut input: &[u8]) -> Option<Properties> {
        let (entries, tombstones) = (input.try_get_u64_le().ok()?, input.try_get_u64_le().ok()?);
        let (key_bytes, value_bytes) = (input.try_get_u64_le().ok()?, input.try_get_u64_le().ok()?);
        let smallest_bytes = input.try_get_u32_le().ok()? as usize;
        let (smallest, largest) = input.split_at_checked(smallest_bytes)?;
        let (smallest, largest) = (smallest.to_vec(), largest.to_vec());
        Some(Properties { entries, tombstones, key_bytes, value_bytes, smallest, largest })
    }
}

/// A length as it is stored.
pub(super) fn length_u32(length: usize) -> u32 {
    u32::try_from(length).expect("keys and values are bounded by the requests that bring them")
}

/// The `u32` at `at`; `None` beyond the end.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_le_bytes)
}

/// Appends a varint.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The varint at `at`, which moves behind it; `None` if there is none of 32 bits.
pub(super) fn take_varint(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0u64;
    for shift in [0, 7, 14, 21, 28] {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return u32::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(payload: &[u8], number: u64, offset: u64) -> Vec<u8> {
        let mut out = payload.to_vec();
        seal(&mut out, 0, Compression::Lz4, number, offset);
        out
    }

    #[test]
    fn a_block_is_whole_only_in_its_place_of_its_table() {
        let block = sealed(b"payload", 7, 4096);
        assert_eq!(unseal(&block, 7, 4096), Ok((Compression::Lz4, &b"payload"[..])));
        let wrong = Err("the block's checksum does not match");
        assert_eq!(unseal(&block, 7, 8192), wrong);
        assert_eq!(unseal(&block, 8, 4096), wrong);
    }

    #[test]
    fn any_flipped_bit_and_any_cut_of_a_block_is_seen() {
        let mut block = sealed(b"payload", 7, 4096);
        for bit in 0..block.len() * 8 {
            block[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&block, 7, 4096).is_err(), "bit {bit}");
            block[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..block.len() {
            assert!(unseal(&block[..length], 7, 4096).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_footer_comes_back_and_any_flipped_bit_is_seen() {
        let footer = Footer { top_bytes: 1, properties_bytes: 2, number: 3 };
        let mut bytes = footer.encode(500);
        assert_eq!(bytes.len(), FOOTER_BYTES);
        assert_eq!(Footer::decode(&bytes, 500), Some(footer));
        assert_eq!(Footer::decode(&bytes, 501), None, "elsewhere");
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Footer::decode(&bytes, 500), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_varint_above_32_bits_or_without_an_end_is_none() {
        for bytes in [&[0xff; 9][..], &[0xff, 0xff, 0xff, 0xff, 0x10], &[0x80], &[]] {
            assert_eq!(take_varint(bytes, &mut 0), None, "{bytes:?}");
        }
        let mut at = 0;
        assert_eq!(take_varint(&[0xff, 0xff, 0xff, 0xff, 0x0f], &mut at), Some(u32::MAX));
        assert_eq!(at, 5);
    }

    proptest! {
        #[test]
        fn varints_come_back(values in prop::collection::vec(any::<u32>(), 0..20), shift in 0..32) {
            let mut bytes = Vec::new();
            for value in &values {
                put_varint(&mut bytes, value >> shift);
            }
            let mut at = 0;
            for value in values {
                prop_assert_eq!(take_varint(&bytes, &mut at), Some(value >> shift));
            }
            prop_assert_eq!(at, bytes.len());
        }

        #[test]
        fn properties_come_back(
            numbers: [u64; 4], smallest: Vec<u8>, largest: Vec<u8>,
        ) {
            let [entries, tombstones, key_bytes, value_bytes] = numbers;
            let properties =
                Properties { entries, tombstones, key_bytes, value_bytes, smallest, largest };
            prop_assert_eq!(Properties::decode(&properties.encode()), Some(properties));
        }
    }
}
