//! Since when was a value surely gone, and who took it away?
//!
//! An acknowledged delete, or an acknowledged overwrite that handed back what it had read, took a
//! value away if one of two things is known:
//!
//! - **By sight.** It had read the value, which was written only once: the context it handed back
//!   covers the write, and W replicas have that context.
//! - **By time.** It began after every write of the value that may have happened was acknowledged. What
//!   it read then came from R replicas, one of which had taken the write (R + W > N, strict): that one
//!   held the value, or had seen it replaced, or had dropped it with a tombstone that all replicas had.
//!   In the first two cases the context covers the write as if by sight; in the last nobody has it.
//!
//! A delete of a linearizable register is simpler: a write of nothing that came after the value.
//!
//! *Requires* that an acknowledged delete of siblings wrote what it knew to W replicas, also where it found
//! no value to delete. One that then writes nothing has read, and no more: another read may go to replicas
//! that still hold the value.
//!
//! From the acknowledgement on whoever reads R replicas asks one that knows the context, and may not see
//! the value. Nothing follows for a value written while the delete ran, which it may have missed; nor
//! from a delete without an answer, which may never have happened; nor from a delete that failed.
//! A plain overwrite takes nothing away here: a register forgets by it, but of siblings a blind write
//! stands beside what it has not read.

use std::collections::BTreeMap;

use crate::cluster::{begin, end};
use crate::event::{Function, Value};
use crate::operation::Operation;
use crate::overwrite::Overwrites;
use crate::source::Sources;

/// Who took the values of one key away, and when that was certain.
pub(crate) struct Removals<'h> {
    /// Of each value the update acknowledged first that had read it.
    by_sight: BTreeMap<i64, &'h Operation>,
    by_time: Overwrites<'h>,
    sources: Sources<'h>,
}

/// A value shown although it was gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Return<'h> {
    /// Who shows it.
    pub(crate) read: &'h Operation,
    /// What.
    pub(crate) value: i64,
    /// The write of the value; of several the last to be acknowledged.
    pub(crate) write: &'h Operation,
    /// What took it away.
    pub(crate) removal: &'h Operation,
    /// Whether that had read the value; otherwise it began after the write was acknowledged.
    pub(crate) by_sight: bool,
}

impl<'h> Removals<'h> {
    /// The removals among the operations of one key.
    pub(crate) fn of(operations: &[&'h Operation]) -> Removals<'h> {
        let removes = |update: &&Operation| update.is_ok() && takes_away(update);
        let removals = || operations.iter().copied().filter(removes);
        let mut by_sight = BTreeMap::<i64, &Operation>::new();
        for update in removals() {
            for value in update.replaced().unwrap_or_default() {
                let first = by_sight.entry(*value).or_insert(update);
                if end(update) < end(first) {
                    *first = update;
                }
            }
        }
        let (by_time, sources) = (Overwrites::of(removals()), Sources::of(operations));
        Removals { by_sight, by_time, sources }
    }

    /// A value that `read` shows although it was gone when `read` began; of several the least.
    pub(crate) fn returned_to(&self, read: &'h Operation) -> Option<Return<'h>> {
        let shown: &[i64] = match read.reply()? {
            Value::Int(value) => std::slice::from_ref(value),
            Value::Set(values) => values,
            Value::Nil | Value::Note(_) => return None,
        };
        shown.iter().find_map(|value| self.gone(*value, read))
    }

    fn gone(&self, value: i64, read: &'h Operation) -> Option<Return<'h>> {
        let writers = self.sources.writers(Some(value)).iter().copied();
        let able = || writers.clone().filter(|w| w.may_have_happened() && begin(w) < end(read));
        // A value without a source is another checker's finding.
        let write = able().max_by_key(|write| end(write))?;
        let seen = self.by_sight.get(&value).copied().filter(|_| able().count() == 1);
        let later = self.by_time.first_after(end(write));
        let found = |removal: &'h Operation, by_sight| {
            let is_gone = removal.invoked != write.invoked && removal.precedes(read);
            is_gone.then_some(Return { read, value, write, removal, by_sight })
        };
        seen.and_then(|removal| found(removal, true))
            .or_else(|| later.and_then(|removal| found(removal, false)))
    }
}

/// Whether `update`, if it happened, takes away all it knows of.
pub(crate) fn takes_away(update: &Operation) -> bool {
    update.f == Function::Delete || update.replaced().is_some()
}
