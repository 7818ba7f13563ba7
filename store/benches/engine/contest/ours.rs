//! Our engine as a [`Peer`]: the one file to change when its interface does.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use store::config::Sync;
use store::engine::{Batch, Engine};
use store::lsm::{self, Lsm, Options, Shape, TableShape};

use super::peer::{Checksum, Compression, Contestant, Peer, Setting};

/// Our engine.
pub(crate) const OURS: Contestant = Contestant { name: "ours", open };

struct Ours(Lsm);

/// Without a word from the engine for this long, its background work is done.
const QUIET: Duration = Duration::from_millis(500);

fn open(directory: &Path, setting: &Setting) -> Result<Box<dyn Peer>> {
    let compression = match setting.compression {
        Compression::None => lsm::Compression::None,
        Compression::Lz4 => lsm::Compression::Lz4,
    };
    let options = Options {
        sync: if setting.synced { Sync::Always } else { Sync::Never },
        memtable_bytes: setting.memtable_bytes,
        cache_bytes: setting.cache_bytes,
        compression,
        bottom_compression: compression,
        table: TableShape { compression, ..TableShape::default() },
        shape: Shape::default(),
        ..Options::default()
    };
    Ok(Box::new(Ours(Lsm::open(directory, options)?)))
}

impl Peer for Ours {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let pair = (Bytes::copy_from_slice(key), Some(Bytes::copy_from_slice(value)));
        Ok(self.0.commit(Batch { entries: vec![pair] })?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>> {
        Ok(self.0.get(key)?.map(|value| value.len()))
    }

    fn scan(&self, seen: &mut Checksum) -> Result<()> {
        let snapshot = self.0.snapshot();
        let mut range = snapshot.range(b"")?;
        while let Some((key, value)) = range.pair() {
            seen.add(key, value);
            range.advance()?;
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        self.0.flush()?;
        let mut before = self.0.statistics();
        loop {
            sleep(QUIET);
            let now = self.0.statistics();
            if now == before {
                return Ok(());
            }
            before = now;
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0.close()?)
    }
}
