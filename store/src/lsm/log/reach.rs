//! How far the log is written, how far of that is on the platter, and when the rest must be.
//!
//! A sync takes a while, and who writes goes on meanwhile. So what it proves is settled when it begins:
//! all that was appended *before*, and nothing since, however far the log has come when it is done.
//!
//! ```text
//!             synced           under way          appended
//! sequences ────┼─────────────────┼──────────────────┼────>
//!  on the platter  once it is done   in the next one
//! ```
//!
//! One sync is under way at a time: what was written during one waits for the next, however many come
//! due meanwhile. Nor could two be told apart: of two syncs of one handle the system tells but one that
//! a page was lost, and the other that all is well. For the same reason nothing is believed after one
//! that failed.
//!
//! Shape: `(append* begin append* end)*`; `synced <= under way <= appended`, and none ever goes back.
//! Source: Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020; Linux,
//! `errseq_t`.

use std::time::Instant;

/// What of the log is written, and what of it is on the platter; as sequences.
#[derive(Debug)]
pub(super) struct Reach {
    /// The last that the system took.
    appended: u64,
    /// The last that is on the platter, with all before it.
    synced: u64,
    is_under_way: bool,
    /// When a sync must begin for what none has begun for; `None` where there is no such thing, or
    /// nobody promised.
    due: Option<Instant>,
    has_failed: bool,
}

/// What a sync that begins now will have proved when it is done. There is one for each sync: it is
/// neither copied nor made elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claim {
    up_to: u64,
}

impl Claim {
    fn up_to(self) -> u64 {
        self.up_to
    }
}

/// What there is to do for one who wants all that was appended on the platter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing.
    Done,
    /// To wait for the sync under way, and ask again.
    Wait,
    /// To sync, and say how it ended.
    Sync(Claim),
    /// To give up: a sync failed, and what is on the platter is unknown.
    Failed,
}

impl Reach {
    /// A log that is on the platter up to `synced`, and ends there.
    pub(super) fn of(synced: u64) -> Reach {
        let (is_under_way, due, has_failed) = (false, None, false);
        Reach { appended: synced, synced, is_under_way, due, has_failed }
    }

    /// Says that the system took everything up to `last`, which is to be on its way to the platter when
    /// it is `due`. What waits already is not due any later for that. Whether anything newly is.
    ///
    /// *Requires* that `last` is after all that was appended before.
    pub(super) fn append(&mut self, last: u64, due: Option<Instant>) -> bool {
        assert!(last > self.appended, "{last} is appended after {}", self.appended);
        self.appended = last;
        let was_due = self.due.is_some();
        self.due = self.due.or(due);
        !was_due && self.due.is_some()
    }

    /// Begins a sync of all that was appended so far, if there is anything and none is under way.
    pub(super) fn begin(&mut self) -> Turn {
        if self.has_failed {
            return Turn::Failed;
        }
        if self.is_under_way {
            return Turn::Wait;
        }
        if self.is_synced() {
            return Turn::Done;
        }
        (self.is_under_way, self.due) = (true, None);
        Turn::Sync(Claim { up_to: self.appended })
    }

    /// Ends the sync that `claim` was made for: what it claims is on the platter if it succeeded. If it
    /// did not, nobody will know what is.
    pub(super) fn end(&mut self, claim: Claim, succeeded: bool) {
        let up_to = claim.up_to();
        assert!(self.is_under_way, "a sync ends once");
        assert!(self.synced < up_to && up_to <= self.appended, "{up_to} was claimed of {self:?}");
        self.is_under_way = false;
        if succeeded {
            self.synced = up_to;
        } else {
            (self.has_failed, self.due) = (true, None);
        }
    }

    /// The last sequence on the platter, with all before it.
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    /// Whether all that was appended is on the platter.
    pub(super) fn is_synced(&self) -> bool {
        self.synced == self.appended
    }

    /// When the next sync must begin.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn begin(reach: &mut Reach) -> Claim {
        match reach.begin() {
            Turn::Sync(claim) => claim,
            other => panic!("{other:?} of {reach:?}"),
        }
    }

    #[test]
    fn a_sync_proves_what_was_appended_before_it_began_and_only_once_it_is_done() {
        let mut reach = Reach::of(4);
        reach.append(6, None);
        let claim = begin(&mut reach);
        assert_eq!(reach.synced(), 4, "it has only begun");
        reach.append(9, None);
        assert_eq!(reach.synced(), 4);
        reach.end(claim, true);
        assert_eq!((reach.synced(), reach.is_synced()), (6, false), "not what came meanwhile");
        let claim = begin(&mut reach);
        reach.end(claim, true);
        assert_eq!((reach.synced(), reach.begin()), (9, Turn::Done));
    }

    #[test]
    fn what_comes_during_a_sync_waits_for_one_more_and_not_for_many() {
        let mut reach = Reach::of(0);
        reach.append(1, None);
        let claim = begin(&mut reach);
        for last in 2..5 {
            reach.append(last, None);
            assert_eq!(reach.begin(), Turn::Wait);
        }
        reach.end(claim, true);
        let claim = begin(&mut reach);
        reach.end(claim, true);
        assert_eq!(reach.begin(), Turn::Done);
    }

    #[test]
    fn a_sync_is_due_an_interval_after_the_first_write_that_none_has_begun_for() {
        let begun = Instant::now();
        let at = |seconds| Some(begun + Duration::from_secs(seconds));
        let mut reach = Reach::of(0);
        assert_eq!(reach.due(), None);
        assert!(reach.append(1, at(10)), "newly due");
        assert!(!reach.append(2, at(12)), "and no later for the second");
        assert_eq!(reach.due(), at(10));
        let claim = begin(&mut reach);
        assert_eq!(reach.due(), None, "it has begun for both");
        assert!(reach.append(3, at(21)));
        reach.end(claim, true);
        assert_eq!(reach.due(), at(21), "the third still waits");
    }

    #[test]
    fn after_a_sync_that_failed_nothing_is_called_synced_any_more() {
        let mut reach = Reach::of(0);
        reach.append(1, None);
        let claim = begin(&mut reach);
        reach.append(2, Some(Instant::now()));
        reach.end(claim, false);
        assert_eq!((reach.synced(), reach.due(), reach.begin()), (0, None, Turn::Failed));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Append(u64),
        Begin,
        End,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![(1u64..4).prop_map(Step::Append), Just(Step::Begin), Just(Step::End)]
    }

    proptest! {
        #[test]
        fn synced_is_what_a_finished_sync_had_before_it_and_due_is_what_none_had(
            steps in prop::collection::vec(step(), 0..60),
        ) {
            let mut reach = Reach::of(0);
            let (mut appended, mut begun, mut under_way, mut proved) = (0, 0, None, 0);
            for step in steps {
                match step {
                    Step::Append(more) => {
                        appended += more;
                        reach.append(appended, Some(Instant::now()));
                    }
                    Step::Begin => match reach.begin() {
                        Turn::Sync(claim) => {
                            prop_assert!(under_way.is_none() && proved < appended);
                            begun = appended;
                            under_way = Some(claim);
                        }
                        Turn::Wait => prop_assert!(under_way.is_some()),
                        other => prop_assert_eq!((other, proved), (Turn::Done, appended)),
                    },
                    Step::End => if let Some(claim) = under_way.take() {
                        reach.end(claim, true);
                        proved = begun;
                    },
                }
                prop_assert_eq!(reach.synced(), proved);
                prop_assert_eq!(reach.due().is_some(), appended > begun);
            }
        }
    }
}
