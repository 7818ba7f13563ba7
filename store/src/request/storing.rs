//! The write phase: a record sent to all replicas, W waited for, and somebody found to keep it for
//! each of them that stays away.

use super::stand_ins::{StandIns, Step};
use super::{
    Action, Call, CallId, Event, Failure, Goal, Outcome, Purpose, Reply, Request, Shortfall,
};
use crate::peer::CallError;
use crate::quorum::{Progress, WriteQuorum};
use crate::ring::NodeId;
use crate::version::Record;

/// A write phase: who has acknowledged, and who did not.
#[derive(Debug)]
pub(super) struct Storing {
    quorum: WriteQuorum,
    record: Record,
    /// What the client is told when the quorum is met.
    then: Outcome,
    stand_ins: StandIns,
    missing: Vec<(NodeId, CallError)>,
    sent_to: Vec<NodeId>,
    /// Calls of this phase not yet heard of.
    open: usize,
    is_decided: bool,
}

impl Storing {
    /// Whether `node` was told the record in this phase.
    pub(super) fn was_sent_to(&self, node: &NodeId) -> bool {
        self.sent_to.contains(node)
    }

    /// Whether, as far as was heard, the record was not written anywhere.
    fn is_unsent(&self) -> bool {
        self.quorum.tally().answered() == 0
            && self.missing.iter().all(|(_, error)| error.is_unsent())
    }

    fn shortfall(&self) -> Shortfall {
        Shortfall::new(&self.quorum, &self.missing)
    }
}

impl Request {
    /// Begins the write phase of a record that nobody holds.
    pub(super) fn store_everywhere(&mut self, record: &Record, then: Outcome) {
        let quorum = WriteQuorum::of(self.target.primaries.clone(), self.target.w);
        self.store(record, quorum, then);
    }

    /// Begins the write phase: those silent in `quorum` are told `record`, and when it is met the
    /// client is told `then`.
    pub(super) fn store(&mut self, record: &Record, quorum: WriteQuorum, then: Outcome) {
        let silent = quorum.silent();
        self.storing = Some(Storing {
            quorum,
            record: record.clone(),
            then,
            stand_ins: StandIns::new(&self.target),
            missing: Vec::new(),
            sent_to: silent.clone(),
            open: silent.len(),
            is_decided: false,
        });
        // Our own last: it may be done at once, and the others should be on their way by then.
        let me = self.target.me.clone();
        let (others, own) = (silent.iter().filter(|to| **to != me), silent.contains(&me));
        for to in others.chain(own.then_some(&me)) {
            let id = CallId { to: to.clone(), purpose: Purpose::Store };
            self.call(id, Call::Store(record.clone()));
        }
        for owner in self.believed_down(&silent) {
            self.stand_in_for_writer(&owner);
        }
        self.wake_if_stand_ins();
        self.decide_storing();
    }

    /// The own copy has the new value; it counts as one acknowledgement.
    pub(super) fn hear_updated(&mut self, heard: Result<Reply, CallError>) {
        let why = match heard {
            Ok(Reply::Updated(record, context)) => {
                let then = Outcome::Written(context);
                let primaries = self.target.primaries.clone();
                let mut quorum = WriteQuorum::of(primaries, self.target.w);
                quorum.add(&self.target.me);
                return self.store(&record, quorum, then);
            }
            Ok(_) => format!("UNCERTAIN the own copy {}", CallError::Confused),
            Err(CallError::Refused(why)) => why,
            Err(error) => format!("UNCERTAIN the own copy: {error}"),
        };
        self.answer(Err(Failure::Relayed(why)));
    }

    pub(super) fn hear_stored(&mut self, from: &NodeId, heard: Result<Reply, CallError>) {
        let storing = self.storing.as_mut().expect("a write phase asked it");
        storing.open -= 1;
        match heard {
            Ok(Reply::Done) => {
                storing.quorum.add(from);
            }
            heard => {
                let error = heard.map_or_else(|error| error, |_| CallError::Confused);
                storing.missing.push((from.clone(), error));
                // Once the client was told, who is missing has a hint, and nobody else is asked.
                if !storing.is_decided {
                    let step = storing.stand_ins.primary_failed(from);
                    self.cover_writer(from, step);
                }
            }
        }
        self.decide_storing();
    }

    /// `holder` keeps the record in the stead of `owner`, or does not.
    pub(super) fn hear_taken(
        &mut self,
        owner: &NodeId,
        holder: &NodeId,
        heard: Result<Reply, CallError>,
    ) {
        let storing = self.storing.as_mut().expect("a write phase asked it");
        storing.open -= 1;
        match heard {
            Ok(Reply::Done) => {
                storing.quorum.add(owner);
            }
            heard => {
                let error = heard.map_or_else(|error| error, |_| CallError::Confused);
                storing.missing.push((holder.clone(), error));
                if !storing.is_decided && !storing.quorum.tally().has_answered(owner) {
                    let step = storing.stand_ins.stand_in_failed(owner);
                    self.cover_writer(owner, step);
                }
            }
        }
        self.decide_storing();
    }

    /// A hint for each replica that has acknowledged no write of this request, nor a stand-in for it.
    pub(super) fn hint(&mut self) {
        let Some(storing) = &self.storing else { return };
        if storing.is_unsent() {
            return;
        }
        let absent = storing.quorum.unacknowledged().into_iter();
        let absent = absent.filter(|owner| *owner != self.target.me);
        let record = &storing.record;
        let hints = absent.map(|owner| Action::Hint { owner, record: record.clone() });
        self.actions.extend(hints);
    }

    /// Writers who have not acknowledged.
    pub(super) fn silent_writers(&self) -> Vec<NodeId> {
        let storing = self.storing.as_ref().filter(|storing| !storing.is_decided);
        storing.map(|storing| storing.quorum.silent()).unwrap_or_default()
    }

    pub(super) fn stand_in_for_writer(&mut self, owner: &NodeId) {
        if let Some(storing) = &mut self.storing {
            let step = storing.stand_ins.cover(owner);
            self.cover_writer(owner, step);
        }
    }

    fn cover_writer(&mut self, owner: &NodeId, step: Step) {
        let storing = self.storing.as_mut().expect("a write phase asked it");
        match step {
            Step::Ask(to) => {
                storing.open += 1;
                let (owner, record) = (owner.clone(), storing.record.clone());
                self.count(Event::StoodIn);
                let id = CallId { to, purpose: Purpose::HoldFor(owner.clone()) };
                self.call(id, Call::Hold { owner, record });
            }
            Step::Wait => {}
            Step::Refuse => {
                storing.quorum.refuse(owner);
            }
        }
    }

    fn decide_storing(&mut self) {
        let storing = self.storing.as_mut().expect("a write phase is under way");
        if storing.is_decided {
            return;
        }
        let is_read = matches!(self.goal, Goal::Read);
        let result = match storing.quorum.progress() {
            Progress::Pending => return,
            Progress::Met => Ok(storing.then.clone()),
            // A read that cannot be sure of what it found has changed nothing.
            Progress::Unreachable if is_read => Err(Failure::Unavailable(storing.shortfall())),
            // Should nothing have left this node, that is worth waiting for: it is definite.
            Progress::Unreachable if storing.is_unsent() && storing.open > 0 => return,
            Progress::Unreachable if storing.is_unsent() => {
                Err(Failure::Unavailable(storing.shortfall()))
            }
            Progress::Unreachable => Err(Failure::Uncertain(storing.shortfall())),
        };
        storing.is_decided = true;
        self.answer(result);
    }
}
