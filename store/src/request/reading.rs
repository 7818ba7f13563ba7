//! The read phase: R replicas asked and waited for, the others where those are slow or fail, and the late
//! ones heard for the sake of repair.

use std::collections::VecDeque;

use super::stand_ins::{StandIns, Step};
use super::{
    Action, Call, CallId, Event, Failure, Patience, Purpose, Reply, Request, Shortfall, Target,
};
use crate::peer::CallError;
use crate::quorum::{Progress, ReadQuorum};
use crate::ring::NodeId;
use crate::version::{Encoded, Record};

/// A read phase: what was replied, and who did not.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) quorum: ReadQuorum,
    stand_ins: StandIns,
    missing: Vec<(NodeId, CallError)>,
    /// The coordinator's own copy, of which the others are told the digest.
    own: Option<Record>,
    known: Option<u64>,
    /// Primaries that need not be asked as long as the others answer; those believed up first.
    spared: VecDeque<NodeId>,
    is_decided: bool,
}

impl Reading {
    fn new(target: &Target) -> Reading {
        Reading {
            quorum: ReadQuorum::of(target.primaries.clone(), target.r),
            stand_ins: StandIns::new(target),
            missing: Vec::new(),
            own: None,
            known: None,
            spared: VecDeque::new(),
            is_decided: false,
        }
    }

    fn failed(&mut self, node: &NodeId, error: CallError) {
        self.missing.push((node.clone(), error));
    }

    /// Primaries that replied with less than the join.
    fn behind(&self) -> Vec<NodeId> {
        // Of a primary in whose stead another replied it is not known what it holds.
        let behind = self.quorum.behind().into_iter();
        behind.filter(|node| !self.stand_ins.covers(node)).collect()
    }
}

impl Request {
    /// Begins the read phase: with the own copy, so that the others need not send what is the same.
    pub(super) fn ask_copies(&mut self) {
        self.reading = Some(Reading::new(&self.target));
        if self.is_primary() {
            let id = CallId { to: self.target.me.clone(), purpose: Purpose::Read };
            self.call(id, Call::Read { known: None });
        } else {
            self.ask_others(None);
        }
    }

    pub(super) fn hear_copy(&mut self, from: &NodeId, heard: Result<Reply, CallError>) {
        let (is_own, mut known) = (*from == self.target.me, None);
        let reading = self.reading.as_mut().expect("a read phase asked for it");
        match heard {
            Ok(Reply::Copy(copy)) => {
                let copy = copy.map(|copy| (copy.digest(), copy.into_record()));
                let (digest, record) = copy.unzip();
                if is_own {
                    known = digest;
                    reading.own.clone_from(&record);
                }
                reading.quorum.add(from, record);
            }
            Ok(Reply::Nothing { floor }) => {
                reading.quorum.add_nothing(from, floor);
            }
            Ok(Reply::Same) if reading.own.is_some() => {
                let record = reading.own.clone();
                reading.quorum.add(from, record);
            }
            Ok(_) => self.reader_failed(from, CallError::Confused),
            Err(error) => self.reader_failed(from, error),
        }
        if is_own {
            self.ask_others(known);
        }
        self.decide_reading();
    }

    /// What `holder` keeps in the stead of `owner`.
    pub(super) fn hear_held(
        &mut self,
        owner: &NodeId,
        holder: &NodeId,
        heard: Result<Reply, CallError>,
    ) {
        let reading = self.reading.as_mut().expect("a read phase asked for it");
        match heard {
            Ok(Reply::Copy(copy)) => {
                reading.quorum.add(owner, copy.map(Encoded::into_record));
            }
            heard => {
                let error = heard.map_or_else(|error| error, |_| CallError::Confused);
                reading.failed(holder, error);
                if !reading.is_decided && !reading.quorum.tally().has_answered(owner) {
                    let step = reading.stand_ins.stand_in_failed(owner);
                    self.cover_reader(owner, step);
                }
            }
        }
        self.decide_reading();
    }

    /// Brings the join to whoever replied with less, but for those that a write-back told.
    pub(super) fn repair(&mut self) {
        let Some(reading) = &self.reading else { return };
        let mended = |node: &NodeId| self.storing.as_ref().is_some_and(|it| it.was_sent_to(node));
        let behind: Vec<NodeId> =
            reading.behind().into_iter().filter(|node| !mended(node)).collect();
        let Some(joined) = reading.quorum.joined().filter(|_| !behind.is_empty()).cloned() else {
            return;
        };
        for to in behind {
            let id = CallId { to, purpose: Purpose::Repair };
            self.call(id, Call::Store(joined.clone()));
        }
    }

    /// Readers who have not replied and have no stand-in.
    pub(super) fn silent_readers(&self) -> Vec<NodeId> {
        let reading = self.reading.as_ref().filter(|reading| !reading.is_decided);
        reading.map(|reading| reading.quorum.tally().silent()).unwrap_or_default()
    }

    pub(super) fn stand_in_for_reader(&mut self, owner: &NodeId) {
        if let Some(reading) = &mut self.reading {
            let step = reading.stand_ins.cover(owner);
            self.cover_reader(owner, step);
        }
    }

    /// Asks as many primaries as must yet reply: those believed up first, and of these whose name follows
    /// its own. So what one coordinator asks at about the same time is asked of few, in few packets, and
    /// not all coordinators ask the same.
    fn ask_others(&mut self, known: Option<u64>) {
        let mut others: Vec<NodeId> = self.others().cloned().collect();
        let Target { down, me, .. } = &self.target;
        others.sort_by(|a, b| {
            let rank = |node: &NodeId| (down.contains(node), node < me);
            rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
        });
        let reading = self.reading.as_mut().expect("a read phase begins");
        let needed = self.target.r.max(1).saturating_sub(reading.quorum.tally().answered());
        let spared = others.split_off(needed.min(others.len()));
        (reading.known, reading.spared) = (known, spared.into());
        if needed == 0 {
            return;
        }
        for to in others {
            self.ask_copy(to);
        }
        if self.reading.as_ref().is_some_and(|reading| !reading.spared.is_empty()) {
            self.actions.push(Action::Wake(Patience::Hedge));
        } else {
            self.wake_if_stand_ins();
        }
    }

    /// Asks all who were spared: those who were not are slow.
    pub(super) fn ask_spared(&mut self) {
        let reading = self.reading.as_mut().filter(|reading| !reading.is_decided);
        for to in reading.map(|reading| std::mem::take(&mut reading.spared)).unwrap_or_default() {
            self.count(Event::Hedged);
            self.ask_copy(to);
        }
        // Also where a write phase is under way by now, whose patience this one may have displaced.
        self.wake_if_stand_ins();
    }

    fn ask_copy(&mut self, to: NodeId) {
        let known = self.reading.as_ref().and_then(|reading| reading.known);
        let is_down = self.target.down.contains(&to);
        let owner = is_down.then(|| to.clone());
        self.call(CallId { to, purpose: Purpose::Read }, Call::Read { known });
        if let Some(owner) = owner {
            self.stand_in_for_reader(&owner);
        }
    }

    fn reader_failed(&mut self, node: &NodeId, error: CallError) {
        let reading = self.reading.as_mut().expect("a read phase asked it");
        reading.failed(node, error);
        // Once the read has its quorum, nobody else is asked.
        if reading.is_decided {
            return;
        }
        let step = reading.stand_ins.primary_failed(node);
        let next = reading.spared.pop_front();
        self.cover_reader(node, step);
        if let Some(next) = next {
            self.count(Event::Hedged);
            self.ask_copy(next);
        }
    }

    fn cover_reader(&mut self, owner: &NodeId, step: Step) {
        match step {
            Step::Ask(to) => {
                self.count(Event::StoodIn);
                let id = CallId { to, purpose: Purpose::ReadFor(owner.clone()) };
                self.call(id, Call::ReadHeld { owner: owner.clone() });
            }
            Step::Wait => {}
            Step::Refuse => {
                let reading = self.reading.as_mut().expect("a read phase asked it");
                reading.quorum.refuse(owner);
            }
        }
    }

    fn decide_reading(&mut self) {
        let reading = self.reading.as_mut().expect("a read phase is under way");
        if reading.is_decided {
            return;
        }
        match reading.quorum.progress() {
            Progress::Pending => {}
            Progress::Met => {
                reading.is_decided = true;
                self.read_is_met();
            }
            // Nothing was written yet, whatever the request is.
            Progress::Unreachable => {
                reading.is_decided = true;
                let shortfall = Shortfall::new(&reading.quorum, &reading.missing);
                self.answer(Err(Failure::Unavailable(shortfall)));
            }
        }
    }
}
