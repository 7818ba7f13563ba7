//! The segment being written.
//!
//! Room is allocated ahead of the records, so that a sync has data to write and no new length: as much
//! again as the segment holds, within bounds, so that a small log stays a small file. Recovery knows
//! the zeros, and [`Segment::finish`] gives them back; [`Segment::trim`] does where nobody waits for
//! a sync.

use std::path::PathBuf;
use std::sync::Arc;

use rand::TryRng;
use rand::rngs::SysRng;

use super::super::directory::Directory;
use super::super::format::SegmentHeader;
use super::super::vfs::VfsFile;
use crate::engine::EngineError;

/// The least that is allocated ahead.
const AHEAD_BYTES_MIN: u64 = 64 << 10;
/// The most.
const AHEAD_BYTES_MAX: u64 = 4 << 20;

/// The file of a segment. Shared: one writes it while another syncs it.
#[derive(Debug)]
pub(in super::super) struct SegmentFile {
    number: u64,
    file: Arc<dyn VfsFile>,
    path: PathBuf,
}

impl SegmentFile {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Waits until everything the system took before is on the platter. *Requires* that no other thread
    /// is in here for this file: of two the system tells but one what it could not write.
    pub(super) fn sync(&self) -> Result<(), EngineError> {
        self.file.sync().map_err(EngineError::io("sync", &self.path))
    }
}

/// The segment being written.
#[derive(Debug)]
pub(in super::super) struct Segment {
    file: Arc<SegmentFile>,
    header: SegmentHeader,
    /// Where the next record goes. *Shape*: all before it was written without an error.
    written: u64,
    /// The length of the file.
    allocated: u64,
    /// A write or cut failed, or the next segment may exist already: no record can follow those written.
    is_broken: bool,
}

impl Segment {
    /// Makes segment `number`, there for good when this returns; its header says that all up to
    /// sequence `synced` is on the platter.
    ///
    /// *Requires* that this is so, and `first_sequence` above both 0 and `synced`.
    pub(in super::super) fn create(
        directory: &Directory,
        number: u64,
        first_sequence: u64,
        synced: u64,
    ) -> Result<Segment, EngineError> {
        assert!(first_sequence > 0, "a record of zeros must not be in its turn");
        assert!(synced < first_sequence, "nobody has synced what nobody has written");
        let path = directory.log(number);
        let salt = SysRng.try_next_u32().map_err(|error| {
            EngineError::io("draw a salt for", &path)(std::io::Error::other(error))
        })?;
        let header = SegmentHeader { number, first_sequence, synced, salt };
        let file = directory.vfs().create(&path).map_err(EngineError::io("create", &path))?;
        let bytes = header.encode();
        file.write_at(&bytes, 0).map_err(EngineError::io("write", &path))?;
        file.sync().map_err(EngineError::io("sync", &path))?;
        directory.sync()?;
        Ok(Segment::at(file, path, header, bytes.len() as u64))
    }

    /// Goes on after `written` good bytes of a segment, cutting what follows: a record left there would
    /// seem to follow the next one written, should that happen to be of the right length.
    pub(super) fn resume(
        file: Arc<dyn VfsFile>,
        path: PathBuf,
        header: SegmentHeader,
        written: u64,
    ) -> Result<Segment, EngineError> {
        let segment = Segment::at(file, path, header, written);
        segment.cut()?;
        Ok(segment)
    }

    fn at(file: Arc<dyn VfsFile>, path: PathBuf, header: SegmentHeader, written: u64) -> Segment {
        let file = Arc::new(SegmentFile { number: header.number, file, path });
        Segment { file, header, written, allocated: written, is_broken: false }
    }

    /// Its file, for who syncs it while it is written.
    pub(in super::super) fn file(&self) -> &Arc<SegmentFile> {
        &self.file
    }

    pub(in super::super) fn number(&self) -> u64 {
        self.header.number
    }

    /// What the crcs of its records begin from.
    pub(in super::super) fn salt(&self) -> u32 {
        self.header.salt
    }

    /// How many bytes were written, its header among them.
    pub(in super::super) fn bytes(&self) -> u64 {
        self.written
    }

    /// Hands records to the system, those of a group in one write. After an error it takes no more.
    pub(in super::super) fn append(&mut self, records: &[u8]) -> Result<(), EngineError> {
        self.unless_broken(|segment| {
            let end = segment.written + records.len() as u64;
            segment.allocate(end)?;
            let SegmentFile { file, path, .. } = &*segment.file;
            let written = file.write_at(records, segment.written);
            written.map_err(EngineError::io("write", path))?;
            segment.written = end;
            Ok(())
        })
    }

    /// Gives back the room that was not used, and syncs the rest. *Requires* that no sync is under way:
    /// none is, nor begins, once all that was appended is synced.
    pub(in super::super) fn finish(&mut self) -> Result<(), EngineError> {
        self.unless_broken(|segment| segment.cut())
    }

    /// Gives back the room that was not used; a power loss may bring it back, as zeros.
    pub(in super::super) fn trim(&mut self) -> Result<(), EngineError> {
        self.unless_broken(|segment| segment.shorten())
    }

    /// Takes no more records: the next segment may exist already, and would not follow them.
    pub(in super::super) fn give_up(&mut self) {
        self.is_broken = true;
    }

    fn unless_broken(
        &mut self,
        work: impl FnOnce(&mut Segment) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        if self.is_broken {
            return Err(EngineError::Closed(format!("{} broke", self.file.path.display())));
        }
        let done = work(self);
        self.is_broken = done.is_err();
        done
    }

    fn allocate(&mut self, end: u64) -> Result<(), EngineError> {
        if end <= self.allocated {
            return Ok(());
        }
        let length = end + end.clamp(AHEAD_BYTES_MIN, AHEAD_BYTES_MAX);
        let SegmentFile { file, path, .. } = &*self.file;
        file.allocate(length).map_err(EngineError::io("allocate", path))?;
        self.allocated = length;
        Ok(())
    }

    fn shorten(&self) -> Result<(), EngineError> {
        let SegmentFile { file, path, .. } = &*self.file;
        file.set_len(self.written).map_err(EngineError::io("cut", path))
    }

    fn cut(&self) -> Result<(), EngineError> {
        self.shorten()?;
        self.file.sync()
    }
}
