//! A sibling update handed to a primary, where the coordinator is none.
//!
//! Only a primary may give a dot, for only it knows which it gave before. A second is tried only while
//! the first was certainly not reached: it may have done the update, and the second would make a
//! sibling of the client's own write.

use std::collections::VecDeque;

use super::{Call, CallId, Event, Failure, Goal, Outcome, Purpose, Reply, Request, Shortfall};
use crate::peer::CallError;
use crate::quorum::WriteQuorum;
use crate::ring::NodeId;

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
        let (Some(forwarding), Goal::Write(write)) = (&mut self.forwarding, &self.goal) else {
            return;
        };
        let Some(to) = forwarding.left.pop_front() else {
            let shortfall = Shortfall::new(&forwarding.quorum, &forwarding.missing);
            return self.answer(Err(Failure::Unavailable(shortfall)));
        };
        let (context, value, w) = (write.context.clone(), write.value.clone(), self.target.w);
        let id = CallId { to, purpose: Purpose::Forward };
        self.call(id, Call::Forward { context, value, w });
    }
}
