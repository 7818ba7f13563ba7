//! Which reads returned what had surely been replaced, and how late they were.
//!
//! Of a register: the value read had surely been written when some other write began, and that write
//! was acknowledged before the read began. Of a set: an add was acknowledged before the read began,
//! and the read misses its element. Of siblings: see [`crate::sibling`]. How late is the time from that acknowledgement to the read's
//! begin: at least so long the reader lived in the past. Values need not be unique: of several
//! writes of one value, the read is given the benefit of the latest.
//!
//! Source: Golab, Li and Shah, "Analyzing Consistency Properties for Fun and Profit", PODC 2011
//! (delta-atomicity); Jepsen's `set-full` (stale, and its latencies).

use crate::cluster::{Clusters, Moment, begin, end};
use crate::event::{Function, Value};
use crate::finding::Anomaly;
use crate::model::Shape;
use crate::operation::Operation;
use crate::overwrite::Overwrites;
use crate::prose::{Cast, ms, shorten};
use crate::sibling::Owed;
use crate::source::Sources;

/// A read that returned what had surely been replaced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stale<'h> {
    /// The read.
    pub(crate) read: &'h Operation,
    /// The update it should have seen that was acknowledged first.
    pub(crate) missed: &'h Operation,
}

impl<'h> Stale<'h> {
    /// For how long the update had been acknowledged when the read began, in nanoseconds.
    pub(crate) fn late(&self) -> u64 {
        self.read.began.saturating_sub(self.missed.ended.unwrap_or(self.read.began))
    }

    /// In words: an element is missed, or every write of the value read had ended before another
    /// began. `operations` are those of its key.
    pub(crate) fn anomaly(&self, operations: &[&'h Operation]) -> Anomaly {
        let Stale { read, missed } = *self;
        let cast = Cast::new(writers(read, operations).into_iter().chain([missed, read]));
        let (early, late) = (cast.label(missed), cast.label(read));
        Anomaly {
            name: "stale read".to_owned(),
            key: read.key.clone(),
            witness: cast.witness(),
            because: format!(
                "{} Then {early} comes before {late}, because {}{}. However {late} does not see \
                 {early}, {} after it was acknowledged: a contradiction.",
                cast.introduction(),
                cast.before(missed, read),
                unreplaced(missed),
                ms(self.late()),
            ),
        }
    }
}

/// Of siblings: that nobody replaced what `missed` wrote.
fn unreplaced(missed: &Operation) -> String {
    let value = shorten(&missed.argument);
    let unread = |_| format!("; and no update that may have happened had read {value} by then");
    missed.replaced().map(unread).unwrap_or_default()
}

/// The writes that can have given `read` the number it returned; of the deletes that can have given
/// it nil, the last to end.
fn writers<'h>(read: &Operation, operations: &[&'h Operation]) -> Vec<&'h Operation> {
    let Some(value @ (Value::Int(_) | Value::Nil)) = read.reply() else { return Vec::new() };
    let able = |write: &&&Operation| write.may_have_happened() && begin(write) < end(read);
    let same = |write: &&&Operation| write.written() == Some(value);
    let able = operations.iter().filter(able).filter(same).copied();
    if value.is_nil() {
        able.max_by_key(|write| end(write)).into_iter().collect()
    } else {
        able.collect()
    }
}

/// Every stale read among the operations of one key, by invocation.
pub(crate) fn stale_reads<'h>(operations: &[&'h Operation]) -> Vec<Stale<'h>> {
    let reads =
        || operations.iter().copied().filter(|read| read.f == Function::Read && read.is_ok());
    match Shape::of(operations) {
        Shape::Set => {
            let adds = Adds::of(operations);
            return reads().filter_map(|read| adds.missed_by(read)).collect();
        }
        Shape::Siblings => {
            let owed = Owed::of(operations);
            let clients = operations.iter().filter(|operation| operation.is_coordinated());
            return clients.filter_map(|read| owed.missed_by(read)).collect();
        }
        Shape::Register => {}
    }
    let overwrites = Overwrites::of(operations.iter().copied());
    let settled = Settled::of(operations);
    let stale = |read: &'h Operation| {
        let missed = overwrites.first_after(settled.before(read)?)?;
        (end(missed) < begin(read)).then_some(Stale { read, missed })
    };
    reads().filter_map(stale).collect()
}

/// When the value of a read had surely been written.
struct Settled<'h> {
    sources: Sources<'h>,
    clusters: Option<Clusters<'h>>,
}

impl<'h> Settled<'h> {
    fn of(operations: &[&'h Operation]) -> Settled<'h> {
        Settled { sources: Sources::of(operations), clusters: Clusters::of(operations) }
    }

    /// Nothing for a value without a source: that is another checker's finding.
    fn before(&self, read: &Operation) -> Option<Moment> {
        if let Some(clusters) = &self.clusters {
            let number = clusters.number_of(read.reply()?)?;
            return Some(clusters.get(number).settled());
        }
        let value = match read.reply()? {
            Value::Nil => None,
            Value::Int(value) => Some(*value),
            Value::Set(_) | Value::Note(_) => return None,
        };
        let writers = self.sources.writers(value).iter();
        let able = writers.filter(|w| w.may_have_happened() && begin(w) < end(read));
        let last = able.map(|writer| end(writer)).max();
        // Nil needs no writer: it is what a key holds before any.
        if value.is_none() { last.or(Some(0)) } else { last }
    }
}

/// Acknowledged adds by their end.
struct Adds<'h>(Vec<(i64, &'h Operation)>);

impl<'h> Adds<'h> {
    fn of(operations: &[&'h Operation]) -> Adds<'h> {
        let acknowledged = operations.iter().filter(|add| add.f == Function::Add && add.is_ok());
        let mut adds: Vec<(i64, &Operation)> = acknowledged
            .filter_map(|add| match add.argument {
                Value::Int(element) => Some((element, *add)),
                _ => None,
            })
            .collect();
        adds.sort_by_key(|(_, add)| end(add));
        Adds(adds)
    }

    /// The first add acknowledged before `read` began whose element it misses.
    fn missed_by(&self, read: &'h Operation) -> Option<Stale<'h>> {
        let elements = read.reply()?.elements()?;
        let due = self.0.partition_point(|(_, add)| end(add) < begin(read));
        let missed = |(element, _): &&(i64, &Operation)| elements.binary_search(element).is_err();
        self.0[..due].iter().find(missed).map(|(_, missed)| Stale { read, missed })
    }
}
