//! One segment read back: its records up to the first that is not whole, and what follows that.

use std::path::Path;

use super::super::cursor::EntryRef;
use super::super::directory::Directory;
use super::super::format::{
    RECORD_HEADER_BYTES, RecordHeader, SEGMENT_HEADER_BYTES, SegmentHeader, crc, take_entry,
};
use super::segment::Segment;
use super::window::Window;
use crate::engine::EngineError;

/// One segment on its way through the eyes: `begin [run] (torn_bytes | calls_synced)*`.
pub(super) struct Replay {
    window: Window,
    header: SegmentHeader,
    /// Where the next record begins.
    offset: u64,
    /// Which sequence it must have.
    sequence: u64,
    /// The last sequence that the header, or a record read so far, says was synced.
    said_synced: u64,
    /// The last sequence read so far that put or removed a key; before the first of them, any may have
    /// that stands in a segment before.
    last_filled: u64,
}

impl Replay {
    /// Reads the header of segment `number`, which must begin at sequence `expected` if that is known.
    pub(super) fn begin(
        directory: &Directory,
        number: u64,
        expected: Option<u64>,
    ) -> Result<Replay, EngineError> {
        let path = directory.log(number);
        let mut window = Window::open(directory, path.clone())?;
        let header = window.get(0, SEGMENT_HEADER_BYTES)?.and_then(SegmentHeader::decode);
        // No engine has counted beyond half of what there is: adding to a sequence never overflows.
        let is_possible = |it: &SegmentHeader| {
            (1..=u64::MAX / 2).contains(&it.first_sequence) && it.synced < it.first_sequence
        };
        let header = header.filter(|header| header.number == number && is_possible(header));
        let wrong = || EngineError::damaged(&path, 0, "the segment's header is wrong");
        let header = header.ok_or_else(wrong)?;
        if expected.is_some_and(|sequence| sequence != header.first_sequence) {
            return Err(does_not_follow(directory, number));
        }
        let sequence = header.first_sequence;
        let (said_synced, last_filled) = (header.synced, sequence - 1);
        let offset = SEGMENT_HEADER_BYTES as u64;
        Ok(Replay { window, header, offset, sequence, said_synced, last_filled })
    }

    /// Applies records up to the first that is not whole.
    pub(super) fn run(
        &mut self,
        apply: &mut impl FnMut(u64, EntryRef<'_>),
    ) -> Result<(), EngineError> {
        loop {
            let sequence = self.sequence;
            let Some((synced, mut payload)) = self.record()? else { return Ok(()) };
            let bytes = (RECORD_HEADER_BYTES + payload.len()) as u64;
            let is_filled = !payload.is_empty();
            while !payload.is_empty() {
                let Some(entry) = take_entry(&mut payload) else {
                    return Err(self.damaged("a record is not made of entries"));
                };
                apply(sequence, entry);
            }
            self.offset += bytes;
            self.said_synced = self.said_synced.max(synced);
            if is_filled {
                self.last_filled = sequence;
            }
            let next = sequence.checked_add(1);
            self.sequence = next.ok_or_else(|| self.damaged("there is no next sequence"))?;
        }
    }

    /// What the record that begins here calls synced, and its payload, if it is whole and in its turn.
    fn record(&mut self) -> Result<Option<(u64, &[u8])>, EngineError> {
        let salt = self.header.salt;
        let header = self.window.get(self.offset, RECORD_HEADER_BYTES)?;
        let header = header.and_then(|bytes| RecordHeader::decode(bytes, salt));
        let Some(header) = header.filter(|it| it.sequence == self.sequence) else {
            return Ok(None);
        };
        let offset = self.offset + RECORD_HEADER_BYTES as u64;
        let payload = self.window.get(offset, header.payload_bytes as usize)?;
        let payload = payload.filter(|payload| header.payload_crc == crc(salt, payload));
        Ok(payload.map(|payload| (header.synced, payload)))
    }

    /// Whether all that was read, here and before, is said to be synced, but for records of nothing.
    pub(super) fn is_marked(&self) -> bool {
        self.said_synced >= self.last_filled
    }

    /// How many bytes follow the last whole record, but for zeros at the end.
    pub(super) fn torn_bytes(&mut self) -> Result<u64, EngineError> {
        Ok(self.window.content_end(self.offset)? - self.offset)
    }

    /// Whether the header, or any record from here on, says that `sequence` was synced.
    pub(super) fn calls_synced(&mut self, sequence: u64) -> Result<bool, EngineError> {
        let end = self.window.content_end(self.offset)?;
        let mut calls = self.header.synced >= sequence;
        let mut at = self.offset;
        while at < end && !calls {
            let record = self.record_at(at)?;
            calls = record.is_some_and(|record| record.synced >= sequence);
            at += record.map_or(1, RecordHeader::record_bytes);
        }
        Ok(calls)
    }

    /// The header at `at`, in its turn or not. A long tear offers so many places to look that a crc alone
    /// would match somewhere by chance: none is believed whose sequence cannot have come so far.
    fn record_at(&mut self, at: u64) -> Result<Option<RecordHeader>, EngineError> {
        let furthest = self.sequence + (at - self.offset) / RECORD_HEADER_BYTES as u64;
        let header = self.window.get(at, RECORD_HEADER_BYTES)?;
        let header = header.and_then(|bytes| RecordHeader::decode(bytes, self.header.salt));
        Ok(header.filter(|it| (self.sequence..=furthest).contains(&it.sequence)))
    }

    /// Makes durable what was read: a process that was killed may have left it in memory only.
    pub(super) fn sync(&self) -> Result<(), EngineError> {
        self.window.sync()
    }

    /// The segment, to be written on after its last whole record.
    pub(super) fn resume(self) -> Result<Segment, EngineError> {
        let (file, path) = self.window.into_file();
        Segment::resume(file, path, self.header, self.offset)
    }

    pub(super) fn path(&self) -> &Path {
        self.window.path()
    }

    /// The last sequence that was on the platter when this was made.
    pub(super) fn synced(&self) -> u64 {
        self.header.synced
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The sequence of the next record.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Damage where the next record should begin.
    pub(super) fn damaged(&self, message: &str) -> EngineError {
        EngineError::damaged(self.path(), self.offset, message)
    }
}

/// The error for a segment that begins elsewhere than the one before it ends.
pub(in super::super) fn does_not_follow(directory: &Directory, number: u64) -> EngineError {
    let message = "the segment does not follow the one before";
    EngineError::damaged(&directory.log(number), 0, message)
}
