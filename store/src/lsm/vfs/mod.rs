//! The file system, as far as the engine uses it: every byte that reaches a disk goes through here.
//!
//! Two file systems implement it: the system's own, and a modelled disk that knows what was written
//! and what is durable, and can lose the difference. Files have no cursor: every read and write says
//! where. Nothing written is promised to outlive a power loss before [`VfsFile::sync`] of the file,
//! nothing created, renamed or removed before [`Vfs::sync_directory`] of its directory.
//! Source: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, §2.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

mod model;
mod system;

pub use model::{Data, ModelDisk, Names, Remains, Rest, Tear};
pub use system::SystemDisk;

/// A file system.
pub trait Vfs: Debug + Send + Sync {
    /// A new, empty file, for reading and writing; one of that name is emptied.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>>;
    /// A file that exists, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>>;
    /// Gives a file another name, in place of the one that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a file's name away; those who have it open still read it.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names of the files in a directory, ascending.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;
    /// Makes a directory, and those above it, if absent; durable when it returns.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes names made, changed and taken away so far durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Takes the lock of a directory, through a file in it; `None` where another has it. The lock is
    /// given back when the value is dropped, or its process ends.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "to ask whether it is empty may fail as well")]
pub trait VfsFile: Debug + Send + Sync {
    /// Fills `buffer` from `offset` on; `UnexpectedEof` where the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`, growing the file if need be.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes the file at least `length` bytes long, zeros at its end, with room for them on the disk:
    /// writing there later takes a sync of data alone.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Makes the file exactly `length` bytes long.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Makes what was written so far, and the length, durable.
    fn sync(&self) -> io::Result<()>;
}

/// A lock held until it is dropped.
pub trait Lock: Debug + Send + Sync {}
