//! RocksDB as a `Peer`.

use std::path::Path;

use anyhow::Result;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, Options, WaitForCompactOptions, WriteOptions,
};

use crate::FILTER_BITS_PER_KEY;
use crate::contest::peer::{Checksum, Compression, Contestant, Peer, Setting};

/// RocksDB.
pub(crate) const ROCKSDB: Contestant = Contestant { name: "rocksdb", open };

struct RocksDb {
    database: DB,
    writing: WriteOptions,
}

fn open(directory: &Path, setting: &Setting) -> Result<Box<dyn Peer>> {
    let database = DB::open(&options(setting), directory)?;
    let mut writing = WriteOptions::default();
    writing.set_sync(setting.synced);
    Ok(Box::new(RocksDb { database, writing }))
}

fn options(setting: &Setting) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(setting.cache_bytes));
    blocks.set_bloom_filter(f64::from(FILTER_BITS_PER_KEY), false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(setting.memtable_bytes);
    options.set_compression_type(match setting.compression {
        Compression::None => DBCompressionType::None,
        Compression::Lz4 => DBCompressionType::Lz4,
    });
    options
}

impl Peer for RocksDb {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.database.put_opt(key, value, &self.writing)?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>> {
        Ok(self.database.get_pinned(key)?.map(|value| value.len()))
    }

    /// By the raw iterator, which does not copy the pairs.
    fn scan(&self, seen: &mut Checksum) -> Result<()> {
        let mut cursor = self.database.raw_iterator();
        cursor.seek_to_first();
        while let Some((key, value)) = cursor.item() {
            seen.add(key, value);
            cursor.next();
        }
        Ok(cursor.status()?)
    }

    fn settle(&self) -> Result<()> {
        let mut waiting = WaitForCompactOptions::default();
        waiting.set_flush(true);
        Ok(self.database.wait_for_compact(&waiting)?)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.database.cancel_all_background_work(true);
        Ok(())
    }
}
