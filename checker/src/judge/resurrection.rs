//! Does what was deleted stay away?
//!
//! A value that surely had been taken away, by a delete or by an overwrite that had read it, may be
//! shown to no client whose read began later, and may be held by no replica in the end. What *surely*
//! means, why it holds, and what is not claimed, is said in [`crate::removal`]. Stores break it that drop
//! a tombstone before every replica has it: whoever missed the delete brings the value back, by read
//! repair, anti-entropy, a hint or a disk that returns.
//!
//! Promised where quorums overlap (R + W > N, strict). Values need not be unique, but those written
//! once are judged best. A key in which nothing was surely taken away is not judged.
//!
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.4; Riak's and Cassandra's names for it (resurrection,
//! zombies).

use crate::finding::{Anomaly, Checker, Finding};
use crate::history::History;
use crate::keyspace::Keyspace;
use crate::model::Shape;
use crate::operation::Operation;
use crate::prose::{Cast, count, shorten};
use crate::removal::{Removals, Return, takes_away};
use crate::replica::Replicas;
use crate::tally::{Judgement, Tally};

/// Judges whether what was deleted stays away.
pub struct Resurrection {
    keyspace: Keyspace,
    replicas: Option<usize>,
}

impl Resurrection {
    /// Judges the keys of `keyspace`, registers and siblings alike: every node asked must answer, or
    /// say that it is no replica. Where none was asked, clients' reads are judged alone.
    pub fn new(keyspace: impl Into<Keyspace>) -> Resurrection {
        Resurrection { keyspace: keyspace.into(), replicas: None }
    }

    /// Each key has this many copies: with fewer answers, a value may be back where nobody looked.
    #[must_use]
    pub fn with_replicas(self, replicas: usize) -> Resurrection {
        Resurrection { replicas: Some(replicas), ..self }
    }
}

impl Checker for Resurrection {
    fn name(&self) -> &'static str {
        "resurrection"
    }

    fn check(&self, history: &History) -> Finding {
        let (mut judged, mut shown, mut removals) = (Vec::new(), 0, 0);
        for (key, operations) in self.keyspace.by_key(history) {
            let here = operations.iter().filter(|o| o.is_ok() && takes_away(o)).count();
            if here == 0 {
                continue;
            }
            let returns = returns(&operations);
            judged.push((key.to_owned(), operations.len(), self.judge(&operations, &returns)));
            shown += returns.len();
            removals += here;
        }
        let mut finding =
            Tally::of(judged).finding(self.name(), &self.keyspace, "free of what was deleted");
        if removals > 0 {
            let (removals, shown) = (count(removals, "removal"), count(shown, "read"));
            finding.summary = format!("{}; {removals}, {shown} of what was gone", finding.summary);
        }
        finding
    }
}

impl Resurrection {
    fn judge(&self, operations: &[&Operation], returns: &[Return<'_>]) -> Judgement {
        if let Some(why) = Shape::of(operations).unknown(operations) {
            return Judgement::Open(why);
        }
        if let Some(first) = returns.first() {
            return Judgement::Broken(vec![explain(first)]);
        }
        let copies = Replicas::of(operations);
        if self.replicas.is_none() && !copies.were_asked() {
            // Nobody promised that replicas would be read: clients' reads are all there is.
            return Judgement::Kept;
        }
        copies.lack(self.replicas).map_or(Judgement::Kept, Judgement::Open)
    }
}

/// What clients and then replicas show although it was gone, each in the order in which they ended.
fn returns<'h>(operations: &[&'h Operation]) -> Vec<Return<'h>> {
    let removals = Removals::of(operations);
    let mut reads: Vec<&Operation> = operations.iter().copied().filter(|o| o.is_sight()).collect();
    reads.sort_by_key(|read| read.completed);
    let copies = Replicas::of(operations).copies;
    reads.into_iter().chain(copies).filter_map(|read| removals.returned_to(read)).collect()
}

fn explain(found: &Return<'_>) -> Anomaly {
    let Return { read, write, removal, by_sight, value } = *found;
    let cast = Cast::new([write, removal, read]);
    let (gone, late) = (cast.label(removal), cast.label(read));
    let why = if by_sight {
        format!("it had read {value}, which only {} wrote", cast.label(write))
    } else {
        let held = "of the replicas it read one held that value, or had seen it replaced";
        let held = removal.replaced().map(|_| format!("; and {held}")).unwrap_or_default();
        format!("{}{held}", cast.before(write, removal))
    };
    Anomaly {
        name: "resurrection".to_owned(),
        key: read.key.clone(),
        witness: cast.witness(),
        because: format!(
            "{} Then {gone} took {value} away, because {why}; and {gone} comes before {late}, because \
             {}. However {late} shows {}: {value} is back.",
            cast.introduction(),
            cast.before(removal, read),
            read.reply().map(shorten).unwrap_or_default(),
        ),
    }
}
