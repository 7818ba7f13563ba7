//! The system's own file system.
//!
//! Reads and writes say where (`pread`, `pwrite`), so that threads share a handle without sharing a
//! cursor. A sync is `fdatasync`: it makes the bytes durable, and of the metadata what is needed to
//! read them, thus a changed length too, but not the times. Appending to a file whose blocks were
//! allocated before changes no length, and the sync has the less to write.
//! Source: POSIX.1-2024, `fdatasync`, `posix_fallocate`.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::posix_fallocate;

use super::{Lock, Vfs, VfsFile};

/// The file system this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl Vfs for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Arc::new(SystemFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let opened = match File::options().read(true).write(true).open(path) {
            // Who only looks at another's files, or at a disk mounted so, need not write.
            Err(error) if is_read_only(&error) => File::open(path),
            opened => opened,
        };
        Ok(Arc::new(SystemFile(opened?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Names that are not UTF-8 are none of ours, and left out.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// A name is there for good only once the directory that holds it is synced.
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        self.create_directory(above)?;
        match fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
            _ => self.sync_directory(above),
        }
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(SystemLock { file, path: path.to_owned() }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[derive(Debug)]
struct SystemFile(File);

impl VfsFile for SystemFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    /// Where the file system cannot allocate, the file becomes as long without room being set aside:
    /// a later write may then find the disk full, which the engine takes as it takes any failed write.
    fn allocate(&self, length: u64) -> io::Result<()> {
        let bytes = i64::try_from(length).map_err(|_| ErrorKind::FileTooLarge)?;
        // A signal on its way to this process is no reason to fail a write.
        let allocated = loop {
            match posix_fallocate(&self.0, 0, bytes) {
                Err(Errno::EINTR) => {}
                allocated => break allocated,
            }
        };
        match allocated {
            Err(Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS) => {
                if self.len()? < length {
                    self.set_len(length)
                } else {
                    Ok(())
                }
            }
            allocated => Ok(allocated?),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// A lock the system takes back when the process dies.
#[derive(Debug)]
struct SystemLock {
    file: File,
    path: PathBuf,
}

impl Lock for SystemLock {}

impl Drop for SystemLock {
    /// Gives the lock back by name: a child process just forked has a copy of the handle until it
    /// execs, and closing ours alone would leave the directory locked for that moment.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(path = %self.path.display(), %error, "failed to unlock");
        }
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_locked_once_until_its_lock_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("LOCK");
        let held = SystemDisk.lock(&path).unwrap();
        assert!(held.is_some());
        assert!(SystemDisk.lock(&path).unwrap().is_none());
        drop(held);
        assert!(SystemDisk.lock(&path).unwrap().is_some());
    }

    #[test]
    fn directories_are_made_with_those_above_and_files_alone_are_listed() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b");
        SystemDisk.create_directory(&deep).unwrap();
        SystemDisk.create_directory(&deep).unwrap();
        SystemDisk.create(&deep.join("two")).unwrap();
        SystemDisk.create(&deep.join("one")).unwrap();
        SystemDisk.create_directory(&deep.join("three")).unwrap();
        assert_eq!(SystemDisk.list(&deep).unwrap(), ["one", "two"]);
        let in_the_way = SystemDisk.create_directory(&deep.join("one")).unwrap_err();
        assert_eq!(in_the_way.kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn allocation_grows_a_file_with_zeros_and_never_shrinks_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = SystemDisk.create(&directory.path().join("file")).unwrap();
        file.write_at(b"abc", 0).unwrap();
        file.allocate(5).unwrap();
        file.allocate(2).unwrap();
        let mut bytes = [1; 5];
        file.read_at(&mut bytes, 0).unwrap();
        assert_eq!((&bytes, file.len().unwrap()), (b"abc\0\0", 5));
    }
}
