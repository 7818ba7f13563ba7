//! Where the log ends: in its last segment, or in one before, where a power loss tore it.
//!
//! ```text
//! segment n             segment n + 1                       the log
//! whole up to s         its first is s                      goes on
//! whole up to s         its first is after s, synced < s    ends at s
//! torn at s             synced < s                          ends at s
//! torn, or ends, at s   it or a later one: synced >= s      is damaged
//! ```
//!
//! Where no sync is promised a segment ends without one, and the system writes it when it likes: a power
//! loss may take its end, and leave the next. Nobody was promised what is lost, and so nobody what came
//! after it. To replay that would make a state that never was: the log ends at the tear, and later
//! segments go.
//!
//! Source: the later word that tells a tear from damage is that of Alagappan et al., "Protocol-Aware
//! Recovery for Consensus-Based Storage", FAST 2018, §3.3.

use super::super::directory::Directory;
use super::is_without_header;
use super::replay::{Replay, does_not_follow};
use crate::engine::EngineError;

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum End {
    /// With its last record, and the log goes on in the next segment.
    Goes {
        /// Whether the next one says that all of this one was on the platter.
        is_synced: bool,
    },
    /// With the log. What follows its last whole record here and in later segments was promised to
    /// nobody.
    Stops {
        /// How much follows that record in this segment, but for zeros at its end.
        torn_bytes: u64,
    },
}

impl End {
    /// The end of a segment that was run, and that segments `later` follow.
    pub(super) fn of(
        replay: &mut Replay,
        directory: &Directory,
        later: &[u64],
    ) -> Result<End, EngineError> {
        let torn_bytes = replay.torn_bytes()?;
        if let Some(&next) = later.first() {
            let next = readable(directory, next)?;
            // A header that cannot be read is refused where the log goes on.
            let follows = next.as_ref().is_none_or(|next| next.sequence() <= replay.sequence());
            if torn_bytes == 0 && follows {
                let is_synced = next.is_some_and(|next| next.synced() + 1 >= replay.sequence());
                return Ok(End::Goes { is_synced });
            }
            if next.is_some() && follows {
                return Err(replay.damaged("no record, and yet the next segment goes on"));
            }
        }
        refuse_synced(replay, directory, later)?;
        Ok(End::Stops { torn_bytes })
    }
}

/// Fails where anything later says that what comes next was on the platter: then it is no tear.
fn refuse_synced(
    replay: &mut Replay,
    directory: &Directory,
    later: &[u64],
) -> Result<(), EngineError> {
    let lost = replay.sequence();
    if replay.calls_synced(lost)? {
        return Err(replay.damaged("a record is not whole, and a later one says it was synced"));
    }
    for &number in later {
        let other = readable(directory, number)?;
        if other.map_or(Ok(false), |mut other| other.calls_synced(lost))? {
            return Err(replay.damaged("a record is lost, and a later segment says it was synced"));
        }
    }
    Ok(())
}

/// A segment with a header; `None` where that is no header.
fn readable(directory: &Directory, number: u64) -> Result<Option<Replay>, EngineError> {
    match Replay::begin(directory, number, None) {
        Err(EngineError::Damaged { .. }) => Ok(None),
        replay => replay.map(Some),
    }
}

/// Fails unless segment `number`, after a log that stops before `sequence`, is what a power loss leaves:
/// each segment has a header before the next one is made, and none goes back.
pub(in super::super) fn require_droppable(
    directory: &Directory,
    number: u64,
    is_last: bool,
    sequence: u64,
) -> Result<(), EngineError> {
    if is_last && is_without_header(directory, number)? {
        return Ok(());
    }
    let replay = Replay::begin(directory, number, None)?;
    let follows = replay.sequence() >= sequence;
    if follows { Ok(()) } else { Err(does_not_follow(directory, number)) }
}

/// Removes segments `later`, after a log that stops before `sequence`.
///
/// The last goes first, and is gone for good before the one before it goes: the standard orders no two
/// changes of a directory, and a segment missing among others is an error to the next start.
pub(super) fn drop_segments(
    directory: &Directory,
    later: &[u64],
    sequence: u64,
) -> Result<(), EngineError> {
    for &number in later {
        let is_last = later.last() == Some(&number);
        require_droppable(directory, number, is_last, sequence)?;
    }
    for &number in later.iter().rev() {
        directory.remove(&directory.log(number))?;
        directory.sync()?;
    }
    Ok(())
}
