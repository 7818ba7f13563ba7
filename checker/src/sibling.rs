//! Which values of a sibling register must still be there, and which are missing all the same.
//!
//! A read that began after a write was acknowledged must show its value, unless an update that began
//! before the read ended may have replaced it (see [`crate::replacement`]). This holds of clients' reads
//! where quorums overlap (R + W > N, strict), for some replica that was read has taken the write: it
//! holds the value, or knows that it was replaced. It holds of every replica once they are at rest.
//!
//! An update that tells what it had read is a read as well, and owes the same.

use crate::cluster::{begin, end};
use crate::event::Function;
use crate::finding::Anomaly;
use crate::operation::Operation;
use crate::prose::{Cast, count, shorten};
use crate::replacement::Replacements;
use crate::staleness::Stale;

/// The acknowledged writes of one key, to be asked which of them a read misses.
pub(crate) struct Owed<'h> {
    /// By end.
    writes: Vec<(i64, &'h Operation)>,
    replacements: Replacements,
}

impl<'h> Owed<'h> {
    /// What the writes among `operations`, those of one key, oblige its readers to show.
    pub(crate) fn of(operations: &[&'h Operation]) -> Owed<'h> {
        let acknowledged = operations.iter().filter(|o| o.f == Function::Write && o.is_ok());
        let mut writes: Vec<(i64, &Operation)> =
            acknowledged.filter_map(|write| Some((write.argument.number()?, *write))).collect();
        writes.sort_by_key(|(_, write)| end(write));
        Owed { writes, replacements: Replacements::of(operations) }
    }

    /// The first write acknowledged whose value `read` must show and does not.
    pub(crate) fn missed_by(&self, read: &'h Operation) -> Option<Stale<'h>> {
        let shown = read.reply()?.elements()?;
        let due = self.writes.partition_point(|(_, write)| end(write) < begin(read));
        let missed = |(value, write): &&(i64, &'h Operation)| {
            shown.binary_search(value).is_err()
                && !self.replacements.may_have_taken(*value, write, end(read))
        };
        self.writes[..due].iter().find(missed).map(|(_, missed)| Stale { read, missed })
    }

    /// The first write acknowledged whose value `copy` must hold and does not, in words.
    pub(crate) fn lost(&self, copy: &'h Operation) -> Option<Anomaly> {
        let Stale { missed, .. } = self.missed_by(copy)?;
        let cast = Cast::new([missed, copy]);
        let (write, found) = (cast.label(missed), cast.label(copy));
        Some(Anomaly {
            name: "lost acknowledged write".to_owned(),
            key: copy.key.clone(),
            witness: cast.witness(),
            because: format!(
                "{} Then {found} must show {value}, because {}, and no update that may have happened \
                 had read {value} and so replaced it. However {found} shows {}: {write} is lost.",
                cast.introduction(),
                cast.before(missed, copy),
                copy.reply().map(shorten).unwrap_or_default(),
                value = shorten(&missed.argument),
            ),
        })
    }
}

/// How many values fared how, by what their updates tell and the replicas hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fates {
    values: usize,
    held: usize,
    replaced: usize,
    excused: usize,
}

impl Fates {
    /// Sorts the acknowledged writes of one key by what `copies` of it hold.
    pub(crate) fn count(&mut self, owed: &Owed<'_>, copies: &[&Operation]) {
        for (value, write) in &owed.writes {
            let holds = |copy: &&Operation| {
                let shown = copy.reply().and_then(|reply| reply.elements());
                shown.is_some_and(|shown| shown.binary_search(value).is_ok())
            };
            self.values += 1;
            if copies.iter().all(holds) {
                self.held += 1;
            } else if owed.replacements.was_read(*value) {
                self.replaced += 1;
            } else if owed.replacements.may_have_taken(*value, write, usize::MAX) {
                self.excused += 1;
            }
        }
    }

    /// `40 values: 3 held, 36 replaced, 1 gone that an update without an answer may have replaced`.
    pub(crate) fn summary(&self) -> Option<String> {
        (self.values > 0).then(|| {
            format!(
                "{}: {} held, {} replaced, {} gone that an update without an answer may have replaced",
                count(self.values, "value"),
                self.held,
                self.replaced,
                self.excused
            )
        })
    }
}
