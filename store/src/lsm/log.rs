//! The commit log: every batch in the order it was taken, in segments that end when a memtable does.
//!
//! On start the log is replayed. A torn tail, which a crash in the middle of a write leaves, is cut
//! off: nobody was promised what it held. Damage anywhere else is an error, since what follows it
//! would otherwise vanish without a word; `synced` in each record and in the header of each segment
//! tells the two apart (see [`format`](super::format)). Zeros at the end of a segment are room allocated
//! ahead, and neither.
//!
//! Shape: segments are numbered without a gap from the manifest's oldest, and sequences run through
//! them without a gap. Where each write is synced ([`Sync::Always`](crate::Sync::Always)), a segment is
//! synced to its last record before the next one is made, whose header says so. Elsewhere nobody waits
//! for that: the header says how far the last sync reached, and the tear after a power loss may lie in
//! any segment from there on: the log ends at it ([`End`]).
//!
//! What says `synced` must be true of *all* up to there, or a tear would pass for damage and keep the
//! engine from starting. Three places say it:
//!
//! - A sync of the segment being written reaches that file alone, and of that file what was appended
//!   before it began. So the segments that ended without one are kept until a table has what they hold,
//!   and are synced before it; and what a sync proves is settled when it begins ([`Platter`]). An
//!   orderly end is durable and marked for that reason, whatever was promised of single writes.
//! - A start calls durable what it read, though a killed process may have left it in memory: it syncs
//!   what it replayed, but for segments that the next one's header says were synced.
//! - A header is durable, and its name, before a record follows it. So a segment without one is the
//!   last, and what the headers of later segments say is known even where their records are lost.
//!
//! Departure: damage to the records no later one knows to be synced looks like a tear. A clean end
//! therefore appends an empty record, which knows all before it. And where a sync failed and another
//! process starts before the machine does, it reads what the disk does not have, is told that a second
//! sync succeeded, and calls that durable: a power loss then leaves a hole that passes for damage.
//!
//! Source: Mohan et al., "ARIES", TODS 1992, §3, for the log; Gray and Reuter, "Transaction
//! Processing", 1993, §9.2, for its end, found by reading rather than written down.

use super::cursor::EntryRef;
use super::directory::Directory;
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::engine::EngineError;

mod end;
mod platter;
mod reach;
mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod window;

pub(super) use end::{End, require_droppable};
pub(super) use platter::Platter;
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
    /// Whether the log says that itself, so that what is damaged from now on cannot pass for a tear.
    pub(super) is_marked: bool,
}

/// Replays the segments `numbers`, oldest first, handing every entry to `apply` in order, with the
/// sequence of its batch. Then cuts a torn tail off, removes the segments after it, and makes what is
/// left durable: after a crash of the process alone, what was read may be in memory only.
///
/// *Requires* at least one number. Holds one record in memory at a time.
pub(super) fn recover(
    directory: &Directory,
    numbers: &[u64],
    mut apply: impl FnMut(u64, EntryRef<'_>),
) -> Result<Recovered, EngineError> {
    let mut next_sequence = None;
    let mut rest = numbers;
    loop {
        let (&number, later) = rest.split_first().expect("the log stops in its last segment");
        if let Some(next_sequence) = next_sequence
            && later.is_empty()
            && is_without_header(directory, number)?
        {
            tracing::warn!(number, "a segment cut off while it was made is made anew");
            let segment = Segment::create(directory, number, next_sequence, next_sequence - 1)?;
            return Ok(Recovered { segment, next_sequence, is_marked: true });
        }
        let mut replay = Replay::begin(directory, number, next_sequence)?;
        replay.run(&mut apply)?;
        match End::of(&mut replay, directory, later)? {
            End::Goes { is_synced: true } => {}
            End::Goes { is_synced: false } => replay.sync()?,
            End::Stops { torn_bytes } => return stop(directory, replay, torn_bytes, later),
        }
        next_sequence = Some(replay.sequence());
        rest = later;
    }
}

/// Makes the last whole record of `replay` the last of the log.
fn stop(
    directory: &Directory,
    replay: Replay,
    torn_bytes: u64,
    later: &[u64],
) -> Result<Recovered, EngineError> {
    let next_sequence = replay.sequence();
    if torn_bytes > 0 || !later.is_empty() {
        let (path, offset) = (replay.path().display(), replay.offset());
        tracing::warn!(
            %path, offset, torn_bytes, next_sequence, segments = ?later,
            "the log is torn: what follows, promised to nobody, is dropped"
        );
    }
    end::drop_segments(directory, later, next_sequence)?;
    let is_marked = replay.is_marked();
    Ok(Recovered { segment: replay.resume()?, next_sequence, is_marked })
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
    /// How it ends; or why it must not end so.
    pub(super) end: Result<End, EngineError>,
}

/// Reads one segment as [`recover`] would, with segments `later` after it, and changes nothing. What the
/// segments before it say of its sequences is not asked.
pub(super) fn inspect(
    directory: &Directory,
    number: u64,
    later: &[u64],
    mut apply: impl FnMut(u64, EntryRef<'_>),
) -> Result<Inspection, EngineError> {
    let mut replay = Replay::begin(directory, number, None)?;
    let first_sequence = replay.sequence();
    let run = replay.run(&mut apply);
    let end = run.and_then(|()| End::of(&mut replay, directory, later));
    let (next_sequence, bytes) = (replay.sequence(), replay.offset());
    Ok(Inspection { first_sequence, next_sequence, bytes, end })
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
