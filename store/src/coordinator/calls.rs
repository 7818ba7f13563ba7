//! How one call of a request is made: to this node's own copies, or over the wire to another.

use std::time::Instant;

use bytes::Bytes;
use tokio::time::timeout_at;

use super::errand::Errand;
use super::parse;
use crate::peer::CallError;
use crate::peer::message::{
    Answer, Ask, OwnCopy, ReplicaRead, ReplicaUpdate, ReplicaWrite, Updated,
};
use crate::replica::ReplicaError;
use crate::request::{Call, Reply};
use crate::ring::NodeId;
use crate::version::{Context, Record};

impl Errand {
    /// The own copy.
    pub(super) fn own_copy(&self) -> Result<Reply, CallError> {
        let replica = &self.coordinator.replica;
        let own = replica.answers(&self.home).and_then(|()| replica.get(&self.home, &self.key));
        match own {
            Ok(None) => Ok(Reply::Nothing { floor: replica.floor() }),
            Ok(copy) => Ok(Reply::Copy(copy)),
            Err(error) => Err(CallError::Refused(error.to_string())),
        }
    }

    /// A call to this node itself.
    pub(super) async fn ask_self(&self, call: Call) -> Result<Reply, CallError> {
        match timeout_at(self.deadline.into(), self.serve(call)).await {
            Ok(served) => served,
            Err(_) => Err(CallError::Late),
        }
    }

    async fn serve(&self, call: Call) -> Result<Reply, CallError> {
        let refused = |error: ReplicaError| CallError::Refused(error.to_string());
        let replica = &self.coordinator.replica;
        match call {
            Call::Read { .. } => self.own_copy(),
            Call::ReadHeld { owner } => {
                Ok(Reply::Copy(self.coordinator.hints.held(&owner, &self.key)))
            }
            Call::Store(record) => {
                let joined = replica.join(&self.home, &self.key, record).await;
                joined.map(|()| Reply::Done).map_err(refused)
            }
            Call::Hold { owner, record } => {
                let held = self.coordinator.hints.hold(&owner, &self.key, &record).await;
                held.map(|()| Reply::Done).map_err(|error| CallError::Refused(error.to_string()))
            }
            Call::Update { context, value } => {
                let updated = replica.update(&self.home, &self.key, &context, value).await;
                updated
                    .map(|(record, context)| Reply::Updated(record, context))
                    .map_err(|error| CallError::Refused(worded(&error)))
            }
            Call::Forward { .. } => Err(CallError::Confused),
        }
    }

    /// A call to another node.
    pub(super) async fn ask(&self, to: &NodeId, call: Call) -> Result<Reply, CallError> {
        let is_held = matches!(call, Call::ReadHeld { .. });
        let ask = self.worded(call);
        let answer = self.coordinator.peers.call(to, ask, self.deadline).await?;
        match answer {
            Answer::Done(_) => Ok(Reply::Done),
            Answer::Record(OwnCopy { same: true, .. }) => Ok(Reply::Same),
            Answer::Record(OwnCopy { record: None, floor, .. }) if !is_held => {
                Ok(Reply::Nothing { floor })
            }
            Answer::Record(OwnCopy { record, .. }) => copy(record),
            Answer::Updated(Updated { context }) => {
                let context = parse(&context, &self.key);
                context.map(Reply::Forwarded).map_err(|_| CallError::Confused)
            }
            _ => Err(CallError::Confused),
        }
    }

    /// A call as another node reads it.
    fn worded(&self, call: Call) -> Ask {
        let key = self.key.clone();
        match call {
            Call::Read { known } => Ask::Read(ReplicaRead { key, known, held_for: None }),
            Call::ReadHeld { owner } => {
                Ask::Read(ReplicaRead { key, known: None, held_for: Some(owner.to_string()) })
            }
            Call::Store(record) => {
                Ask::Write(ReplicaWrite { key, record: record.encode(), held_for: None })
            }
            Call::Hold { owner, record } => {
                let held_for = Some(owner.to_string());
                Ask::Write(ReplicaWrite { key, record: record.encode(), held_for })
            }
            Call::Forward { context, value, w } => Ask::Update(self.update(&context, value, w)),
            Call::Update { context, value } => Ask::Update(self.update(&context, value, 1)),
        }
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

fn copy(record: Option<Bytes>) -> Result<Reply, CallError> {
    let record = record.map(|encoded| Record::decode(&encoded)).transpose();
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
