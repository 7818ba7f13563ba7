//! The log segments of a directory, each read from end to end.

use super::super::directory::{Directory, Listing};
use super::super::log::{self, End};
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
    /// Whether the log is torn in a segment before: a start removes this one, of which nothing was ever
    /// said to be durable.
    pub is_dropped: bool,
    /// Why the engine could not replay it, or remove it.
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
        self.facts.is_none() && self.damage.is_none() && !self.is_dropped
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
    SegmentSummary { is_missing: true, ..without_facts(number, Some(error)) }
}

fn without_facts(number: u64, damage: Option<EngineError>) -> SegmentSummary {
    SegmentSummary { number, facts: None, is_missing: false, is_dropped: false, damage }
}

/// The segments `numbers`, as if they were the whole log.
pub(super) fn found(directory: &Directory, numbers: &[u64]) -> Vec<SegmentSummary> {
    let is_next = |one: &u64, next: &u64| one.checked_add(1) == Some(*next);
    numbers.chunk_by(is_next).flat_map(|run| without_gap(directory, run)).collect()
}

fn without_gap(directory: &Directory, numbers: &[u64]) -> Vec<SegmentSummary> {
    let mut seen: Vec<SegmentSummary> = Vec::new();
    // The sequence at which the log is torn.
    let mut torn_at = None;
    for (at, &number) in numbers.iter().enumerate() {
        let later = &numbers[at + 1..];
        if let Some(sequence) = torn_at {
            seen.push(dropped(directory, number, later, sequence));
            continue;
        }
        let (mut segment, is_torn) = look(directory, number, at == 0, later);
        let before = seen.last().filter(|before| before.damage.is_none());
        if let (Some(end), Some(begin)) = (before.and_then(|it| it.facts), segment.facts)
            && begin.first_sequence < end.next_sequence
        {
            segment.damage = Some(log::does_not_follow(directory, number));
        }
        torn_at = segment.facts.filter(|_| is_torn).map(|facts| facts.next_sequence);
        seen.push(segment);
    }
    seen
}

/// Reads one segment, with segments `later` after it; and whether the log stops in it, as far as it
/// can say itself.
fn look(
    directory: &Directory,
    number: u64,
    is_first: bool,
    later: &[u64],
) -> (SegmentSummary, bool) {
    let mut entries = 0;
    let seen = match log::inspect(directory, number, later, |_, _| entries += 1) {
        Ok(seen) => seen,
        Err(error) => {
            let may_be_begun = later.is_empty() && !is_first;
            let begun = may_be_begun && log::is_without_header(directory, number).unwrap_or(false);
            return (without_facts(number, (!begun).then_some(error)), false);
        }
    };
    let torn_bytes = match seen.end {
        Ok(End::Stops { torn_bytes }) => torn_bytes,
        Ok(End::Goes { .. }) | Err(_) => 0,
    };
    let facts = SegmentFacts {
        first_sequence: seen.first_sequence,
        next_sequence: seen.next_sequence,
        entries,
        bytes: seen.bytes,
        torn_bytes,
    };
    let stops = matches!(seen.end, Ok(End::Stops { .. }));
    let segment = without_facts(number, seen.end.err());
    (SegmentSummary { facts: Some(facts), ..segment }, stops)
}

/// Reads one segment after a log that stops before `sequence`. Whether it is torn itself is all one.
fn dropped(directory: &Directory, number: u64, later: &[u64], sequence: u64) -> SegmentSummary {
    let (segment, _) = look(directory, number, false, &[]);
    let damage = log::require_droppable(directory, number, later.is_empty(), sequence).err();
    SegmentSummary { is_dropped: true, damage, ..segment }
}
