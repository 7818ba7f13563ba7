//! The directory of one engine: its lock, the names of its files, and how a file appears whole.
//!
//! ```text
//! LOCK  MANIFEST  log-00000000000000000001  table-00000000000000000001  *.tmp (half-written; removed)
//! ```
//!
//! A file that others rely on is written under a temporary name, synced, renamed, and the directory
//! synced: after a crash it is there in full, or not at all.
//! Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::EngineError;

/// The directory of one engine, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Held open for its lock, which the system takes back when the process dies.
    lock: File,
}

/// The files found in a directory; numbers ascend.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) logs: Vec<u64>,
    pub(super) tables: Vec<u64>,
    pub(super) temporary: Vec<PathBuf>,
}

impl Directory {
    /// Makes the directory if it is absent, and locks it.
    pub(super) fn open(path: &Path) -> Result<Directory, EngineError> {
        make(path)?;
        let lock_path = path.join("LOCK");
        let lock = File::create(&lock_path).map_err(EngineError::io("create", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(EngineError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(EngineError::io("lock", &lock_path)(error)),
        }
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.path.join("MANIFEST")
    }

    pub(super) fn log(&self, number: u64) -> PathBuf {
        self.path.join(format!("log-{number:020}"))
    }

    pub(super) fn table(&self, number: u64) -> PathBuf {
        self.path.join(format!("table-{number:020}"))
    }

    pub(super) fn list(&self) -> Result<Listing, EngineError> {
        let failed = || EngineError::io("list", &self.path);
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.path).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let number = |prefix| name.strip_prefix(prefix).and_then(|it: &str| it.parse().ok());
            if let Some(number) = number("log-") {
                listing.logs.push(number);
            } else if let Some(number) = number("table-") {
                listing.tables.push(number);
            } else if path.extension().is_some_and(|it| it == "tmp") {
                listing.temporary.push(path);
            }
        }
        listing.logs.sort_unstable();
        listing.tables.sort_unstable();
        Ok(listing)
    }

    /// Makes what `write` writes appear at `path`, whole and for good, or not at all.
    pub(super) fn publish(
        &self,
        path: &Path,
        write: impl FnOnce(&mut File) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        let temporary = path.with_extension("tmp");
        let mut file = File::create(&temporary).map_err(EngineError::io("create", &temporary))?;
        write(&mut file)?;
        file.sync_all().map_err(EngineError::io("sync", &temporary))?;
        fs::rename(&temporary, path).map_err(EngineError::io("rename", &temporary))?;
        self.sync()
    }

    /// Makes names made and removed so far last.
    pub(super) fn sync(&self) -> Result<(), EngineError> {
        sync(&self.path)
    }
}

impl Drop for Directory {
    /// Gives the lock back by name: a child process just forked has a copy of the handle until it
    /// execs, and closing ours alone would leave the directory locked for that moment.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(path = %self.path.display(), %error, "failed to unlock");
        }
    }
}

/// Makes a directory that lasts, and those above it: a name is there for good only once the directory
/// that holds it is synced.
fn make(path: &Path) -> Result<(), EngineError> {
    if path.is_dir() {
        return Ok(());
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    make(above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists || !path.is_dir() => {
            Err(EngineError::io("create", path)(error))
        }
        _ => sync(above),
    }
}

fn sync(directory: &Path) -> Result<(), EngineError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(EngineError::io("sync", directory))
}

/// Removes a file that no manifest names; should a crash bring it back, the next start removes it.
pub(super) fn remove(path: &Path) -> Result<(), EngineError> {
    fs::remove_file(path).map_err(EngineError::io("remove", path))
}
