//! Our engine as a [`Peer`]: the one file to change when its interface does.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use store::config::Sync;
use store::engine::{Batch, Engine};
use store::lsm::{self, Lsm, Options, Shape, TableShape};

use super::peer::{Checksum, Compression, Contestant, Peer, Setting};

/// Our engine.
pub(crate) const OURS: Contestant = Contestant { name: "ours", open };

/// Our engine, open.
pub(crate) struct Ours(Lsm);

/// Between two looks whether the work in the background is done.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// An engine that merges for longer than this after the last write has failed.
const PATIENCE: Duration = Duration::from_mins(30);

fn open(directory: &Path, setting: &Setting) -> Result<Box<dyn Peer>> {
    let sync = if setting.synced { Sync::Always } else { Sync::Never };
    Ok(Box::new(open_synced(directory, setting, sync)?))
}

/// Opens it, synced when `sync` says, whatever the setting does.
pub(crate) fn open_synced(directory: &Path, setting: &Setting, sync: Sync) -> Result<Ours> {
    let compression = match setting.compression {
        Compression::None => lsm::Compression::None,
        Compression::Lz4 => lsm::Compression::Lz4,
    };
    let options = Options {
        sync,
        memtable_bytes: setting.memtable_bytes,
        cache_bytes: setting.cache_bytes,
        compression,
        bottom_compression: compression,
        table: TableShape { compression, ..TableShape::default() },
        shape: Shape::default(),
        ..Options::default()
    };
    Ok(Ours(Lsm::open(directory, options)?))
}

impl Ours {
    /// How often its log was synced since it was opened.
    pub(crate) fn syncs(&self) -> u64 {
        self.0.statistics().syncs
    }
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
        let begun = Instant::now();
        while !self.0.tree().is_settled() {
            ensure!(begun.elapsed() < PATIENCE, "it still merges after {PATIENCE:?}");
            sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.0.close()?)
    }
}
