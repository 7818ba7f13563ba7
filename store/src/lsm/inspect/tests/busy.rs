//! An engine that writes whenever somebody reads its log: it moves under every look.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::super::vfs::{Lock, Vfs, VfsFile};
use super::*;
use crate::lsm::inspect::Owner;

struct Busy {
    disk: ModelDisk,
    tree: Tree,
    written: AtomicU32,
}

impl Busy {
    fn write(&self) {
        for _ in 0..3 {
            put(&self.tree, 1, self.written.fetch_add(1, Ordering::Relaxed));
        }
    }
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.disk.fmt(out)
    }
}

/// The disk of a busy engine, for who only looks.
#[derive(Clone, Debug)]
struct Looked(Arc<Busy>);

#[derive(Debug)]
struct LookedFile {
    file: Arc<dyn VfsFile>,
    busy: Option<Arc<Busy>>,
}

impl Vfs for Looked {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        panic!("{} is made", path.display())
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let busy = path.to_string_lossy().contains("log-").then(|| self.0.clone());
        Ok(Arc::new(LookedFile { file: self.0.disk.open(path)?, busy }))
    }
    fn rename(&self, from: &Path, _: &Path) -> io::Result<()> {
        panic!("{} is renamed", from.display())
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        panic!("{} is removed", path.display())
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.0.disk.list(directory)
    }
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        panic!("{} is made", path.display())
    }
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        panic!("{} is synced", path.display())
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.0.disk.lock(path)
    }
}

impl VfsFile for LookedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let read = self.file.read_at(buffer, offset);
        if let Some(busy) = &self.busy {
            busy.write();
        }
        read
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        panic!("it is written")
    }
    fn allocate(&self, _: u64) -> io::Result<()> {
        panic!("it is written")
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        panic!("it is written")
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn sync(&self) -> io::Result<()> {
        panic!("it is written")
    }
}

#[test]
fn a_log_that_grows_under_every_look_is_not_called_damaged() {
    let disk = ModelDisk::new();
    let options = Options { memtable_bytes: 1 << 20, ..tiny() };
    let tree = Tree::open(Arc::new(disk.clone()), at(), options).unwrap();
    let busy = Arc::new(Busy { disk: disk.clone(), tree, written: AtomicU32::new(0) });
    busy.write();
    let seen = inspect(Arc::new(Looked(busy.clone())), at()).unwrap();
    assert_eq!(seen.owner, Owner::Another);
    assert!(busy.written.load(Ordering::Relaxed) > 20, "it wrote while it was looked at");
    assert_eq!(seen.damage().count(), 0, "{seen}");
    // What stands still is damage, look by look.
    disk.flip_bit(&log(1), 50 * 8);
    let seen = inspect(Arc::new(Looked(busy)), at()).unwrap();
    assert_eq!(seen.damage().count(), 1, "{seen}");
}
