//! What an engine must do to take part.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;

/// An engine, and how to open it.
#[derive(Clone, Copy)]
pub(crate) struct Contestant {
    /// Its column.
    pub(crate) name: &'static str,
    /// Opens a directory, which may be absent, as the setting says.
    pub(crate) open: fn(&Path, &Setting) -> Result<Box<dyn Peer>>,
}

/// An open engine, used by many threads.
pub(crate) trait Peer: Sync {
    /// Returns once the pair is as durable as [`Setting::synced`] promises.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()>;
    /// The length of the value of `key`.
    fn get(&self, key: &[u8]) -> Result<Option<usize>>;
    /// Shows every pair, in order of key.
    fn scan(&self, seen: &mut Checksum) -> Result<()>;
    /// Has what was put written as tables, and waits until those are merged as far as the engine
    /// wants. Where the engine must be asked again and again, up to half a second too long.
    fn settle(&self) -> Result<()>;
    /// Ends it.
    fn close(self: Box<Self>) -> Result<()>;
}

/// What all engines are given alike. Beside it: ten filter bits a key, leveled compaction, a log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Whether each put waits for `fdatasync`; if not, it waits for the system to have the bytes.
    pub(crate) synced: bool,
    /// A memtable of more bytes is written as a table.
    pub(crate) memtable_bytes: usize,
    /// Bytes of blocks kept in memory.
    pub(crate) cache_bytes: usize,
    /// Of the blocks of every level.
    pub(crate) compression: Compression,
}

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// By LZ4.
    Lz4,
}

/// What a scan saw, in few enough instructions to be lost beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checksum {
    /// Pairs.
    pub(crate) entries: u64,
    /// Of their lengths, the ends of their keys and the beginnings of their values, in order.
    pub(crate) sum: u64,
}

impl Checksum {
    /// Adds the next pair.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) {
        let end = key.last_chunk().map_or(0, |end| u64::from_le_bytes(*end));
        let beginning = value.first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        let lengths = (key.len() ^ value.len() << 16) as u64;
        self.entries += 1;
        let pair = end ^ beginning.wrapping_add(lengths).rotate_left(32);
        self.sum = (self.sum ^ pair).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    fn of(pairs: &[(&[u8], &[u8])]) -> Checksum {
        let mut seen = Checksum::default();
        for (key, value) in pairs {
            seen.add(key, value);
        }
        seen
    }

    #[test]
    fn a_checksum_knows_order_keys_and_values() {
        let (a, b) = ((&b"key-0001"[..], &b"value-01"[..]), (&b"key-0002"[..], &b"value-02"[..]));
        assert_eq!(of(&[a, b]), of(&[a, b]));
        assert_ne!(of(&[a, b]), of(&[b, a]));
        assert_ne!(of(&[a, b]), of(&[a]));
        assert_ne!(of(&[a, b]), of(&[a, (b.0, a.1)]));
        assert_ne!(of(&[a]), of(&[(a.0, b"value-01 and more")]));
    }
}
