//! What leads through one partition: the filter of its keys and the index of its blocks.
//!
//! Filter and index of a whole table would be megabytes, pinned for as long as the table is open, or
//! loaded whole for one look-up. Cut into partitions they are blocks of a few KiB, which live in the
//! cache like any other: memory follows what is asked, not what is stored. A look-up in a cold
//! partition costs one more read, and brings filter and index together.
//! Source: the partitioned index and filters of RocksDB; the layout is drawn in
//! [`format`](super::format).

use bytes::{BufMut, Bytes};

use super::super::filter;
use super::format::{length_u32, u32_at};
use super::index::{Index, IndexBuilder};

/// Appends a guide to `out`.
pub(super) fn build(hashes: &[u64], index: &mut IndexBuilder, out: &mut Vec<u8>) {
    let begin = out.len();
    filter::build(hashes, out);
    let filter_bytes = length_u32(out.len() - begin);
    index.finish(out);
    out.put_u32_le(filter_bytes);
}

/// The guide of a partition.
#[derive(Clone, Debug)]
pub(super) struct Guide {
    payload: Bytes,
    filter_bytes: usize,
}

impl Guide {
    /// The guide in `payload`; `None` if there is none. Its index is still to be checked.
    pub(super) fn new(payload: Bytes) -> Option<Guide> {
        let index_end = payload.len().checked_sub(4)?;
        let filter_bytes = u32_at(&payload, index_end)? as usize;
        let filter = payload[..index_end].get(..filter_bytes)?;
        let is_guide = filter::is_filter(filter);
        Index::new(&payload[filter_bytes..index_end])?;
        is_guide.then_some(Guide { payload, filter_bytes })
    }

    /// The bytes it is made of, to make it again.
    pub(super) fn payload(&self) -> Bytes {
        self.payload.clone()
    }

    /// Whether the partition may hold the key with this hash.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        filter::may_hold(&self.payload[..self.filter_bytes], hash)
    }

    /// The data blocks of the partition.
    pub(super) fn index(&self) -> Index<'_> {
        let index = Index::new(&self.payload[self.filter_bytes..self.payload.len() - 4]);
        index.expect("looked at when the guide was made")
    }
}
