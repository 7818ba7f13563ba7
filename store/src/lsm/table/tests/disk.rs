//! A disk that is a map: files in memory, which tests may damage, and which count what is read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use crate::lsm::vfs::{Lock, Vfs, VfsFile};

/// Files by name.
#[derive(Debug, Default)]
pub(super) struct Disk {
    files: Mutex<BTreeMap<PathBuf, Arc<File>>>,
}

/// A file; `synced` is what it held at its last sync.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) bytes: Mutex<Vec<u8>>,
    pub(super) synced: Mutex<Vec<u8>>,
    pub(super) reads: AtomicUsize,
    pub(super) refuses: std::sync::atomic::AtomicBool,
}

impl Disk {
    /// The file of this name.
    pub(super) fn file(&self, path: &Path) -> io::Result<Arc<File>> {
        self.files.lock().unwrap().get(path).cloned().ok_or(io::ErrorKind::NotFound.into())
    }
}

impl Vfs for Disk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let file = Arc::new(File::default());
        self.files.lock().unwrap().insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        Ok(self.file(path)?)
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn create_directory(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl VfsFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.refuses.load(Relaxed) {
            return Err(io::Error::other("no"));
        }
        self.reads.fetch_add(1, Relaxed);
        let bytes = self.bytes.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let read = bytes.get(offset..offset + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(read);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.refuses.load(Relaxed) {
            return Err(io::Error::other("no"));
        }
        let mut file = self.bytes.lock().unwrap();
        let (begin, end) = (offset as usize, offset as usize + bytes.len());
        let length = file.len().max(end);
        file.resize(length, 0);
        file[begin..end].copy_from_slice(bytes);
        Ok(())
    }

    fn allocate(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.bytes.lock().unwrap().resize(length as usize, 0);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        self.synced.lock().unwrap().clone_from(&self.bytes.lock().unwrap());
        Ok(())
    }
}
