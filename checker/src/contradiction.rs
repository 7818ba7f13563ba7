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
        let found = clusters.reads.iter().filter_map(|(read, number)| {
            shown.advance(begin(read), clusters);
            let older = clusters.get(*number);
            stale(older, read, &overwrites)
                .or_else(|| inverted(older, clusters.get(shown.latest_but(*number)?), read))
        });
        found.min_by_key(|found| (found.is_told_backwards(), found.size(), found.read.completed))
    }

    /// That `read` is stale, if it is.
    pub(crate) fn stale(clusters: &Clusters<'h>, read: &'h Operation) -> Option<Contradiction<'h>> {
        let overwrites = Overwrites::of(clusters.iter().filter_map(|cluster| cluster.write));
        stale(clusters.get(clusters.number_of(read.reply()?)?), read, &overwrites)
    }

    /// Every contradiction can be told from either of its clusters. The one to tell ends with the
    /// last of its reads, as it happened.
    fn is_told_backwards(&self) -> bool {
        begin(self.b_begun) > begin(self.read)
    }

    fn size(&self) -> usize {
        self.cast().witness().len()
    }

    fn cast(&self) -> Cast<'h> {
        let writes = [self.older.write, self.newer.write, self.a_ended];
        let others = [self.b_begun, self.b_ended, self.read];
        Cast::new(writes.into_iter().flatten().chain(others))
    }

    fn name(&self) -> &'static str {
        if self.b_ended.is_update() { "stale read" } else { "new-old inversion" }
    }

    /// Why A comes before B.
    fn forced(&self, cast: &Cast<'_>, a_ended: &Operation) -> String {
        let before = cast.before(a_ended, self.b_begun);
        match self.b_begun.reply() {
            Some(value) if !self.b_begun.is_update() => {
                format!("{before} and returned {}, written only once", shorten(value))
            }
            _ => before,
        }
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
                self.forced(&cast, a_ended),
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
        Some(Contradiction {
            older: older.clone(),
            newer: cluster,
            a_ended,
            b_begun,
            b_ended,
            read,
        })
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
    let known = [newer.write, newer.first_ended, newer.last_begun];
    let known = || known.into_iter().flatten();
    let mut found: Vec<Contradiction<'h>> = Vec::new();
    for b_ended in known().filter(|operation| end(operation) < begin(read)) {
        for b_begun in known() {
            for a_ended in older.knowable() {
                if a_ended.map_or(0, end) < begin(b_begun) {
                    let (older, newer) = (older.clone(), newer.clone());
                    found.push(Contradiction { older, newer, a_ended, b_begun, b_ended, read });
                }
            }
        }
    }
    // Of equals the first: what the writes themselves say comes before what reads say.
    found.into_iter().min_by_key(|found| (found.is_told_backwards(), found.size()))
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
