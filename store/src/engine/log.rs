//! The commit log: every batch in the order it was taken, in segments that end when a memtable does.
//!
//! On start the log is replayed. A torn tail, which a crash in the middle of a write leaves, is cut
//! off: nobody was promised what it held. Damage anywhere else is an error, since what follows it
//! would otherwise vanish without a word; `synced` in each record tells the two apart (see
//! [`format`](super::format)).
//!
//! Shape: segments are numbered without a gap from the manifest's `oldest_log`, and sequences run
//! through them without a gap.
//! Departure: after `Sync::Every`, damage within the last interval before a crash looks like a tear.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;

use super::EngineError;
use super::directory::Directory;
use super::format::{
    EntryRef, RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader, crc,
    take_entry,
};

/// The segment being written.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    path: PathBuf,
    header: SegmentHeader,
}

impl Segment {
    /// Makes segment `number`, there for good when this returns.
    pub(super) fn create(
        directory: &Directory,
        number: u64,
        first_sequence: u64,
    ) -> Result<Segment, EngineError> {
        let path = directory.log(number);
        let salt = SysRng.try_next_u32().map_err(|error| {
            EngineError::io("draw a salt for", &path)(std::io::Error::other(error))
        })?;
        let header = SegmentHeader { number, first_sequence, salt };
        let file = File::create(&path).map_err(EngineError::io("create", &path))?;
        let mut segment = Segment { file, path, header };
        segment.append(&header.encode())?;
        segment.sync()?;
        directory.sync()?;
        Ok(segment)
    }

    /// Goes on at the end of a segment that holds `bytes` good bytes, cutting what follows.
    fn resume(path: PathBuf, header: SegmentHeader, bytes: u64) -> Result<Segment, EngineError> {
        let opened = OpenOptions::new().append(true).open(&path);
        let file = opened.map_err(EngineError::io("open", &path))?;
        file.set_len(bytes).map_err(EngineError::io("cut", &path))?;
        file.sync_all().map_err(EngineError::io("sync", &path))?;
        Ok(Segment { file, path, header })
    }

    pub(super) fn number(&self) -> u64 {
        self.header.number
    }

    pub(super) fn salt(&self) -> u32 {
        self.header.salt
    }

    /// Hands `records` to the system.
    pub(super) fn append(&mut self, records: &[u8]) -> Result<(), EngineError> {
        self.file.write_all(records).map_err(EngineError::io("write", &self.path))
    }

    /// Waits until everything appended is on the platter. After an error it must not be asked again:
    /// the system may have dropped the pages, and would then say yes.
    /// Source: Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020.
    pub(super) fn sync(&mut self) -> Result<(), EngineError> {
        self.file.sync_data().map_err(EngineError::io("sync", &self.path))
    }

    /// The same segment, behind a handle that cannot write: every append fails.
    #[cfg(test)]
    pub(super) fn unwritable(self) -> Segment {
        Segment { file: File::open(&self.path).unwrap(), ..self }
    }
}

/// The log after a start.
#[derive(Debug)]
pub(super) struct Recovered {
    /// The segment to write on.
    pub(super) segment: Segment,
    /// The sequence of the next batch; everything before it is synced.
    pub(super) next_sequence: u64,
}

/// Replays the segments `numbers`, oldest first, handing every entry to `apply` in order.
///
/// *Requires* at least one number.
pub(super) fn recover(
    directory: &Directory,
    numbers: &[u64],
    mut apply: impl FnMut(EntryRef<'_>),
) -> Result<Recovered, EngineError> {
    let mut next_sequence = None;
    let (&last, whole) = numbers.split_last().expect("the caller found a segment");
    for &number in whole {
        let bytes = read(&directory.log(number))?;
        let mut replay = Replay::begin(directory.log(number), number, &bytes, next_sequence)?;
        replay.run(&mut apply)?;
        replay.require_whole()?;
        next_sequence = Some(replay.sequence);
    }
    let path = directory.log(last);
    let bytes = read(&path)?;
    if let Some(sequence) = next_sequence
        && bytes.len() <= SEGMENT_HEADER_BYTES
        && SegmentHeader::decode(&bytes).is_none()
    {
        tracing::warn!(path = %path.display(), "a segment cut off while it was made is made anew");
        let segment = Segment::create(directory, last, sequence)?;
        return Ok(Recovered { segment, next_sequence: sequence });
    }
    let mut replay = Replay::begin(path.clone(), last, &bytes, next_sequence)?;
    replay.run(&mut apply)?;
    replay.require_torn_at_most()?;
    let segment = Segment::resume(path, replay.header, replay.offset as u64)?;
    Ok(Recovered { segment, next_sequence: replay.sequence })
}

/// Whether segment `number` has so little in it that no write can have been lost with it.
pub(super) fn is_unused(directory: &Directory, number: u64) -> Result<bool, EngineError> {
    Ok(read(&directory.log(number))?.len() <= SEGMENT_HEADER_BYTES)
}

fn read(path: &Path) -> Result<Vec<u8>, EngineError> {
    fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => EngineError::damaged(path, 0, "the segment is missing"),
        _ => EngineError::io("read", path)(error),
    })
}

/// One segment on its way through the eyes.
struct Replay<'a> {
    path: PathBuf,
    bytes: &'a [u8],
    header: SegmentHeader,
    /// Where the next record begins.
    offset: usize,
    /// Which sequence it must have.
    sequence: u64,
}

impl<'a> Replay<'a> {
    fn begin(
        path: PathBuf,
        number: u64,
        bytes: &'a [u8],
        expected: Option<u64>,
    ) -> Result<Replay<'a>, EngineError> {
        let damaged = |message| EngineError::damaged(&path, 0, message);
        let header = SegmentHeader::decode(bytes).filter(|header| header.number == number);
        let header = header.ok_or_else(|| damaged("the segment's header is wrong"))?;
        if expected.is_some_and(|sequence| sequence != header.first_sequence) {
            return Err(damaged("the segment does not follow the one before"));
        }
        let sequence = header.first_sequence;
        Ok(Replay { path, bytes, header, offset: SEGMENT_HEADER_BYTES, sequence })
    }

    /// Applies records up to the first that is not whole.
    fn run(&mut self, apply: &mut impl FnMut(EntryRef<'_>)) -> Result<(), EngineError> {
        while let Some(mut payload) = self.payload() {
            let bytes = RECORD_HEADER_BYTES + payload.len();
            while !payload.is_empty() {
                let entry = take_entry(&mut payload);
                apply(entry.ok_or_else(|| self.damaged("a record is not made of entries"))?);
            }
            self.offset += bytes;
            self.sequence += 1;
        }
        Ok(())
    }

    /// The payload of the record that begins here, if that is whole and in its turn.
    fn payload(&self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.offset..];
        let header = RecordHeader::decode(rest, self.header.salt)?;
        let (_, payload) = rest.split_at_checked(RECORD_HEADER_BYTES)?;
        let payload = payload.get(..header.payload_bytes as usize)?;
        let is_whole = header.sequence == self.sequence
            && header.payload_crc == crc(self.header.salt, payload);
        is_whole.then_some(payload)
    }

    fn require_whole(&self) -> Result<(), EngineError> {
        if self.offset == self.bytes.len() {
            return Ok(());
        }
        Err(self.damaged("a record is not whole, and a later segment exists"))
    }

    fn require_torn_at_most(&self) -> Result<(), EngineError> {
        let torn = &self.bytes[self.offset..];
        if torn.is_empty() {
            return Ok(());
        }
        let headers =
            (0..torn.len()).filter_map(|at| RecordHeader::decode(&torn[at..], self.header.salt));
        if headers.into_iter().any(|later| later.synced >= self.sequence) {
            return Err(self.damaged("a record is not whole, and a later one says it was synced"));
        }
        tracing::warn!(
            path = %self.path.display(),
            offset = self.offset,
            bytes = torn.len(),
            "a torn tail was cut off"
        );
        Ok(())
    }

    fn damaged(&self, message: &str) -> EngineError {
        EngineError::damaged(&self.path, self.offset as u64, message)
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::put_record;
    use super::*;

    /// Two segments of two records each, keys `1` to `4`; all but the last record said to be synced.
    fn two_segments(directory: &Directory) {
        for (number, first) in [(1, 1), (2, 3)] {
            let mut segment = Segment::create(directory, number, first).unwrap();
            let mut records = Vec::new();
            for sequence in first..first + 2 {
                let key = sequence.to_string();
                let entry = std::iter::once((key.as_bytes(), None));
                put_record(&mut records, segment.salt(), sequence, sequence - 1, entry);
            }
            segment.append(&records).unwrap();
        }
    }

    fn recovered_keys(directory: &Directory, numbers: &[u64]) -> Result<String, EngineError> {
        let mut keys = String::new();
        recover(directory, numbers, |(key, _)| keys.push_str(std::str::from_utf8(key).unwrap()))?;
        Ok(keys)
    }

    fn cut(path: &Path, bytes: u64) {
        OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
    }

    #[test]
    fn segments_are_replayed_in_order_and_without_a_gap() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        two_segments(&directory);
        assert_eq!(recovered_keys(&directory, &[1, 2]).unwrap(), "1234");
        let missing = recovered_keys(&directory, &[1, 2, 3]).unwrap_err();
        assert!(missing.to_string().contains("the segment is missing"), "{missing}");
        let swapped = recovered_keys(&directory, &[2, 1]).unwrap_err();
        assert!(swapped.to_string().contains("does not follow"), "{swapped}");
    }

    #[test]
    fn only_the_last_segment_may_be_torn() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        two_segments(&directory);
        let length = fs::metadata(directory.log(1)).unwrap().len();
        cut(&directory.log(2), length - 1);
        assert_eq!(recovered_keys(&directory, &[1, 2]).unwrap(), "123");
        cut(&directory.log(1), length - 1);
        let torn = recovered_keys(&directory, &[1, 2]).unwrap_err();
        assert!(matches!(torn, EngineError::Damaged { .. }), "{torn}");
    }

    #[test]
    fn a_segment_torn_while_it_was_made_is_made_anew() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        two_segments(&directory);
        cut(&directory.log(2), SEGMENT_HEADER_BYTES as u64 - 1);
        assert_eq!(recovered_keys(&directory, &[1, 2]).unwrap(), "12");
        assert_eq!(recovered_keys(&directory, &[1, 2]).unwrap(), "12");
        cut(&directory.log(1), 3);
        let torn = recovered_keys(&directory, &[1]).unwrap_err();
        assert!(matches!(torn, EngineError::Damaged { .. }), "the only one was synced: {torn}");
    }

    #[test]
    fn a_value_that_holds_a_record_does_not_pass_for_one() {
        let path = tempfile::tempdir().unwrap();
        let directory = Directory::open(path.path()).unwrap();
        let mut forged = Vec::new();
        put_record(&mut forged, 0, 9, 8, std::iter::empty());
        let mut segment = Segment::create(&directory, 1, 1).unwrap();
        let mut record = Vec::new();
        let entry = std::iter::once((&b"k"[..], Some(&forged[..])));
        put_record(&mut record, segment.salt(), 1, 0, entry);
        record.pop();
        segment.append(&record).unwrap();
        assert_eq!(recovered_keys(&directory, &[1]).unwrap(), "");
    }
}
