//! Does every value that a read shows come from an update that can have happened by then?
//!
//! Three ways it can not, whatever the consistency model: nobody ever wrote it (*thin air*), only
//! updates that failed wrote it (*aborted read*), or every update that wrote it began after the read
//! had ended (*from the future*). Values need not be unique.
//!
//! Source: Adya, "Weak Consistency", 1999, §4.2 (G1a, aborted reads); Bouajjani et al., "On
//! Verifying Causal Consistency", POPL 2017 (ThinAirRead).

use std::collections::BTreeMap;

use crate::event::Value;
use crate::finding::Anomaly;
use crate::operation::Operation;
use crate::prose::{Cast, ms, shorten};

/// Updates of one key by the value they write (none of a delete), each by invocation.
pub(crate) struct Sources<'h> {
    by_value: BTreeMap<Option<i64>, Vec<&'h Operation>>,
}

impl<'h> Sources<'h> {
    /// The updates among `operations`.
    pub(crate) fn of(operations: &[&'h Operation]) -> Sources<'h> {
        let mut by_value = BTreeMap::<Option<i64>, Vec<&Operation>>::new();
        for operation in operations.iter().filter(|operation| operation.is_update()) {
            by_value.entry(operation.argument.number()).or_default().push(operation);
        }
        Sources { by_value }
    }

    /// The updates that write `value`, by invocation, failed ones among them; of no value the deletes.
    pub(crate) fn writers(&self, value: Option<i64>) -> &[&'h Operation] {
        self.by_value.get(&value).map_or(&[], Vec::as_slice)
    }

    /// What is wrong with the origin of a value that `read` shows, if anything is.
    pub(crate) fn fault_of(&self, read: &'h Operation) -> Option<Anomaly> {
        let mut values: Vec<i64> = match read.reply()? {
            Value::Int(number) => vec![*number],
            Value::Set(elements) => elements.clone(),
            Value::Nil | Value::Note(_) => return None,
        };
        values.retain(|value| !self.explains(*value, read));
        values.first().map(|value| self.accuse(*value, read))
    }

    /// Of the `reads` that show a value without an origin, what is wrong with the first to end.
    pub(crate) fn first_fault<'r>(
        &self,
        reads: impl Iterator<Item = &'r &'h Operation>,
    ) -> Option<Anomaly>
    where
        'h: 'r,
    {
        let faults = reads.filter_map(|read| Some((read.completed, self.fault_of(read)?)));
        faults.min_by_key(|(completed, _)| *completed).map(|(_, anomaly)| anomaly)
    }

    fn explains(&self, value: i64, read: &Operation) -> bool {
        let ended = read.acknowledged().unwrap_or(usize::MAX);
        let mut writers = self.writers(Some(value)).iter();
        writers.any(|writer| writer.may_have_happened() && writer.invoked < ended)
    }

    fn accuse(&self, value: i64, read: &'h Operation) -> Anomaly {
        let writers = self.writers(Some(value));
        let future = writers.iter().find(|writer| writer.may_have_happened());
        let (name, culprit) = match (future, writers.first()) {
            (Some(writer), _) => ("read from the future", Some(*writer)),
            (None, Some(writer)) => ("aborted read", Some(*writer)),
            (None, None) if read.is_coordinated() => ("read of a value never written", None),
            (None, None) => ("value never written", None),
        };
        let cast = Cast::new(std::iter::once(read).chain(culprit));
        let reader = cast.label(read);
        let then = match (future, culprit) {
            (Some(writer), _) => format!(
                "Then {reader} had returned {value} by {}, before {}, the first to write {value}, \
                 began at {}: a contradiction.",
                read.ended.map_or_else(String::new, ms),
                cast.label(writer),
                ms(writer.began)
            ),
            (None, Some(writer)) => format!(
                "Then {writer} wrote {value} but failed, which says that it never happened. \
                 However {reader} shows {value}, and nobody else wrote it: a contradiction.",
                writer = cast.label(writer)
            ),
            (None, None) => format!(
                "Then {reader} shows {}, however nobody ever wrote {value}: a contradiction.",
                shorten(read.reply().unwrap_or(&Value::Nil))
            ),
        };
        Anomaly {
            name: name.to_owned(),
            key: read.key.clone(),
            witness: cast.witness(),
            because: format!("{} {then}", cast.introduction()),
        }
    }
}
