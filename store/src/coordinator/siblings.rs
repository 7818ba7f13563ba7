//! The policy `siblings`: no acknowledged write is lost; the client merges.
//!
//! Only a primary may give a dot, for only it knows which it gave before. A node that is none hands
//! the update to one that is up and connected, and does not try a second once anything was sent: the
//! first may have done it, and a second would make a sibling of the client's own write. The primary
//! makes its own copy durable before any other sees the dot, and counts it as one acknowledgement.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::time::timeout_at;

use super::{Change, Coordinator, Failure, Shortfall, Target, parse};
use crate::peer::CallError;
use crate::peer::message::{Answer, Ask, ReplicaUpdate, Updated};
use crate::quorum::WriteQuorum;
use crate::replica::ReplicaError;
use crate::ring::NodeId;
use crate::version::Context;

impl Coordinator {
    pub(super) async fn write_siblings(
        self: &Arc<Self>,
        target: &Target,
        change: &Change,
        context: Context,
        w: usize,
    ) -> Result<Context, Failure> {
        if target.home.is_mine {
            return self.update_here(target, context, change.value.clone(), w).await;
        }
        self.stats.forwards.add();
        self.forward(target, change, w).await
    }

    /// Serves an update that another node forwarded.
    pub(crate) async fn serve_update(
        self: &Arc<Self>,
        update: ReplicaUpdate,
    ) -> Result<Context, Failure> {
        let mut target = self.target(update.key);
        let left = std::time::Duration::from_millis(update.left_ms);
        target.deadline = target.deadline.min(Instant::now() + left);
        let context = parse(&update.context, &target.key)?;
        self.update_here(&target, context, update.value, update.w as usize).await
    }

    async fn update_here(
        self: &Arc<Self>,
        target: &Target,
        context: Context,
        value: Option<Bytes>,
        w: usize,
    ) -> Result<Context, Failure> {
        let update = self.replica.update(&target.home, &target.key, &context, value);
        let record = match timeout_at(target.deadline.into(), update).await {
            Ok(Ok(record)) => record,
            Ok(Err(error @ ReplicaError::Crowded(_))) => {
                return Err(Failure::Relayed(error.to_string()));
            }
            Ok(Err(error)) => {
                return Err(Failure::Relayed(format!("UNCERTAIN the own copy failed: {error}")));
            }
            Err(_) => {
                return Err(Failure::Relayed(
                    "UNCERTAIN the own copy was not durable in time".into(),
                ));
            }
        };
        let after = record.context();
        self.replicate(target, record, Some(self.me()), w).await?;
        Ok(after)
    }

    /// Hands the update to the first primary that can be reached, those believed up before the others.
    async fn forward(
        self: &Arc<Self>,
        target: &Target,
        change: &Change,
        w: usize,
    ) -> Result<Context, Failure> {
        let mut primaries: Vec<&NodeId> = target.home.primaries.iter().collect();
        primaries.sort_by_key(|node| !self.view.is_up(node));
        let mut quorum = WriteQuorum::new(target.home.primaries.iter().cloned(), w);
        let mut missing = Vec::new();
        for node in primaries {
            let ask = Ask::Update(update(target, change, w));
            let error = match self.peers.call(node, ask, target.deadline).await {
                Ok(Answer::Updated(Updated { context })) => return parse(&context, &target.key),
                Ok(_) => CallError::Confused,
                Err(CallError::Refused(text)) => return Err(Failure::Relayed(text)),
                Err(error) => error,
            };
            let is_unsent = error.is_unsent();
            quorum.refuse(node);
            missing.push((node.clone(), error));
            if !is_unsent {
                return Err(Failure::Uncertain(Shortfall::new(&quorum, &missing)));
            }
        }
        Err(Failure::Unavailable(Shortfall::new(&quorum, &missing)))
    }
}

/// Nine tenths of the time left, so that the primary's own words come back before ours are due.
fn update(target: &Target, change: &Change, w: usize) -> ReplicaUpdate {
    let left = target.deadline.saturating_duration_since(Instant::now());
    ReplicaUpdate {
        key: target.key.clone(),
        context: change.context.clone(),
        value: change.value.clone(),
        w: u32::try_from(w).unwrap_or(u32::MAX),
        left_ms: (left * 9 / 10).as_millis() as u64,
    }
}
