//! A sibling update handed to a primary, where the coordinator is none; or numbered by itself.
//!
//! A primary gives a dot, for it knows which it gave before. A second is tried only while the first was
//! certainly not reached: it may have done the update, and the second would make a sibling of the client's
//! own write.
//!
//! If none can be reached, a strict quorum could not be either. A sloppy one could, and a store that is
//! there to take every write must not need a primary for a number: then the coordinator gives the dot, as
//! an actor that numbers this one write and no other. So it need not know what it gave before, and what it
//! sends is a record as any: what the client has seen, and one value. The price is an entry in the key's
//! history for each write that was taken so, until the key is deleted and its tombstone forgotten. (Not
//! for server vectors, whose counters mean something only beside those before.)

use std::collections::VecDeque;

use super::{
    Call, CallId, Event, Failure, Goal, Outcome, Purpose, Reply, Request, Shortfall, Target,
};
use crate::config::Causality;
use crate::peer::CallError;
use crate::quorum::WriteQuorum;
use crate::ring::NodeId;
use crate::version::{Actor, Record, Siblings};

/// An update on its way to a primary.
#[derive(Debug)]
pub(super) struct Forwarding {
    /// Who may yet be asked, those believed up first.
    left: VecDeque<NodeId>,
    quorum: WriteQuorum,
    missing: Vec<(NodeId, CallError)>,
}

impl Request {
    pub(super) fn forward(&mut self) {
        let mut left: Vec<NodeId> = self.target.primaries.to_vec();
        left.sort_by_key(|node| self.target.down.contains(node));
        let quorum = WriteQuorum::of(self.target.primaries.clone(), self.target.w);
        self.forwarding = Some(Forwarding { left: left.into(), quorum, missing: Vec::new() });
        self.count(Event::Forwarded);
        self.forward_to_next();
    }

    pub(super) fn hear_forwarded(&mut self, from: &NodeId, heard: Result<Reply, CallError>) {
        let error = match heard {
            Ok(Reply::Forwarded(context)) => return self.answer(Ok(Outcome::Written(context))),
            Ok(_) => CallError::Confused,
            Err(CallError::Refused(text)) => return self.answer(Err(Failure::Relayed(text))),
            Err(error) => error,
        };
        let forwarding = self.forwarding.as_mut().expect("an update was forwarded");
        let is_unsent = error.is_unsent();
        forwarding.quorum.refuse(from);
        forwarding.missing.push((from.clone(), error));
        if is_unsent {
            return self.forward_to_next();
        }
        let shortfall = Shortfall::new(&forwarding.quorum, &forwarding.missing);
        self.answer(Err(Failure::Uncertain(shortfall)));
    }

    fn forward_to_next(&mut self) {
        let may_number = self.may_number();
        let (Some(forwarding), Goal::Write(write)) = (&mut self.forwarding, &self.goal) else {
            return;
        };
        let Some(to) = forwarding.left.pop_front() else {
            if may_number {
                return self.number_itself();
            }
            let shortfall = Shortfall::new(&forwarding.quorum, &forwarding.missing);
            return self.answer(Err(Failure::Unavailable(shortfall)));
        };
        let (context, value, w) = (write.context.clone(), write.value.clone(), self.target.w);
        let id = CallId { to, purpose: Purpose::Forward };
        self.call(id, Call::Forward { context, value, w });
    }

    /// Whether the coordinator is to number the write: no primary is there to do it, as opposed to busy, and
    /// stand-ins enough are believed to be up, lest an answer that was definite become a guess.
    fn may_number(&self) -> bool {
        let Target { causality, stand_ins, down, w, .. } = &self.target;
        let is_up = |node: &&NodeId| !down.contains(*node);
        let missing = self.forwarding.iter().flat_map(|forwarding| &forwarding.missing);
        let are_away = missing.into_iter().all(|(_, error)| *error == CallError::NotConnected);
        *causality == Causality::Dotted && are_away && stand_ins.iter().filter(is_up).count() >= *w
    }

    /// Gives the write a dot of an actor of its own, and stores it.
    fn number_itself(&mut self) {
        let Goal::Write(write) = &self.goal else { return };
        let actor = Actor::new(self.target.me.clone(), write.nonce.epoch_of_its_own());
        let mut siblings = Siblings::default();
        let dot = siblings.update(&write.context, actor, write.value.clone());
        let then = Outcome::Written(siblings.context_of_writer(&dot));
        self.store_everywhere(&Record::Siblings(siblings), then);
    }
}
