//! Which files count: the tables by level, and the oldest log segment not yet in one.
//!
//! ```text
//! manifest  magic 8 | next table u64 | oldest log u64 | table* | crc of all before u32
//! table     level u8 | number u64 | bytes u64 | entries u64 | tombstones u64
//!           | smallest key length u32 | smallest key | largest key length u32 | largest key
//! ```
//!
//! Integers are little-endian; `crc` is CRC-32 (IEEE); the magic ends in the version of the format.
//! Tables come level by level, level 0 newest first, deeper levels by key: in read order. One value
//! has one encoding, so that equal manifests are equal bytes.
//!
//! Decision: the manifest is replaced as a whole, by a temporary file and a rename, and not appended
//! to as LevelDB's and RocksDB's are. Context: an edit must be atomic, and survive any cut. Choice: an
//! edit is atomic because the file is; there is no log of edits to replay, no torn tail to judge, no
//! rolling over. Price: every edit writes every table's facts, about 80 bytes each; 100 GB in tables of
//! 64 MiB are some 1 600 of them, so 128 KiB a flush beside the 64 MiB of the flush itself. We would
//! change our mind at a hundred times that, or where moves come in thousands a second.

use bytes::{Buf, BufMut, Bytes};

use super::format::{put_string, seal, take_string, unseal};
use super::levels::{LEVELS, Levels};
use super::table::TableFacts;

/// First bytes of the manifest.
const MAGIC: [u8; 8] = *b"schman\0\x02";

/// Which files count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The number the next table will have; all that exist have smaller ones.
    pub(super) next_table: u64,
    /// The oldest segment with writes that no table has.
    pub(super) oldest_log: u64,
    /// The tables.
    pub(super) levels: Levels<TableFacts>,
}

impl Manifest {
    /// Of an engine that has never flushed.
    pub(super) fn fresh() -> Manifest {
        Manifest { next_table: 1, oldest_log: 1, levels: Levels::new() }
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.put_u64_le(self.next_table);
        out.put_u64_le(self.oldest_log);
        for (level, table) in self.levels.iter() {
            put_table(&mut out, level, table);
        }
        seal(&mut out, 0);
        out
    }

    /// What `bytes` say; `None` where they are not a manifest, or one that no engine wrote: with
    /// tables that overlap on a level, stand twice, or have numbers not given out yet.
    pub(super) fn decode(bytes: &[u8]) -> Option<Manifest> {
        let mut input = unseal(bytes)?.strip_prefix(&MAGIC)?;
        let next_table = input.try_get_u64_le().ok()?;
        let oldest_log = input.try_get_u64_le().ok()?;
        // No engine has counted so far: what is added to a number never overflows.
        if next_table.max(oldest_log) > u64::MAX / 2 {
            return None;
        }
        let mut levels: [Vec<TableFacts>; LEVELS] = std::array::from_fn(|_| Vec::new());
        let mut deepest = 0;
        while !input.is_empty() {
            let (level, table) = take_table(&mut input)?;
            if level < deepest || table.number >= next_table {
                return None;
            }
            deepest = level;
            levels.get_mut(level)?.push(table);
        }
        Some(Manifest { next_table, oldest_log, levels: Levels::of(levels).ok()? })
    }
}

fn put_table(out: &mut Vec<u8>, level: usize, table: &TableFacts) {
    out.put_u8(u8::try_from(level).expect("there are seven levels"));
    out.put_u64_le(table.number);
    out.put_u64_le(table.bytes);
    out.put_u64_le(table.entries);
    out.put_u64_le(table.tombstones);
    put_string(out, &table.smallest);
    put_string(out, &table.largest);
}

/// Takes one table off `input`. The keys are copied, so that what is allocated is less than `input`.
fn take_table(input: &mut &[u8]) -> Option<(usize, TableFacts)> {
    let level = usize::from(input.try_get_u8().ok()?);
    let table = TableFacts {
        number: input.try_get_u64_le().ok()?,
        bytes: input.try_get_u64_le().ok()?,
        entries: input.try_get_u64_le().ok()?,
        tombstones: input.try_get_u64_le().ok()?,
        smallest: Bytes::copy_from_slice(take_string(input)?),
        largest: Bytes::copy_from_slice(take_string(input)?),
    };
    (table.tombstones <= table.entries).then_some((level, table))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(number: u64, smallest: &str, largest: &str) -> TableFacts {
        TableFacts {
            number,
            bytes: 1000 + number,
            entries: 10,
            tombstones: number,
            smallest: Bytes::copy_from_slice(smallest.as_bytes()),
            largest: Bytes::copy_from_slice(largest.as_bytes()),
        }
    }

    fn example() -> Manifest {
        let mut levels: [Vec<TableFacts>; LEVELS] = std::array::from_fn(|_| Vec::new());
        levels[0] = vec![table(9, "a", "z"), table(7, "b", "y")];
        levels[1] = vec![table(3, "", "f"), table(4, "g", "p")];
        levels[6] = vec![table(1, "a", "m"), table(2, "n", "zzz")];
        Manifest { next_table: 10, oldest_log: 8, levels: Levels::of(levels).unwrap() }
    }

    /// A manifest of these tables, sealed as if it were good.
    fn forged(next_table: u64, tables: &[(usize, TableFacts)]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.put_u64_le(next_table);
        out.put_u64_le(1);
        for (level, table) in tables {
            put_table(&mut out, *level, table);
        }
        seal(&mut out, 0);
        out
    }

    #[test]
    fn a_manifest_comes_back() {
        assert_eq!(Manifest::decode(&example().encode()), Some(example()));
        assert_eq!(Manifest::decode(&Manifest::fresh().encode()), Some(Manifest::fresh()));
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_seen() {
        let mut bytes = example().encode();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Manifest::decode(&bytes), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for length in 0..bytes.len() {
            assert_eq!(Manifest::decode(&bytes[..length]), None, "cut to {length}");
        }
    }

    #[test]
    fn a_whole_manifest_that_no_engine_wrote_is_refused() {
        let good = forged(10, &[(1, table(1, "a", "c")), (1, table(2, "d", "f"))]);
        assert!(Manifest::decode(&good).is_some());
        let refused = [
            ("tables overlap", forged(10, &[(1, table(1, "a", "c")), (1, table(2, "c", "f"))])),
            ("not in order", forged(10, &[(1, table(2, "d", "f")), (1, table(1, "a", "c"))])),
            ("levels descend", forged(10, &[(2, table(1, "a", "c")), (1, table(2, "d", "f"))])),
            ("one stands twice", forged(10, &[(0, table(1, "a", "c")), (1, table(1, "a", "c"))])),
            ("it ends before it begins", forged(10, &[(0, table(1, "c", "a"))])),
            ("no such level", forged(10, &[(7, table(1, "a", "c"))])),
            ("a number not given out", forged(5, &[(0, table(5, "a", "c"))])),
            ("more tombstones than entries", forged(20, &[(0, table(11, "a", "c"))])),
        ];
        for (why, bytes) in refused {
            assert_eq!(Manifest::decode(&bytes), None, "{why}");
        }
    }

    #[test]
    fn a_key_of_impossible_length_is_refused() {
        let mut out = MAGIC.to_vec();
        out.put_u64_le(10);
        out.put_u64_le(1);
        out.put_u8(0);
        out.put_bytes(0, 32);
        out.put_u32_le(u32::MAX);
        out.put_slice(b"key");
        seal(&mut out, 0);
        assert_eq!(Manifest::decode(&out), None);
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_what_would_be_written(
            next_table in any::<u64>(), body in prop::collection::vec(any::<u8>(), 0..200), tables in 0..3_u64,
        ) {
            let mut out = MAGIC.to_vec();
            out.put_u64_le(next_table);
            out.put_u64_le(1);
            for number in 0..tables {
                put_table(&mut out, 0, &table(number, "a", "c"));
            }
            out.put_slice(&body);
            seal(&mut out, 0);
            if let Some(manifest) = Manifest::decode(&out) {
                prop_assert_eq!(manifest.encode(), out);
            }
        }
    }
}
