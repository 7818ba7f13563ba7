//! Blocks made smaller on their way to the disk, and made whole again when they come back.
//!
//! LZ4 costs next to nothing, and is for blocks that will be merged again soon; zstd is smaller and
//! slower, and is for the last level, where blocks stay. A block that would save less than an eighth
//! is stored as it is: reading it back then costs nothing.
//!
//! ```text
//! packed    None: the bytes | Lz4, Zstd: length of the bytes u32 | compressed bytes
//! ```
//!
//! The length is what a reader allocates, so it is believed only up to [`UNPACKED_BYTES_MAX`]; what
//! is longer is never compressed.
//! Source: Collet, "LZ4 block format"; RFC 8878 (zstd).

use std::cell::RefCell;

use bytes::{Buf, BufMut};
use lz4_flex::block::CompressTable;

/// The longest block that is compressed; a length above it is a lie.
pub(super) const UNPACKED_BYTES_MAX: usize = 16 << 20;
/// How hard zstd tries: above this, blocks of a few KiB gain little.
const ZSTD_LEVEL: i32 = 2;
/// Length of the stated length.
const LENGTH_BYTES: usize = 4;

/// How blocks are compressed; its number is what stands behind a block on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Compression {
    /// Not at all.
    None = 0,
    /// Fast: for data that will be rewritten.
    #[default]
    Lz4 = 1,
    /// Small: for data that stays.
    Zstd = 2,
}

impl Compression {
    /// The compression with this number, if there is one.
    pub(super) fn from_number(number: u8) -> Option<Compression> {
        [Compression::None, Compression::Lz4, Compression::Zstd]
            .into_iter()
            .find(|compression| *compression as u8 == number)
    }
}

/// Compresses blocks one after another, with the memory it needs taken once.
pub(super) struct Packer {
    method: Method,
    /// A block as compressed, before it is known to be worth it.
    scratch: Vec<u8>,
}

enum Method {
    None,
    Lz4(Box<CompressTable>),
    Zstd(zstd::bulk::Compressor<'static>),
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    pub(super) fn new(compression: Compression) -> Packer {
        let method = match compression {
            Compression::None => Method::None,
            Compression::Lz4 => Method::Lz4(Box::default()),
            Compression::Zstd => Method::Zstd(
                zstd::bulk::Compressor::new(ZSTD_LEVEL).expect("the level is one that zstd has"),
            ),
        };
        Packer { method, scratch: Vec::new() }
    }

    /// Appends `block` to `out`, compressed if that is worth it, and says how.
    pub(super) fn pack(&mut self, block: &[u8], out: &mut Vec<u8>) -> Compression {
        let packed = if block.len() > UNPACKED_BYTES_MAX { None } else { self.compress(block) };
        match packed {
            Some((compression, length)) if LENGTH_BYTES + length <= block.len() / 8 * 7 => {
                out.put_u32_le(u32::try_from(block.len()).expect("bounded above"));
                out.put_slice(&self.scratch[..length]);
                compression
            }
            _ => {
                out.put_slice(block);
                Compression::None
            }
        }
    }

    /// Compresses `block` into the scratch; its length there, or `None` where that was not to be.
    fn compress(&mut self, block: &[u8]) -> Option<(Compression, usize)> {
        // Longer than the block is not worth having, so there need not be room for it.
        self.scratch.resize(lz4_flex::block::get_maximum_output_size(block.len()), 0);
        match &mut self.method {
            Method::None => None,
            Method::Lz4(table) => {
                let packed =
                    lz4_flex::block::compress_into_with_table(block, &mut self.scratch, table);
                packed.ok().map(|length| (Compression::Lz4, length))
            }
            Method::Zstd(zstd) => {
                let packed = zstd.compress_to_buffer(block, &mut self.scratch[..]);
                packed.ok().map(|length| (Compression::Zstd, length))
            }
        }
    }
}

/// The block that was packed into `packed`; `None` if these bytes are no such thing.
pub(super) fn unpack(compression: Compression, packed: &[u8]) -> Option<Vec<u8>> {
    if compression == Compression::None {
        return Some(packed.to_vec());
    }
    let mut input = packed;
    let length = input.try_get_u32_le().ok()? as usize;
    if length > UNPACKED_BYTES_MAX {
        return None;
    }
    let mut block = vec![0; length];
    let unpacked = match compression {
        Compression::Zstd => unpack_zstd(input, &mut block)?,
        _ => lz4_flex::block::decompress_into(input, &mut block).ok()?,
    };
    (unpacked == length).then_some(block)
}

fn unpack_zstd(packed: &[u8], block: &mut [u8]) -> Option<usize> {
    thread_local! {
        /// A context is some hundred KiB, and costs more to make than a block to unpack.
        static ZSTD: RefCell<Option<zstd::bulk::Decompressor<'static>>> =
            const { RefCell::new(None) };
    }
    ZSTD.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = zstd::bulk::Decompressor::new().ok();
        }
        kept.as_mut()?.decompress_to_buffer(packed, block).ok()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Compression; 3] = [Compression::None, Compression::Lz4, Compression::Zstd];

    fn pack(compression: Compression, block: &[u8]) -> (Compression, Vec<u8>) {
        let mut out = Vec::new();
        (Packer::new(compression).pack(block, &mut out), out)
    }

    #[test]
    fn what_repeats_gets_smaller_and_comes_back() {
        let block = b"the quick brown fox ".repeat(200);
        for compression in [Compression::Lz4, Compression::Zstd] {
            let (how, packed) = pack(compression, &block);
            assert_eq!(how, compression);
            assert!(packed.len() < block.len() / 8, "{compression:?}: {} bytes", packed.len());
            assert_eq!(unpack(how, &packed), Some(block.clone()));
        }
    }

    #[test]
    fn what_saves_less_than_an_eighth_is_stored_as_it_is() {
        let block: Vec<u8> = (0..512u64)
            .flat_map(|n| crate::lsm::filter::hash(&n.to_be_bytes()).to_be_bytes())
            .collect();
        for compression in ALL {
            assert_eq!(pack(compression, &block), (Compression::None, block.clone()));
        }
    }

    #[test]
    fn a_packer_serves_many_blocks() {
        for compression in ALL {
            let mut packer = Packer::new(compression);
            for length in [5000, 10, 0, 70_000, 4096] {
                let block: Vec<u8> = (0..length).map(|n| (n / 50) as u8).collect();
                let mut out = Vec::new();
                let how = packer.pack(&block, &mut out);
                assert_eq!(unpack(how, &out), Some(block));
            }
        }
    }

    #[test]
    fn a_stated_length_above_the_bound_is_refused_before_it_is_allocated() {
        for compression in [Compression::Lz4, Compression::Zstd] {
            let (_, mut packed) = pack(compression, &[7; 4096]);
            packed[..4].copy_from_slice(&u32::MAX.to_le_bytes());
            assert_eq!(unpack(compression, &packed), None);
            packed[..4].copy_from_slice(&4097u32.to_le_bytes());
            assert_eq!(unpack(compression, &packed), None, "longer than it is");
            packed[..4].copy_from_slice(&4095u32.to_le_bytes());
            assert_eq!(unpack(compression, &packed), None, "shorter than it is");
        }
    }

    #[test]
    fn numbers_on_disk_stay() {
        assert_eq!(ALL.map(|compression| compression as u8), [0, 1, 2]);
        assert_eq!([0, 1, 2].map(Compression::from_number), ALL.map(Some));
        assert_eq!(Compression::from_number(3), None);
    }

    proptest! {
        #[test]
        fn blocks_come_back(
            block in prop::collection::vec(0..4u8, 0..3000),
            compression in prop::sample::select(&ALL),
        ) {
            let (how, packed) = pack(compression, &block);
            prop_assert_eq!(unpack(how, &packed), Some(block));
        }

        #[test]
        fn any_bytes_are_a_block_or_refused(
            packed in prop::collection::vec(any::<u8>(), 0..200),
            length in 0..5000u32,
            compression in prop::sample::select(&ALL),
        ) {
            let stated = [&length.to_le_bytes()[..], &packed].concat();
            if let Some(block) = unpack(compression, &stated)
                && compression != Compression::None
            {
                prop_assert_eq!(block.len(), length as usize);
            }
            let _: Option<Vec<u8>> = unpack(compression, &packed);
        }
    }
}
