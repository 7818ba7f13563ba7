//! The commit log: every batch in the order it was taken, in segments that end when a memtable does.
//!
//! On start the log is replayed. A torn tail, which a crash in the middle of a write leaves, is cut
//! off: nobody was promised what it held. Damage anywhere else is an error, since what follows it
//! would otherwise vanish without a word; `synced` in each record tells the two apart (see
//! [`format`](super::format)). Zeros at the end of a segment are room allocated ahead, and neither.
//!
//! Shape: segments are numbered without a gap from the manifest's oldest, and sequences run through
//! them without a gap. Before a segment is made, the one before is synced to its last record.
//! Departure: damage to the records no later one knows to be synced looks like a tear. A clean end
//! therefore appends an empty record, which knows all before it.
//!
//! Source: Mohan et al., "ARIES", TODS 1992, §3, for the log; Gray and Reuter, "Transaction
//! Processing", 1993, §9.2, for its end, found by reading rather than written down.

use super::cursor::EntryRef;
use super::directory::Directory;
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::engine::EngineError;

mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod window;

use replay::Replay;
pub(super) use replay::does_not_follow;
pub(super) use segment::Segment;
use window::Window;

/// The log after a start.
#[derive(Debug)]
pub(super) struct Recovered {
    /// The segment to write on.
    pub(super) segment: Segment,
    /// The sequence of the next batch; everything before it is synced.
    pub(super) next_sequence: u64,
}

/// Replays the segments `numbers`, oldest first, handing every entry to `apply` in order, with the
/// sequence of its batch. Then cuts a torn tail off the last, and makes what it holds durable: after a
/// crash of the process alone, what was read may be in memory only.
///
/// *Requires* at least one number. Holds one record in memory at a time.
pub(super) fn recover(
    directory: &Directory,
    numbers: &[u64],
    mut apply: impl FnMut(u64, EntryRef<'_>),
) -> Result<Recovered, EngineError> {
    let mut next_sequence = None;
    let (&last, whole) = numbers.split_last().expect("the caller found a segment");
    for (&number, &next) in whole.iter().zip(&numbers[1..]) {
        let mut replay = Replay::begin(directory, number, next_sequence)?;
        replay.run(&mut apply)?;
        replay.require_whole()?;
        require_end(directory, &replay, next)?;
        next_sequence = Some(replay.sequence());
    }
    if let Some(sequence) = next_sequence
        && is_without_header(directory, last)?
    {
        tracing::warn!(number = last, "a segment cut off while it was made is made anew");
        let segment = Segment::create(directory, last, sequence)?;
        return Ok(Recovered { segment, next_sequence: sequence });
    }
    let mut replay = Replay::begin(directory, last, next_sequence)?;
    replay.run(&mut apply)?;
    let torn = replay.torn_bytes()?;
    if torn > 0 {
        let (path, offset) = (replay.path().display(), replay.offset());
        tracing::warn!(%path, offset, bytes = torn, "a torn tail is cut off");
    }
    let next_sequence = replay.sequence();
    Ok(Recovered { segment: replay.resume()?, next_sequence })
}

/// Fails where segment `next` begins with a later sequence than follows `replay`: then it is the end of
/// this one that is lost, and not the next that is wrong.
fn require_end(directory: &Directory, replay: &Replay, next: u64) -> Result<(), EngineError> {
    let mut window = Window::open(directory, directory.log(next))?;
    let header = window.get(0, SEGMENT_HEADER_BYTES)?.and_then(SegmentHeader::decode);
    let is_later = |it: SegmentHeader| it.number == next && it.first_sequence > replay.sequence();
    if header.is_some_and(is_later) {
        return Err(ends_early(directory, replay.number(), replay.offset()));
    }
    Ok(())
}

/// The error for a segment whose end, from `offset` on, is lost.
pub(super) fn ends_early(directory: &Directory, number: u64, offset: u64) -> EngineError {
    let message = "the segment ends before the next one begins";
    EngineError::damaged(&directory.log(number), offset, message)
}

/// What one segment holds.
#[derive(Clone, Debug)]
pub(super) struct Inspection {
    /// The sequence of its first record.
    pub(super) first_sequence: u64,
    /// The sequence after that of its last whole record.
    pub(super) next_sequence: u64,
    /// Up to where it is whole.
    pub(super) bytes: u64,
    /// How many bytes follow that are no zeros and no record; or why they cannot be left out.
    pub(super) torn_bytes: Result<u64, EngineError>,
}

/// Reads one segment as [`recover`] would, and changes nothing. Only the last may end in a torn record;
/// what the segments before it say of its sequences is not asked.
pub(super) fn inspect(
    directory: &Directory,
    number: u64,
    is_last: bool,
    mut apply: impl FnMut(u64, EntryRef<'_>),
) -> Result<Inspection, EngineError> {
    let mut replay = Replay::begin(directory, number, None)?;
    let first_sequence = replay.sequence();
    let torn_bytes = replay.run(&mut apply).and_then(|()| {
        if is_last { replay.torn_bytes() } else { replay.require_whole().map(|()| 0) }
    });
    let (next_sequence, bytes) = (replay.sequence(), replay.offset());
    Ok(Inspection { first_sequence, next_sequence, bytes, torn_bytes })
}

/// Whether segment `number` has so little in it that no write can have been lost with it.
pub(super) fn is_unused(directory: &Directory, number: u64) -> Result<bool, EngineError> {
    let mut window = Window::open(directory, directory.log(number))?;
    Ok(window.content_end(0)? <= SEGMENT_HEADER_BYTES as u64)
}

/// Whether segment `number` ends before its header does: the header is synced before the first record
/// is written, so that there was none.
pub(super) fn is_without_header(directory: &Directory, number: u64) -> Result<bool, EngineError> {
    let mut window = Window::open(directory, directory.log(number))?;
    let header = window.get(0, SEGMENT_HEADER_BYTES)?.and_then(SegmentHeader::decode);
    Ok(header.is_none() && window.content_end(0)? <= SEGMENT_HEADER_BYTES as u64)
}
