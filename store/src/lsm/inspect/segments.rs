//! The log segments of a directory, each read from end to end.

use std::cmp::Ordering;

use super::super::directory::{Directory, Listing};
use super::super::log;
use super::super::manifest::Manifest;
use super::super::restore;
use crate::engine::EngineError;

/// What is known of a log segment.
#[derive(Clone, Debug)]
pub struct SegmentSummary {
    /// Its number.
    pub number: u64,
    /// What it holds; `None` where it has no header.
    pub facts: Option<SegmentFacts>,
    /// Whether there is no such file, though there must be.
    pub is_missing: bool,
    /// Why the engine could not replay it.
    pub damage: Option<EngineError>,
}

/// What a log segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// The sequence of its first record.
    pub first_sequence: u64,
    /// The sequence after that of its last whole record.
    pub next_sequence: u64,
    /// How many keys its whole records put or remove.
    pub entries: u64,
    /// Up to where it is whole.
    pub bytes: u64,
    /// What follows that is no whole record, and was never said to be durable: a start cuts it off.
    pub torn_bytes: u64,
}

impl SegmentFacts {
    /// How many batches it holds.
    pub fn records(&self) -> u64 {
        self.next_sequence - self.first_sequence
    }
}

impl SegmentSummary {
    /// Whether it was cut off while it was made: a start makes it anew, and nothing was lost with it.
    pub fn is_begun_only(&self) -> bool {
        self.facts.is_none() && self.damage.is_none()
    }
}

/// The segments that a start with this manifest replays, and the first that is missing.
pub(super) fn named(
    directory: &Directory,
    manifest: &Manifest,
    listing: &Listing,
) -> Vec<SegmentSummary> {
    let logs = listing.logs.iter().copied().filter(|&number| number >= manifest.oldest_log);
    let mut seen = found(directory, &logs.collect::<Vec<_>>());
    if let Err(error) = restore::segments(directory, manifest, listing) {
        let due = (manifest.oldest_log..).zip(&seen).find(|(due, it)| *due != it.number);
        let number = due.map_or(manifest.oldest_log, |(due, _)| due);
        let at = seen.partition_point(|it| it.number < number);
        seen.insert(at, missing(number, error));
    }
    seen
}

fn missing(number: u64, error: EngineError) -> SegmentSummary {
    SegmentSummary { number, facts: None, is_missing: true, damage: Some(error) }
}

/// The segments `numbers`, as if they were the whole log.
pub(super) fn found(directory: &Directory, numbers: &[u64]) -> Vec<SegmentSummary> {
    let mut seen: Vec<SegmentSummary> = Vec::new();
    for (at, &number) in numbers.iter().enumerate() {
        let place = Place { is_first: at == 0, is_last: at + 1 == numbers.len() };
        let mut segment = look(directory, number, place);
        let whole = seen.last_mut().filter(|before| before.damage.is_none());
        if let Some(before) = whole
            && let (Some(end), Some(begin)) = (before.facts, segment.facts)
        {
            // What begins too late shows that the one before lost its end.
            match begin.first_sequence.cmp(&end.next_sequence) {
                Ordering::Equal => {}
                Ordering::Less => segment.damage = Some(log::does_not_follow(directory, number)),
                Ordering::Greater => {
                    before.damage = Some(log::ends_early(directory, before.number, end.bytes));
                }
            }
        }
        seen.push(segment);
    }
    seen
}

/// Where in the log a segment stands.
#[derive(Clone, Copy)]
struct Place {
    is_first: bool,
    is_last: bool,
}

/// Reads one segment.
fn look(directory: &Directory, number: u64, place: Place) -> SegmentSummary {
    let mut entries = 0;
    let seen = log::inspect(directory, number, place.is_last, |_, _| entries += 1);
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => {
            let may_be_begun = place.is_last && !place.is_first;
            let begun = may_be_begun && log::is_without_header(directory, number).unwrap_or(false);
            let damage = (!begun).then_some(error);
            return SegmentSummary { number, facts: None, is_missing: false, damage };
        }
    };
    let facts = SegmentFacts {
        first_sequence: seen.first_sequence,
        next_sequence: seen.next_sequence,
        entries,
        bytes: seen.bytes,
        torn_bytes: *seen.torn_bytes.as_ref().unwrap_or(&0),
    };
    let damage = seen.torn_bytes.err();
    SegmentSummary { number, facts: Some(facts), is_missing: false, damage }
}
