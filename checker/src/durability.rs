//! What an acknowledgement obliges a replica to hold in the end, and what became of each element.
//!
//! The rules are those of [`crate::judge::LostWrites`]; here they are applied to one copy of one key.

use std::collections::BTreeMap;

use crate::cluster::{Moment, begin, end};
use crate::event::{Function, Value};
use crate::finding::Anomaly;
use crate::operation::Operation;
use crate::overwrite::Overwrites;
use crate::prose::{Cast, count, enumerate, shorten};
use crate::replica::Replicas;
use crate::staleness::stale_reads;

/// The first acknowledged add whose element `copy` misses; `copies` are those of all replicas.
pub(crate) fn lost_add<'h>(
    operations: &[&'h Operation],
    copy: &'h Operation,
    copies: &[&'h Operation],
) -> Option<Anomaly> {
    let lost: Vec<(&Operation, i64)> = adds(operations)
        .filter(|(add, _)| add.precedes(copy))
        .filter(|(_, element)| !holds(copy, *element))
        .collect();
    let (add, element) = *lost.iter().min_by_key(|(add, _)| end(add))?;
    let cast = Cast::new([add, copy]);
    let found = cast.label(copy);
    let keepers: Vec<String> = copies
        .iter()
        .filter(|other| holds(other, element))
        .map(|other| other.node.clone().unwrap_or_default())
        .collect();
    let elsewhere = match keepers.as_slice() {
        [] => "No replica that answered holds it".to_owned(),
        nodes => format!("Only {} still {}", enumerate(nodes), verb(nodes.len())),
    };
    let more = match lost.len() - 1 {
        0 => String::new(),
        more => format!(" {} of this key are missing there too.", count(more, "other element")),
    };
    Some(Anomaly {
        name: "lost acknowledged write".to_owned(),
        key: add.key.clone(),
        witness: cast.witness(),
        because: format!(
            "{} Then {found} must show {element}, because {}, and nothing removes an element. \
             However {found} misses {element}: a contradiction. {elsewhere}.{more}",
            cast.introduction(),
            cast.before(add, copy),
        ),
    })
}

fn verb(nodes: usize) -> &'static str {
    if nodes == 1 { "holds it" } else { "hold it" }
}

/// The acknowledged write that must have replaced what `copy` holds.
pub(crate) fn lost_write<'h>(operations: &[&'h Operation], copy: &'h Operation) -> Option<Anomaly> {
    let due = operations.iter().copied().filter(|write| write.precedes(copy));
    let overwrites = Overwrites::of(due.filter(|write| write.is_overwrite()));
    let value = copy.reply()?;
    let able: Vec<&Operation> = operations
        .iter()
        .copied()
        .filter(|write| write.is_overwrite() && write.may_have_happened())
        .filter(|write| shows(value, write) && begin(write) < end(copy))
        .collect();
    let settled = match able.iter().map(|write| end(write)).max() {
        Some(settled) => settled,
        None if value.elements().is_some_and(<[i64]>::is_empty) => 0,
        None => return None,
    };
    let lost = overwrites.first_after(settled)?;
    // What writes one number is told as a whole; of deletes there may be many, and the last to end
    // speaks for all.
    let newest = able.iter().copied().max_by_key(|write| end(write));
    let told =
        if newest.is_some_and(|newest| newest.f == Function::Delete) { &[] } else { &able[..] };
    let cast = Cast::new(told.iter().copied().chain(newest).chain([lost, copy]));
    let (write, found) = (cast.label(lost), cast.label(copy));
    let held = newest.map_or_else(
        || "what it held before any write".to_owned(),
        |older| match older.f {
            Function::Delete => format!("which is what {} left", cast.label(older)),
            _ => format!("the value of {}", cast.label(older)),
        },
    );
    let after = newest.map_or_else(String::new, |older| {
        format!(
            "{write} comes after {}, because {}; and ",
            cast.label(older),
            cast.before(older, lost)
        )
    });
    Some(Anomaly {
        name: "lost acknowledged write".to_owned(),
        key: copy.key.clone(),
        witness: cast.witness(),
        because: format!(
            "{} Then {after}{write} comes before {found}, because {}. However {found} shows {}, \
             {held}: {write} is lost.",
            cast.introduction(),
            cast.before(lost, copy),
            shorten(value),
        ),
    })
}

/// Whether `value` is what `write` wrote, or holds it as one sibling of several.
fn shows(value: &Value, write: &Operation) -> bool {
    match (value, write.argument.number()) {
        (Value::Set(siblings), Some(number)) => siblings.contains(&number),
        (Value::Set(siblings), None) => siblings.is_empty(),
        _ => write.argument == *value,
    }
}

fn adds<'h>(operations: &[&'h Operation]) -> impl Iterator<Item = (&'h Operation, i64)> {
    operations.iter().filter(|add| add.f == Function::Add).filter_map(|add| match add.argument {
        Value::Int(element) => Some((*add, element)),
        _ => None,
    })
}

fn holds(copy: &Operation, element: i64) -> bool {
    let elements = copy.reply().and_then(Value::elements);
    elements.is_some_and(|elements| elements.binary_search(&element).is_ok())
}

/// How many elements fared how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Classes {
    elements: usize,
    stable: usize,
    stale: usize,
    lost: usize,
    recovered: usize,
    never_read: usize,
}

impl Classes {
    /// Sorts the elements that one key's clients tried to add, each once.
    pub(crate) fn count(&mut self, operations: &[&Operation], replicas: &Replicas<'_>) {
        let stale = stale_reads(operations);
        let mut tried: Vec<i64> =
            adds(operations).filter(|(add, _)| add.may_have_happened()).map(|(_, e)| e).collect();
        tried.sort_unstable();
        tried.dedup();
        let mut acknowledged = BTreeMap::<i64, Moment>::new();
        for (add, element) in adds(operations).filter(|(add, _)| add.is_ok()) {
            let first = acknowledged.entry(element).or_insert(Moment::MAX);
            *first = end(add).min(*first);
        }
        for element in tried {
            let acknowledged = acknowledged.get(&element);
            let is_due = |copy: &Operation| acknowledged.is_some_and(|end| *end < begin(copy));
            let copies = || replicas.copies.iter();
            let is_lost = copies().any(|copy| is_due(copy) && !holds(copy, element));
            let is_held = copies().any(|copy| holds(copy, element));
            let is_late = stale.iter().any(|stale| stale.missed.argument == Value::Int(element));
            self.elements += 1;
            match (acknowledged.is_some(), is_lost, is_held) {
                (true, true, _) => self.lost += 1,
                (true, false, _) => {
                    self.stable += 1;
                    self.stale += usize::from(is_late);
                }
                (false, _, true) => self.recovered += 1,
                (false, _, false) => self.never_read += 1,
            }
        }
    }

    /// `40 elements: 39 stable (2 of them stale for a while), 0 lost, 1 recovered, 0 never read`.
    pub(crate) fn summary(&self) -> Option<String> {
        (self.elements > 0).then(|| {
            format!(
                "{}: {} stable ({} of them stale for a while), {} lost, {} recovered, {} never read",
                count(self.elements, "element"),
                self.stable,
                self.stale,
                self.lost,
                self.recovered,
                self.never_read
            )
        })
    }
}
