//! The directory of one engine: its lock, the names of its files, and how a file appears whole.
//!
//! ```text
//! LOCK  MANIFEST  log-00000000000000000001  table-00000000000000000001  *.tmp (half-written; removed)
//! ```
//!
//! A file that others rely on is written under a temporary name, synced, renamed, and the directory
//! synced: after a crash it is there in full, or not at all.
//! Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::vfs::{Lock, Vfs};
use crate::engine::EngineError;

/// The directory of one engine, and the file system it lies in.
#[derive(Debug)]
pub(super) struct Directory {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    /// Held for as long as this lives; `None` for one who only looks.
    _lock: Option<Box<dyn Lock>>,
}

/// The files found in a directory; numbers ascend.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) logs: Vec<u64>,
    pub(super) tables: Vec<u64>,
    /// What was being published when a crash came.
    pub(super) temporary: Vec<PathBuf>,
}

impl Directory {
    /// Makes the directory if it is absent, and locks it: [`EngineError::InUse`] where another has it.
    pub(super) fn open(vfs: Arc<dyn Vfs>, path: &Path) -> Result<Directory, EngineError> {
        vfs.create_directory(path).map_err(EngineError::io("create", path))?;
        let lock_path = path.join(LOCK);
        let lock = vfs.lock(&lock_path).map_err(EngineError::io("lock", &lock_path))?;
        let lock = lock.ok_or_else(|| EngineError::InUse { path: path.to_owned() })?;
        Ok(Directory { vfs, path: path.to_owned(), _lock: Some(lock) })
    }

    /// The directory as one sees it who only looks: neither made nor locked.
    pub(super) fn open_unlocked(vfs: Arc<dyn Vfs>, path: &Path) -> Directory {
        Directory { vfs, path: path.to_owned(), _lock: None }
    }

    /// The file system it lies in.
    pub(super) fn vfs(&self) -> &Arc<dyn Vfs> {
        &self.vfs
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.path.join(LOCK)
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.path.join("MANIFEST")
    }

    pub(super) fn log(&self, number: u64) -> PathBuf {
        self.path.join(numbered(LOG, number))
    }

    pub(super) fn table(&self, number: u64) -> PathBuf {
        self.path.join(numbered(TABLE, number))
    }

    /// The files of an engine that lie here; others are left out, and alone.
    pub(super) fn list(&self) -> Result<Listing, EngineError> {
        let names = self.vfs.list(&self.path).map_err(EngineError::io("list", &self.path))?;
        let mut listing = Listing::default();
        for name in names {
            if let Some(number) = number(LOG, &name) {
                listing.logs.push(number);
            } else if let Some(number) = number(TABLE, &name) {
                listing.tables.push(number);
            } else if Path::new(&name).extension().is_some_and(|it| it == TEMPORARY) {
                listing.temporary.push(self.path.join(name));
            }
        }
        Ok(listing)
    }

    /// All bytes of a small file; `None` where there is none. One longer than `bytes_max` is damaged.
    pub(super) fn read(&self, path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, EngineError> {
        let file = match self.vfs.open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(EngineError::io("open", path))?,
        };
        let length = file.len().map_err(EngineError::io("read", path))?;
        if length > bytes_max {
            return Err(EngineError::damaged(path, bytes_max, "the file is far too long"));
        }
        let mut bytes = vec![0; usize::try_from(length).expect("a bounded length")];
        file.read_at(&mut bytes, 0).map_err(EngineError::io("read", path))?;
        Ok(Some(bytes))
    }

    /// Makes `bytes` appear at `path`, whole and for good, or not at all.
    pub(super) fn publish(&self, path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
        let temporary = path.with_extension(TEMPORARY);
        let created = self.vfs.create(&temporary);
        let file = created.map_err(EngineError::io("create", &temporary))?;
        file.write_at(bytes, 0).map_err(EngineError::io("write", &temporary))?;
        file.sync().map_err(EngineError::io("sync", &temporary))?;
        self.vfs.rename(&temporary, path).map_err(EngineError::io("rename", &temporary))?;
        self.sync()
    }

    /// Makes names made and removed so far last.
    pub(super) fn sync(&self) -> Result<(), EngineError> {
        self.vfs.sync_directory(&self.path).map_err(EngineError::io("sync", &self.path))
    }

    /// Removes a file that no manifest names; should a crash bring it back, the next start removes it.
    pub(super) fn remove(&self, path: &Path) -> Result<(), EngineError> {
        self.vfs.remove(path).map_err(EngineError::io("remove", path))
    }
}

const LOCK: &str = "LOCK";
const LOG: &str = "log-";
const TABLE: &str = "table-";
const TEMPORARY: &str = "tmp";

/// Names of one kind sort as their numbers do.
fn numbered(kind: &str, number: u64) -> String {
    format!("{kind}{number:020}")
}

/// The number in a name, if [`numbered`] could have made it: `log-1` is nobody's.
fn number(kind: &str, name: &str) -> Option<u64> {
    let number = name.strip_prefix(kind)?.parse().ok()?;
    (numbered(kind, number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::vfs::{Data, ModelDisk, Names, Remains, SystemDisk};
    use super::*;

    fn at() -> &'static Path {
        Path::new("engine")
    }

    #[test]
    fn a_directory_has_one_owner_until_that_is_dropped() {
        let path = tempfile::tempdir().unwrap();
        let disks: [Arc<dyn Vfs>; 2] = [Arc::new(SystemDisk), Arc::new(ModelDisk::new())];
        for disk in disks {
            let path = path.path().join("engine");
            let owner = Directory::open(disk.clone(), &path).unwrap();
            let second = Directory::open(disk.clone(), &path).unwrap_err();
            assert!(matches!(second, EngineError::InUse { .. }), "{second}");
            let looking = Directory::open_unlocked(disk.clone(), &path);
            assert_eq!(looking.list().unwrap(), Listing::default());
            drop(owner);
            Directory::open(disk, &path).unwrap();
        }
    }

    #[test]
    fn one_who_only_looks_makes_nothing() {
        let disk = Arc::new(ModelDisk::new());
        let looking = Directory::open_unlocked(disk.clone(), at());
        let absent = looking.list().unwrap_err();
        assert!(matches!(absent, EngineError::Io { action: "list", .. }), "{absent}");
        assert_eq!(disk.operations(), 0);
    }

    #[test]
    fn files_are_listed_by_kind_and_strangers_left_out() {
        let disk = Arc::new(ModelDisk::new());
        let directory = Directory::open(disk.clone(), at()).unwrap();
        let ours = [directory.log(10), directory.log(9), directory.table(3), directory.manifest()];
        let strangers = ["log-7", "log-+0000000000000000007", "table-x", "notes", "a.tmp"];
        for path in ours.into_iter().chain(strangers.map(|name| at().join(name))) {
            disk.create(&path).unwrap();
        }
        let expected =
            Listing { logs: vec![9, 10], tables: vec![3], temporary: vec![at().join("a.tmp")] };
        assert_eq!(directory.list().unwrap(), expected);
    }

    #[test]
    fn what_is_published_is_there_whole_or_not_at_all() {
        let script = |disk: &ModelDisk| {
            let directory = Directory::open(Arc::new(disk.clone()), at())?;
            directory.publish(&directory.manifest(), &[1; 1000])?;
            directory.publish(&directory.manifest(), &[2; 2000])
        };
        let whole = ModelDisk::new();
        script(&whole).unwrap();
        for operation in 0..whole.operations() {
            let disk = ModelDisk::new();
            disk.cut_after(operation);
            script(&disk).unwrap_err();
            for remains in Remains::all() {
                let left = disk.after_power_loss(remains);
                let found = left.files().into_iter().find(|(path, _)| path.ends_with("MANIFEST"));
                let is_whole =
                    found.is_none_or(|(_, bytes)| bytes == [1; 1000] || bytes == [2; 2000]);
                assert!(is_whole, "cut after {operation}; {remains}");
            }
        }
        let lost = whole.after_power_loss(Remains { data: Data::Lost, names: Names::Lost });
        assert!(lost.files().contains(&(at().join("MANIFEST"), vec![2; 2000])));
    }

    #[test]
    fn a_removed_file_is_gone_for_good_after_a_sync() {
        let disk = Arc::new(ModelDisk::new());
        let directory = Directory::open(disk.clone(), at()).unwrap();
        directory.publish(&directory.table(1), b"table").unwrap();
        directory.remove(&directory.table(1)).unwrap();
        assert_eq!(disk.durable_files().len(), 2, "LOCK and the table");
        directory.sync().unwrap();
        assert_eq!(disk.durable_files().len(), 1);
        let absent = directory.remove(&directory.table(1)).unwrap_err();
        assert!(matches!(absent, EngineError::Io { action: "remove", .. }), "{absent}");
    }
}
