//! A modelled disk: what was written, what is durable, and what a power loss leaves.
//!
//! ```text
//! file       durable content | changes since its last sync      -> read: all of them applied
//! directory  durable names   | changes since its last sync      -> seen: all of them applied
//! ```
//!
//! Every operation that changes something has a number, the first is 0. A script can be stopped
//! before any of them ([`ModelDisk::cut_after`]), the power lost ([`ModelDisk::after_power_loss`]), and
//! what remains opened again: so every crash point of a workload is tried, and every one again.
//!
//! The model promises no more than the standard: a sync of a file makes its content durable and not
//! its name, a sync of a directory the names and no content. After a failed sync the un-synced content
//! is lost for good, though it is still read and a later sync succeeds: so Linux behaves.
//! Departure: directories appear durable, as [`Vfs::create_directory`] says; a rename from one to
//! another is refused, as the engine makes none. A file without a name is kept while the disk lives.
//!
//! Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, §2–3; Rebello et al.,
//! "Can Applications Recover from fsync Failures?", ATC 2020, §3.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Lock, Vfs, VfsFile};

mod content;
mod inode;
mod names;
mod power;
mod remains;
#[cfg(test)]
mod tests;

use content::{Change, Content};
use inode::{Inode, InodeId};
use names::{Directory, NameChange};
use power::Power;
pub use remains::{Data, Names, Remains, Rest, Tear};

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct ModelDisk {
    /// One lock for all: operations are numbered, and so happen one after the other.
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    power: Power,
    inodes: Vec<Inode>,
    directories: BTreeMap<PathBuf, Directory>,
    locked: BTreeSet<PathBuf>,
    failed_syncs: u64,
}

impl ModelDisk {
    /// An empty disk.
    pub fn new() -> ModelDisk {
        ModelDisk::default()
    }

    /// A disk that holds `files` and nothing else, durably.
    pub fn from_files(files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> ModelDisk {
        let mut state = State::default();
        for (path, bytes) in files {
            let (directory, name) = split(&path).expect("a file has a name in a directory");
            state.make_directory(directory);
            let id = state.add_inode(Content::of(bytes));
            state.directory(directory).expect("it was just made").put_durably(name, id);
        }
        ModelDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// How many operations that change something were done, failed ones among them: create, write,
    /// allocate, set the length, sync, rename, remove, sync of a directory. To take a lock is one where
    /// it makes the file.
    pub fn operations(&self) -> u64 {
        self.state().power.operations()
    }

    /// How many syncs failed: since the first of them, what is read is not all on the disk.
    pub fn failed_syncs(&self) -> u64 {
        self.state().failed_syncs
    }

    /// Turns the power off when `operations` operations are done, counted from the first of all: then
    /// everything fails, reads too.
    pub fn cut_after(&self, operations: u64) {
        self.state().power.cut_after(operations);
    }

    /// Lets operation number `operation` fail. A write that fails has written the first half of its
    /// bytes; after a failed sync what it should have made durable is lost, although it is still read.
    pub fn fail_operation(&self, operation: u64, kind: ErrorKind) {
        self.state().power.fail(operation, kind);
    }

    /// The disk as it is found after the power was lost now and came back. This one is left as it is.
    #[must_use]
    pub fn after_power_loss(&self, remains: Remains) -> ModelDisk {
        let before = self.state();
        let mut after = State::default();
        for (path, directory) in &before.directories {
            after.make_directory(path);
            for (name, id) in directory.after_power_loss(remains.names) {
                let content = before.inodes[id].after_power_loss(remains.data.of_file(id));
                let id = after.add_inode(content);
                after.directory(path).expect("it was just made").put_durably(&name, id);
            }
        }
        ModelDisk { state: Arc::new(Mutex::new(after)) }
    }

    /// Every file as it is read now, by path, ascending.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.state();
        let in_directory = |(path, directory): (&PathBuf, &Directory)| {
            let named = directory.names().iter();
            let read = named.map(|(name, &id)| (path.join(name), state.inodes[id].seen().to_vec()));
            read.collect::<Vec<_>>()
        };
        let mut files: Vec<_> = state.directories.iter().flat_map(in_directory).collect();
        files.sort_unstable();
        files
    }

    /// Every file as only syncs have left it, by path, ascending.
    pub fn durable_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.after_power_loss(Remains { data: Data::Lost, names: Names::Lost }).files()
    }

    /// Turns one bit of a file, as a disk that ages does: no operation, and durable.
    ///
    /// *Panics* where the file is not there, or ends before.
    pub fn flip_bit(&self, path: &Path, bit: u64) {
        self.damage(path, |content| content.flip(bit));
    }

    /// Cuts a file, or grows it with zeros: no operation, and durable.
    ///
    /// *Panics* where the file is not there.
    pub fn truncate(&self, path: &Path, length: u64) {
        self.damage(path, |content| content.set_len(length));
    }

    fn damage(&self, path: &Path, damage: impl Fn(&mut Content)) {
        let mut state = self.state();
        let id = state.find(path).expect("only a file that is there is damaged");
        state.inodes[id].damage(damage);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the disk, but a misused model")
    }

    fn file(&self, id: InodeId) -> Arc<dyn VfsFile> {
        Arc::new(ModelFile { disk: self.clone(), id })
    }
}

impl Vfs for ModelDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let mut state = self.state();
        state.power.operate()?;
        let id = state.create(path)?;
        Ok(self.file(id))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let state = self.state();
        state.power.look()?;
        Ok(self.file(state.find(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.power.operate()?;
        let id = state.find(from)?;
        let ((directory, from), (target, to)) = (split(from)?, split(to)?);
        if directory != target {
            return Err(ErrorKind::Unsupported.into());
        }
        let change = NameChange::Rename { from: from.to_owned(), to: to.to_owned(), id };
        state.directory(directory)?.change(change);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.power.operate()?;
        state.find(path)?;
        let (directory, name) = split(path)?;
        state.directory(directory)?.change(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.power.look()?;
        Ok(state.directory(directory)?.names().keys().cloned().collect())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.power.look()?;
        state.make_directory(path);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let synced = state.power.operate();
        let directory = state.directory(path)?;
        match synced {
            Ok(()) => directory.sync(),
            Err(ref error) if !power::is_off(error) => {
                directory.forget_unsynced();
                state.failed_syncs += 1;
            }
            Err(_) => {}
        }
        synced
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.state();
        state.power.look()?;
        if state.find(path).is_err() {
            state.power.operate()?;
            state.create(path)?;
        }
        if !state.locked.insert(path.to_owned()) {
            return Ok(None);
        }
        Ok(Some(Box::new(ModelLock { disk: self.clone(), path: path.to_owned() })))
    }
}

impl State {
    fn make_directory(&mut self, path: &Path) {
        for directory in path.ancestors().filter(|it| !it.as_os_str().is_empty()) {
            self.directories.entry(directory.to_owned()).or_default();
        }
    }

    fn directory(&mut self, path: &Path) -> io::Result<&mut Directory> {
        self.directories.get_mut(path).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn find(&self, path: &Path) -> io::Result<InodeId> {
        let (directory, name) = split(path)?;
        let directory = self.directories.get(directory).ok_or(ErrorKind::NotFound)?;
        directory.names().get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn create(&mut self, path: &Path) -> io::Result<InodeId> {
        if let Ok(id) = self.find(path) {
            self.inodes[id].change(Change::Length(0));
            return Ok(id);
        }
        let (directory, name) = split(path)?;
        let id = self.inodes.len();
        self.directory(directory)?.change(NameChange::Create { name: name.to_owned(), id });
        Ok(self.add_inode(Content::default()))
    }

    fn add_inode(&mut self, content: Content) -> InodeId {
        self.inodes.push(Inode::holding(content));
        self.inodes.len() - 1
    }
}

/// The directory and the name of a file.
fn split(path: &Path) -> io::Result<(&Path, &str)> {
    let name = path.file_name().and_then(|name| name.to_str());
    path.parent().zip(name).ok_or_else(|| ErrorKind::InvalidInput.into())
}

#[derive(Debug)]
struct ModelFile {
    disk: ModelDisk,
    id: InodeId,
}

impl ModelFile {
    fn change(&self, change: impl FnOnce(&mut Inode)) -> io::Result<()> {
        let mut state = self.disk.state();
        state.power.operate()?;
        change(&mut state.inodes[self.id]);
        Ok(())
    }
}

impl VfsFile for ModelFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state();
        state.power.look()?;
        let filled = state.inodes[self.id].seen().read(buffer, offset);
        if filled { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let written = state.power.operate();
        let bytes = match &written {
            Ok(()) => bytes,
            Err(error) if power::is_off(error) => &[],
            Err(_) => &bytes[..bytes.len() / 2],
        };
        if !bytes.is_empty() {
            state.inodes[self.id].change(Change::Write { offset, bytes: bytes.to_vec() });
        }
        written
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.change(|inode| {
            if length > inode.seen().len() {
                inode.change(Change::Length(length));
            }
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(|inode| inode.change(Change::Length(length)))
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.power.look()?;
        Ok(state.inodes[self.id].seen().len())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let synced = state.power.operate();
        match &synced {
            Ok(()) => state.inodes[self.id].sync(),
            Err(error) if power::is_off(error) => {}
            Err(_) => {
                state.inodes[self.id].forget_unsynced();
                state.failed_syncs += 1;
            }
        }
        synced
    }
}

#[derive(Debug)]
struct ModelLock {
    disk: ModelDisk,
    path: PathBuf,
}

impl Lock for ModelLock {}

impl Drop for ModelLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.path);
    }
}
