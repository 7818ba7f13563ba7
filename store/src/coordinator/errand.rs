//! One request on its way: its calls under way, and its actions carried out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep_until;

use super::Coordinator;
use crate::peer::CallError;
use crate::placement::Home;
use crate::request::{Action, Call, CallId, Event, Failure, Outcome, Purpose, Reply, Request};

/// What became of a call.
type Heard = (CallId, Result<Reply, CallError>);

/// For whom calls are made, and until when.
#[derive(Clone)]
pub(super) struct Errand {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) key: Bytes,
    pub(super) home: Arc<Home>,
    pub(super) deadline: Instant,
}

/// One request, with what is under way for it.
pub(super) struct Errands {
    errand: Errand,
    request: Request,
    /// Heard at once, as calls to this node often are.
    ready: VecDeque<Heard>,
    /// In no order; each ends by the deadline.
    calls: FuturesUnordered<BoxFuture<'static, Heard>>,
    wake_at: Option<Instant>,
}

/// Who is silent after this share of a request's time gets a stand-in.
const PATIENCE_SHARE: u32 = 4;

impl Errands {
    pub(super) fn new(errand: Errand, request: Request) -> Errands {
        let (ready, calls) = (VecDeque::new(), FuturesUnordered::new());
        Errands { errand, request, ready, calls, wake_at: None }
    }

    /// Carries out `actions`, and those that follow, until the client can be told.
    pub(super) async fn until_answered(
        &mut self,
        mut actions: Vec<Action>,
    ) -> Result<Outcome, Failure> {
        loop {
            if let Some(result) = self.carry_out(actions) {
                return result;
            }
            actions = self.next().await;
        }
    }

    /// Carries on until nothing is left to be done.
    pub(super) async fn finish(mut self) {
        while !self.are_over() {
            let actions = self.next().await;
            self.carry_out(actions);
        }
    }

    /// Whether nothing is left to be done.
    pub(super) fn are_over(&self) -> bool {
        self.ready.is_empty() && self.calls.is_empty()
    }

    /// Waits for the next thing to happen; what is to be done then.
    async fn next(&mut self) -> Vec<Action> {
        if let Some((id, heard)) = self.ready.pop_front() {
            return self.request.hear(&id, heard);
        }
        let Some(at) = self.wake_at else {
            let (id, heard) = self.calls.next().await.expect("a request not answered has calls");
            return self.request.hear(&id, heard);
        };
        tokio::select! {
            biased;
            Some((id, heard)) = self.calls.next() => self.request.hear(&id, heard),
            () = sleep_until(at.into()) => {
                self.wake_at = None;
                self.request.wake()
            }
        }
    }

    /// What the client is to be told, if that is among `actions`.
    fn carry_out(&mut self, actions: Vec<Action>) -> Option<Result<Outcome, Failure>> {
        let mut answer = None;
        for action in actions {
            match action {
                Action::Call(id, call) => self.call(id, call),
                Action::Answer(result) => answer = Some(result),
                Action::Hint { owner, record } => {
                    self.errand.coordinator.hints.take(&owner, &self.errand.key, &record);
                }
                Action::Wake => self.wake_at = Some(self.errand.patience()),
                Action::Count(event) => self.errand.count(event),
            }
        }
        answer
    }

    fn call(&mut self, id: CallId, call: Call) {
        let mut errand = self.errand.clone();
        if id.purpose == Purpose::Repair {
            // The client has its answer: this is a request of its own.
            errand.deadline = errand.coordinator.deadline();
        }
        if id.to != *self.errand.coordinator.me() {
            let to = id.to.clone();
            self.calls.push(Box::pin(async move { (id, errand.ask(&to, call).await) }));
        } else if let Call::Read { .. } = call {
            let own = self.errand.own_copy();
            self.ready.push_back((id, own));
        } else {
            self.calls.push(Box::pin(async move { (id, errand.ask_self(call).await) }));
        }
    }
}

impl Errand {
    /// When who is silent is to have a stand-in.
    fn patience(&self) -> Instant {
        let now = Instant::now();
        now + self.deadline.saturating_duration_since(now) / PATIENCE_SHARE
    }

    fn count(&self, event: Event) {
        let stats = &self.coordinator.stats;
        match event {
            Event::WroteBack => stats.write_backs.add(),
            Event::Repaired => stats.read_repairs.add(),
            Event::Forwarded => stats.forwards.add(),
            Event::StoodIn => stats.stand_ins.add(),
        }
    }
}
