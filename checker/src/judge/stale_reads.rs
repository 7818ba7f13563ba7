//! Does every read see what had been acknowledged before it began?
//!
//! What a keyspace promises whose quorums overlap (R + W > N, strict). Weaker than linearizability:
//! two reads that run while a write is under way may disagree about it. The summary counts every
//! stale read and says how late the latest was; the anomalies name one a key, the first. A read of what
//! nobody wrote is neither fresh nor stale, and breaks the promise as well.
//!
//! Source: Gifford, "Weighted Voting for Replicated Data", SOSP 1979 (overlapping quorums).

use crate::cluster::Clusters;
use crate::contradiction::Contradiction;
use crate::finding::{Anomaly, Checker, Finding};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::model::Shape;
use crate::operation::Operation;
use crate::prose::{count, ms};
use crate::source::Sources;
use crate::staleness::{Stale, stale_reads};
use crate::tally::{Judgement, Tally};

/// Judges whether reads see what had been acknowledged before they began.
pub struct StaleReads {
    keyspace: Keyspace,
}

impl StaleReads {
    /// Judges the keys of `keyspace`, registers, siblings and sets alike.
    pub fn new(keyspace: impl Into<Keyspace>) -> StaleReads {
        StaleReads { keyspace: keyspace.into() }
    }
}

impl Checker for StaleReads {
    fn name(&self) -> &'static str {
        "stale-reads"
    }

    fn check(&self, history: &History) -> Finding {
        let (mut judged, mut stale, mut reads) = (Vec::new(), Vec::new(), 0);
        for (key, mut operations) in self.keyspace.by_key(history) {
            operations.retain(|operation| operation.is_coordinated());
            let here = operations.iter().filter(|o| o.is_ok() && is_read(o)).count();
            if here == 0 {
                continue;
            }
            let unknown = Shape::of(&operations).unknown(&operations);
            let found = if unknown.is_none() { stale_reads(&operations) } else { Vec::new() };
            let judgement = unknown.map_or_else(|| judge(&operations, &found), Judgement::Open);
            judged.push((key.to_owned(), operations.len(), judgement));
            stale.extend(found);
            reads += here;
        }
        let mut finding =
            Tally::of(judged).finding(self.name(), &self.keyspace, "free of stale reads");
        if !stale.is_empty() {
            finding.summary = format!("{}; {}", counted(&stale, reads), finding.summary);
        }
        finding
    }
}

/// Whether what it replied is a reply to a question; of siblings also an update asks.
fn is_read(operation: &Operation) -> bool {
    !operation.is_update() || operation.is_sight()
}

fn judge(operations: &[&Operation], stale: &[Stale<'_>]) -> Judgement {
    let reads = operations.iter().filter(|operation| is_read(operation));
    let unsourced = Sources::of(operations).first_fault(reads);
    let first = stale.first().map(|first| explain(first, operations));
    let anomalies: Vec<Anomaly> = unsourced.into_iter().chain(first).collect();
    if anomalies.is_empty() { Judgement::Kept } else { Judgement::Broken(anomalies) }
}

/// `2 of 1 000 reads stale, the latest by 31.000 ms`.
pub(crate) fn counted(stale: &[Stale<'_>], reads: usize) -> String {
    let latest = stale.iter().map(Stale::late).max().unwrap_or_default();
    format!("{} of {} stale, the latest by {}", stale.len(), count(reads, "read"), ms(latest))
}

/// The first stale read of a key; where the register's values are unique, by its smallest proof.
fn explain(first: &Stale<'_>, operations: &[&Operation]) -> Anomaly {
    let clusters = Clusters::of(operations);
    let contradiction = clusters.as_ref().and_then(|all| Contradiction::stale(all, first.read));
    contradiction.map_or_else(|| first.anomaly(operations), |found| found.anomaly())
}
