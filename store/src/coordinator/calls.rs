//! How one call of a request is made: to this node's own copies, or over the wire to another.
//!
//! Each is begun and not waited for: what is not heard at once comes by the post of the request.

use std::time::Instant;

use bytes::Bytes;

use super::errand::Errand;
use super::parse;
use crate::peer::CallError;
use crate::peer::message::{
    Answer, Ask, OwnCopy, ReplicaRead, ReplicaUpdate, ReplicaWrite, Updated,
};
use crate::replica::ReplicaError;
use crate::request::{Call, Reply};
use crate::ring::NodeId;
use crate::version::{Context, Encoded, Record};

impl Errand {
    /// The own copy.
    pub(super) fn own_copy(&self) -> Result<Reply, CallError> {
        let replica = &self.coordinator.replica;
        let own = replica.answers(&self.home).and_then(|()| replica.copy(&self.home, &self.key));
        match own {
            Ok(None) => Ok(Reply::Nothing { floor: replica.floor() }),
            Ok(copy) => Ok(Reply::Copy(copy)),
            Err(error) => Err(CallError::Refused(error.to_string())),
        }
    }

    /// Joins `record` with the own copy.
    pub(super) fn begin_store(&mut self, number: usize, record: Record) {
        let record = self.encoded(record);
        let post = self.post().clone();
        let done = move |result: Result<(), ReplicaError>| {
            let heard = result.map(|()| Reply::Done);
            post.deliver((number, heard.map_err(|error| CallError::Refused(error.to_string()))));
        };
        self.coordinator.replica.begin_join(&self.home, &self.key, record, done);
    }

    /// Writes over the own copy under a fresh dot.
    pub(super) fn begin_update(&mut self, number: usize, context: &Context, value: Option<Bytes>) {
        let post = self.post().clone();
        let done = move |result: Result<(Record, Context), ReplicaError>| {
            let heard = result.map(|(record, context)| Reply::Updated(record, context));
            post.deliver((number, heard.map_err(|error| CallError::Refused(worded(&error)))));
        };
        self.coordinator.replica.begin_update(&self.home, &self.key, context, value, done);
    }

    /// Keeps `record` in the stead of `owner`. In a task, for what keeps hints may say no while it holds
    /// what the request, told so, would want of it.
    pub(super) fn begin_hold(&mut self, number: usize, owner: NodeId, record: Record) {
        let (post, key) = (self.post().clone(), self.key.clone());
        let hints = self.coordinator.hints.clone();
        let allowed = self.home.settings.siblings_allowed();
        tokio::spawn(async move {
            let held = hints.hold(&owner, &key, &record, allowed).await;
            let heard = held.map(|()| Reply::Done);
            post.deliver((number, heard.map_err(|error| CallError::Refused(error.to_string()))));
        });
    }

    /// Asks another node. Of an error nothing comes by post.
    pub(super) fn ask(
        &mut self,
        number: usize,
        to: &NodeId,
        call: Call,
        deadline: Instant,
    ) -> Result<(), CallError> {
        let (post, key) = (self.post().clone(), self.key.clone());
        let is_held = matches!(call, Call::ReadHeld { .. });
        let told = move |answer: Result<Answer, CallError>| {
            post.deliver((number, answer.and_then(|answer| understood(answer, &key, is_held))));
        };
        let ask = self.worded(call);
        self.coordinator.peers.ask(to, ask, deadline, Box::new(told))
    }

    /// A call as another node reads it.
    fn worded(&mut self, call: Call) -> Ask {
        let key = self.key.clone();
        match call {
            Call::Read { known } => Ask::Read(ReplicaRead { key, known, held_for: None }),
            Call::ReadHeld { owner } => {
                Ask::Read(ReplicaRead { key, known: None, held_for: Some(owner.to_string()) })
            }
            Call::Store(record) => {
                let record = self.encoded(record).bytes().clone();
                Ask::Write(ReplicaWrite { key, record, held_for: None })
            }
            Call::Hold { owner, record } => {
                let held_for = Some(owner.to_string());
                Ask::Write(ReplicaWrite { key, record: record.encode(), held_for })
            }
            Call::Forward { context, value, w } => Ask::Update(self.update(&context, value, w)),
            Call::Update { context, value } => Ask::Update(self.update(&context, value, 1)),
        }
    }

    /// All replicas are told the same record: encoded once, it is kept.
    fn encoded(&mut self, record: Record) -> Encoded {
        let last = self.last_stored.take().filter(|last| *last.record() == record);
        self.last_stored.insert(last.unwrap_or_else(|| Encoded::of(record))).clone()
    }

    fn update(&self, context: &Context, value: Option<Bytes>, w: usize) -> ReplicaUpdate {
        let left = self.deadline.saturating_duration_since(Instant::now());
        ReplicaUpdate {
            key: self.key.clone(),
            context: context.to_text(&self.key).into(),
            value,
            w: u32::try_from(w).unwrap_or(u32::MAX),
            // Nine tenths, so that the primary's own words come back before ours are due.
            left_ms: (left * 9 / 10).as_millis() as u64,
        }
    }
}

/// What another node's answer says; `is_held`: of what it keeps in the stead of another.
fn understood(answer: Answer, key: &[u8], is_held: bool) -> Result<Reply, CallError> {
    match answer {
        Answer::Done(_) => Ok(Reply::Done),
        Answer::Record(OwnCopy { same: true, .. }) => Ok(Reply::Same),
        Answer::Record(OwnCopy { record: None, floor, .. }) if !is_held => {
            Ok(Reply::Nothing { floor })
        }
        Answer::Record(OwnCopy { record, .. }) => copy(record),
        Answer::Updated(Updated { context }) => {
            parse(&context, key).map(Reply::Forwarded).map_err(|_| CallError::Confused)
        }
        _ => Err(CallError::Confused),
    }
}

fn copy(record: Option<Bytes>) -> Result<Reply, CallError> {
    let record = record.map(Encoded::read).transpose();
    let unreadable = |error| CallError::Refused(format!("a record cannot be read: {error}"));
    record.map(Reply::Copy).map_err(unreadable)
}

/// Why no dot was given, in words for the client: whether the update was done decides the first.
fn worded(error: &ReplicaError) -> String {
    match error {
        ReplicaError::Crowded(_) => error.to_string(),
        error => format!("UNCERTAIN the own copy failed: {error}"),
    }
}
