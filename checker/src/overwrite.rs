//! Since when was a value surely overwritten?
//!
//! A write that began after a value had been settled, and was acknowledged, replaced it: from its
//! acknowledgement on nobody may read the older value. Of all such writes, the one acknowledged first
//! says since when.

use crate::cluster::{Moment, begin, end};
use crate::operation::Operation;

/// Acknowledged writes of one register, to be asked for the first that replaced a value.
pub(crate) struct Overwrites<'h> {
    /// By invocation; each with the one acknowledged first among it and those after it.
    writes: Vec<(Moment, &'h Operation)>,
}

impl<'h> Overwrites<'h> {
    /// The acknowledged among `writes`.
    pub(crate) fn of(writes: impl IntoIterator<Item = &'h Operation>) -> Overwrites<'h> {
        let acknowledged = writes.into_iter().filter(|write| write.is_ok() && write.is_update());
        let mut writes: Vec<(Moment, &Operation)> =
            acknowledged.map(|write| (begin(write), write)).collect();
        writes.sort_by_key(|(moment, _)| *moment);
        for at in (1..writes.len()).rev() {
            if end(writes[at].1) < end(writes[at - 1].1) {
                writes[at - 1].1 = writes[at].1;
            }
        }
        Overwrites { writes }
    }

    /// Of the writes that began after `moment`, the one acknowledged first.
    pub(crate) fn first_after(&self, moment: Moment) -> Option<&'h Operation> {
        let at = self.writes.partition_point(|(begin, _)| *begin <= moment);
        self.writes.get(at).map(|(_, write)| *write)
    }
}
