//! Two values of a register, each of which must come before the other.
//!
//! A read returns the value of cluster A, although cluster B must already have come after A: some
//! operation of A ended before some operation of B began, and some operation of B had ended before
//! the read began. When B's own write had been acknowledged by then, the field calls it a *stale
//! read*; when only a read had shown B, a *new-old inversion*. Every violation of a register with
//! unique values whose reads all have a source is one of the two: of two operations that close such
//! a circle, one is a read, for a write cannot begin after what follows it has ended.
//!
//! One pass over the reads by invocation finds every read that closes a circle: it keeps, of the
//! clusters shown so far, the two that are *wanted* the latest. `O(n log n)`, no budget needed.
//!
//! Source: as [`crate::cluster`]; the names from Attiya, Bar-Noy and Dolev, 1995, and Golab et al.

use crate::cluster::{Cluster, Clusters, Moment, begin, end};
use crate::finding::Anomaly;
use crate::operation::Operation;
use crate::overwrite::Overwrites;
use crate::prose::{Cast, shorten};

/// The operations that force value A before value B, and B before a read of A.
#[derive(Clone)]
pub(crate) struct Contradiction<'h> {
    older: Cluster<'h>,
    newer: Cluster<'h>,
    /// Of A: had ended before `b_begun` began. Nothing, where A is the initial value.
    a_ended: Option<&'h Operation>,
    b_begun: &'h Operation,
    /// Of B: had ended before `read` began.
    b_ended: &'h Operation,
    /// Of A.
    read: &'h Operation,
}

impl<'h> Contradiction<'h> {
    /// Of all contradictions among `clusters`, one with the fewest operations, and of those the
    /// first to be complete.
    pub(crate) fn find(clusters: &Clusters<'h>) -> Option<Contradiction<'h>> {
        let overwrites = Overwrites::of(clusters.iter().filter_map(|cluster| cluster.write));
        let mut shown = Shown::of(clusters);
        let mut best: Option<((usize, Option<usize>), Contradiction<'h>)> = None;
        for (read, number) in &clusters.reads {
            shown.advance(begin(read), clusters);
            let older = clusters.get(*number);
            let found = stale(older, read, &overwrites)
                .or_else(|| inverted(older, clusters.get(shown.latest_but(*number)?), read));
            let Some(found) = found else { continue };
            let rank = (found.cast().witness().len(), read.completed);
            if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                best = Some((rank, found));
            }
        }
        best.map(|(_, found)| found)
    }

    /// That `read` is stale, if it is.
    pub(crate) fn stale(clusters: &Clusters<'h>, read: &'h Operation) -> Option<Contradiction<'h>> {
        let overwrites = Overwrites::of(clusters.iter().filter_map(|cluster| cluster.write));
        stale(clusters.get(clusters.number_of(read.reply()?)?), read, &overwrites)
    }

    fn cast(&self) -> Cast<'h> {
        let writes = [self.older.write, self.newer.write, self.a_ended];
        let others = [self.b_begun, self.b_ended, self.read];
        Cast::new(writes.into_iter().flatten().chain(others))
    }

    fn name(&self) -> &'static str {
        if self.b_ended.is_update() { "stale read" } else { "new-old inversion" }
    }

    /// The contradiction in words.
    pub(crate) fn anomaly(&self) -> Anomaly {
        let cast = self.cast();
        let label = |operation: &Operation| cast.label(operation).to_owned();
        let (read, newer) = (label(self.read), self.newer.write.map_or_else(String::new, label));
        let value = self.read.reply().map(shorten).unwrap_or_default();
        let shown = cast.before(self.b_ended, self.read);
        let because = match (self.older.write, self.a_ended) {
            (Some(older), Some(a_ended)) => format!(
                "{} Then {older} comes before {newer}, because {}; and {newer} comes before {read}, \
                 because {shown}. However {read} returned {value}, the value of {older}, as if \
                 {newer} had not happened yet: a contradiction.",
                cast.introduction(),
                cast.before(a_ended, self.b_begun),
                older = cast.label(older),
            ),
            _ => format!(
                "{} Then {newer} comes before {read}, because {shown}. However {read} returned \
                 {value}, which is what the key held before any write: a contradiction.",
                cast.introduction(),
            ),
        };
        Anomaly {
            name: self.name().to_owned(),
            key: self.read.key.clone(),
            witness: cast.witness(),
            because,
        }
    }
}

/// An acknowledged write came after all that is known of A's, and was over before `read` began.
fn stale<'h>(
    older: &Cluster<'h>,
    read: &'h Operation,
    overwrites: &Overwrites<'h>,
) -> Option<Contradiction<'h>> {
    let written = older.write.map_or(0, end);
    let since = |moment: Moment, a_ended: Option<&'h Operation>| {
        let newer = overwrites.first_after(moment).filter(|newer| end(newer) < begin(read))?;
        let cluster = Cluster { write: Some(newer), first_ended: None, last_begun: None };
        let (b_begun, b_ended) = (newer, newer);
        Some(Contradiction { older: older.clone(), newer: cluster, a_ended, b_begun, b_ended, read })
    };
    since(written, older.write).or_else(|| since(older.settled(), older.first_ended))
}

/// `newer` came after A by what was seen of both, and was seen before `read` began.
fn inverted<'h>(
    older: &Cluster<'h>,
    newer: &Cluster<'h>,
    read: &'h Operation,
) -> Option<Contradiction<'h>> {
    if older.settled() >= newer.wanted() {
        return None;
    }
    let acknowledged = newer.write.filter(|write| end(write) < begin(read));
    let b_ended = acknowledged.or(newer.first_ended)?;
    let mut found: Vec<Contradiction<'h>> = Vec::new();
    for b_begun in [newer.write, newer.last_begun].into_iter().flatten() {
        for a_ended in [older.write, older.first_ended] {
            if a_ended.map_or(0, end) < begin(b_begun) && a_ended.is_some() == older.write.is_some()
            {
                let (older, newer) = (older.clone(), newer.clone());
                found.push(Contradiction { older, newer, a_ended, b_begun, b_ended, read });
            }
        }
    }
    found.into_iter().min_by_key(|found| found.cast().witness().len())
}

/// The clusters shown by operations that have ended, as time advances.
struct Shown {
    /// Operations by end, with their cluster.
    ended: Vec<(Moment, usize)>,
    next: usize,
    /// The two different clusters wanted the latest, the later first.
    latest: [Option<(Moment, usize)>; 2],
}

impl Shown {
    fn of(clusters: &Clusters<'_>) -> Shown {
        let writes = clusters.iter().enumerate();
        let writes = writes.filter_map(|(number, cluster)| Some((end(cluster.write?), number)));
        let reads = clusters.reads.iter().map(|(read, number)| (end(read), *number));
        let mut ended: Vec<(Moment, usize)> = writes.chain(reads).collect();
        ended.sort_unstable();
        Shown { ended, next: 0, latest: [None; 2] }
    }

    /// Takes in every operation that ended before `now`.
    fn advance(&mut self, now: Moment, clusters: &Clusters<'_>) {
        while let Some((_, number)) = self.ended.get(self.next).filter(|(end, _)| *end < now) {
            self.next += 1;
            let entry = Some((clusters.get(*number).wanted(), *number));
            let [first, second] = self.latest;
            if first.is_some_and(|(_, known)| known == *number) {
                continue;
            }
            self.latest = if entry > first { [entry, first] } else { [first, second.max(entry)] };
        }
    }

    /// The cluster wanted the latest, other than `number`.
    fn latest_but(&self, number: usize) -> Option<usize> {
        self.latest.iter().flatten().map(|(_, other)| *other).find(|other| *other != number)
    }
}
