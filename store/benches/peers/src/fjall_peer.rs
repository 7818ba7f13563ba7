//! fjall as a `Peer`.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use fjall::config::{BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::FILTER_BITS_PER_KEY;
use crate::contest::peer::{Checksum, Compression, Contestant, Peer, Setting};

/// fjall.
pub(crate) const FJALL: Contestant = Contestant { name: "fjall", open };

struct Fjall {
    database: Database,
    keyspace: Keyspace,
    synced: bool,
}

/// How often it is asked whether it is done, and how long that must hold: between two compactions
/// there are moments without one.
const PAUSE: Duration = Duration::from_millis(50);
const QUIET_PAUSES: u32 = 5;

fn open(directory: &Path, setting: &Setting) -> Result<Box<dyn Peer>> {
    let database = Database::builder(directory).cache_size(setting.cache_bytes as u64).open()?;
    let keyspace = database.keyspace("pairs", || options(setting))?;
    Ok(Box::new(Fjall { database, keyspace, synced: setting.synced }))
}

fn options(setting: &Setting) -> KeyspaceCreateOptions {
    let bits = BloomConstructionPolicy::BitsPerKey(f32::from(FILTER_BITS_PER_KEY));
    let compression = match setting.compression {
        Compression::None => CompressionType::None,
        Compression::Lz4 => CompressionType::Lz4,
    };
    KeyspaceCreateOptions::default()
        .max_memtable_size(setting.memtable_bytes as u64)
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(bits)))
        .data_block_compression_policy(CompressionPolicy::all(compression))
}

impl Fjall {
    fn is_quiet(&self) -> bool {
        self.database.outstanding_flushes() == 0 && self.database.active_compactions() == 0
    }
}

impl Peer for Fjall {
    /// An insert gives the system the bytes; `persist` has them synced.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.keyspace.insert(key, value)?;
        if self.synced {
            self.database.persist(PersistMode::SyncData)?;
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>> {
        Ok(self.keyspace.get(key)?.map(|value| value.len()))
    }

    fn scan(&self, seen: &mut Checksum) -> Result<()> {
        for pair in self.keyspace.iter() {
            let (key, value) = pair.into_inner()?;
            seen.add(&key, &value);
        }
        Ok(())
    }

    /// It tells only whether it works at the moment.
    fn settle(&self) -> Result<()> {
        self.keyspace.rotate_memtable_and_wait()?;
        let mut pauses = 0;
        while pauses < QUIET_PAUSES {
            pauses = if self.is_quiet() { pauses + 1 } else { 0 };
            sleep(PAUSE);
        }
        Ok(())
    }

    /// Dropped, it ends its threads.
    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
