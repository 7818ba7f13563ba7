//! The life of each value of a register: its write, and the reads that return it.
//!
//! When every value is written once, a read names its write. The operations of one value form a
//! *cluster*, and in any linearization they stand together: the write, then its reads, then the next
//! value. So if some operation of cluster A ended before some operation of cluster B began, all of A
//! comes before all of B. Of a cluster only two moments matter:
//!
//! ```text
//! settled  the earliest end of any of its operations: the value had been written by then
//! wanted   the latest begin of any of its operations: the value had not been replaced yet
//! A before B   exactly when   A.settled < B.wanted
//! ```
//!
//! The initial value is a cluster without a write, settled before everything. A write without an
//! answer settles nothing. A register with unique values is linearizable exactly when every value
//! read has a source (see [`crate::source`]) and no two clusters must each come before the other.
//!
//! Source: Gibbons and Korach, "Testing Shared Memories", 1997, §4 (zones); Golab, Li and Shah,
//! "Analyzing Consistency Properties for Fun and Profit", PODC 2011, §3.

use std::collections::BTreeMap;

use crate::event::{Function, Value};
use crate::operation::Operation;

/// A moment on the line of the history: after line `n` is `n + 1`, before everything is zero.
pub(crate) type Moment = usize;

/// When an operation began.
pub(crate) fn begin(operation: &Operation) -> Moment {
    operation.invoked + 1
}

/// By when an operation had taken effect; never, while it may yet.
pub(crate) fn end(operation: &Operation) -> Moment {
    operation.acknowledged().map_or(Moment::MAX, |line| line + 1)
}

/// The operations of one value.
#[derive(Clone, Debug)]
pub(crate) struct Cluster<'h> {
    /// What wrote it; nothing for the initial value.
    pub(crate) write: Option<&'h Operation>,
    /// The operation that ended first; none while no end is known, or for the initial value.
    pub(crate) first_ended: Option<&'h Operation>,
    /// The operation that began last.
    pub(crate) last_begun: Option<&'h Operation>,
}

impl<'h> Cluster<'h> {
    fn of_write(write: Option<&'h Operation>) -> Cluster<'h> {
        let first_ended = write.filter(|write| write.is_ok());
        Cluster { write, first_ended, last_begun: write }
    }

    fn join(&mut self, read: &'h Operation) {
        if self.last_begun.is_none_or(|last| begin(last) < begin(read)) {
            self.last_begun = Some(read);
        }
        if self.write.is_some() && self.first_ended.is_none_or(|first| end(read) < end(first)) {
            self.first_ended = Some(read);
        }
    }

    /// When the value had surely been written.
    pub(crate) fn settled(&self) -> Moment {
        match (self.write, self.first_ended) {
            (None, _) => 0,
            (Some(_), None) => Moment::MAX,
            (Some(_), Some(first)) => end(first),
        }
    }

    /// The operations by whose end the value may be known to have been written. For the initial
    /// value, none is needed.
    pub(crate) fn knowable(&self) -> Vec<Option<&'h Operation>> {
        match self.write {
            None => vec![None],
            Some(_) => vec![self.write, self.first_ended.or(self.write)],
        }
    }

    /// When the value had surely not been replaced.
    pub(crate) fn wanted(&self) -> Moment {
        self.last_begun.map_or(0, begin)
    }
}

/// All clusters of one register.
pub(crate) struct Clusters<'h> {
    all: Vec<Cluster<'h>>,
    numbers: BTreeMap<Option<i64>, usize>,
    /// Reads with a reply and the number of their cluster, by invocation.
    pub(crate) reads: Vec<(&'h Operation, usize)>,
}

impl<'h> Clusters<'h> {
    /// The clusters of `operations`, or nothing where values are not unique, where a read has no
    /// source, or where the key is used other than as a register.
    pub(crate) fn of(operations: &[&'h Operation]) -> Option<Clusters<'h>> {
        let mut all = vec![Cluster::of_write(None)];
        let mut numbers = BTreeMap::from([(None, 0)]);
        let happened = || operations.iter().filter(|operation| operation.may_have_happened());
        for write in happened().filter(|operation| operation.f == Function::Write) {
            if numbers.insert(Some(write.argument.number()?), all.len()).is_some() {
                return None;
            }
            all.push(Cluster::of_write(Some(write)));
        }
        let mut reads = Vec::new();
        for operation in happened().filter(|operation| operation.is_coordinated()) {
            match (&operation.f, operation.reply()) {
                (Function::Read, Some(reply)) => {
                    let value = if reply.is_nil() { None } else { Some(reply.number()?) };
                    let cluster = *numbers.get(&value)?;
                    all[cluster].join(operation);
                    reads.push((*operation, cluster));
                }
                (Function::Read | Function::Write, _) => {}
                _ => return None,
            }
        }
        Some(Clusters { all, numbers, reads })
    }

    /// The cluster of this number; zero is that of the initial value.
    pub(crate) fn get(&self, number: usize) -> &Cluster<'h> {
        &self.all[number]
    }

    /// The number of the cluster of this value.
    pub(crate) fn number_of(&self, value: &Value) -> Option<usize> {
        let value = if value.is_nil() { None } else { Some(value.number()?) };
        self.numbers.get(&value).copied()
    }

    /// Every cluster.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Cluster<'h>> {
        self.all.iter()
    }
}
