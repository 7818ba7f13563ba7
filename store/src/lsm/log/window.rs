//! A file read through a window, so that a long segment takes no more memory than its longest record.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::directory::Directory;
use super::super::vfs::VfsFile;
use crate::engine::EngineError;

/// How much is read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// A segment, and the part of it that was read last.
#[derive(Debug)]
pub(super) struct Window {
    file: Arc<dyn VfsFile>,
    path: PathBuf,
    length: u64,
    /// Where in the file `bytes` lie.
    begin: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// A segment that must be there.
    pub(super) fn open(directory: &Directory, path: PathBuf) -> Result<Window, EngineError> {
        let opened = directory.vfs().open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => EngineError::damaged(&path, 0, "the segment is missing"),
            _ => EngineError::io("open", &path)(error),
        });
        let file = opened?;
        let length = file.len().map_err(EngineError::io("measure", &path))?;
        Ok(Window { file, path, length, begin: 0, bytes: Vec::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn into_file(self) -> (Arc<dyn VfsFile>, PathBuf) {
        (self.file, self.path)
    }

    /// Makes durable what is read.
    pub(super) fn sync(&self) -> Result<(), EngineError> {
        self.file.sync().map_err(EngineError::io("sync", &self.path))
    }

    /// `bytes` bytes at `offset`; `None` if the file ends before, whatever length a header claims.
    pub(super) fn get(&mut self, offset: u64, bytes: usize) -> Result<Option<&[u8]>, EngineError> {
        if self.length.checked_sub(offset).is_none_or(|left| left < bytes as u64) {
            return Ok(None);
        }
        let is_inside =
            offset >= self.begin && offset + bytes as u64 <= self.begin + self.bytes.len() as u64;
        if !is_inside {
            self.fill(offset, bytes.max(WINDOW_BYTES))?;
        }
        let at = usize::try_from(offset - self.begin).expect("the offset lies in the window");
        Ok(Some(&self.bytes[at..at + bytes]))
    }

    /// Where the last byte that is not zero ends, or `from` if all are zero from there on.
    pub(super) fn content_end(&mut self, from: u64) -> Result<u64, EngineError> {
        let mut end = self.length;
        while end > from {
            let begin = end.saturating_sub(WINDOW_BYTES as u64).max(from);
            self.fill(begin, usize::try_from(end - begin).expect("a window fits the memory"))?;
            if let Some(last) = self.bytes.iter().rposition(|&byte| byte != 0) {
                return Ok(begin + last as u64 + 1);
            }
            end = begin;
        }
        Ok(from)
    }

    /// Moves the window to `offset`, `bytes` wide or up to the end of the file.
    fn fill(&mut self, offset: u64, bytes: usize) -> Result<(), EngineError> {
        let left = usize::try_from(self.length - offset).unwrap_or(usize::MAX);
        self.bytes.resize(bytes.min(left), 0);
        self.begin = offset;
        let read = self.file.read_at(&mut self.bytes, offset);
        read.map_err(EngineError::io("read", &self.path))
    }
}
