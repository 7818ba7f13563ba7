//! One request on its way: its calls under way, and its actions carried out.
//!
//! What is heard at once, as a read of the own copy is, is told to the request there and then; of all
//! other calls it hears by [`Post`]. So a request of which this node is the only replica is over when it
//! was begun, or when its write is committed, and no task, timer or channel was made for it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use smallvec::SmallVec;

use super::Coordinator;
use super::post::{Letter, Post};
use crate::grace::Entered;
use crate::peer::CallError;
use crate::placement::Home;
use crate::request::{
    Action, Call, CallId, Event, Failure, Outcome, Patience, Purpose, Reply, Request,
};
use crate::version::Encoded;

/// What a client is told.
pub(super) type Told = Result<Outcome, Failure>;

/// One request, with what is under way for it.
pub(super) struct Errand {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) key: Bytes,
    pub(super) home: Arc<Home>,
    pub(super) deadline: Instant,
    request: Request,
    /// Every call that was not heard of at once, at the place of its number; `None` once it was.
    calls: SmallVec<[Option<CallId>; 3]>,
    open: usize,
    /// Made with the first call that is not heard of at once.
    post: Option<Arc<Post>>,
    /// Writes were left with the own engine, and nobody has it commit them yet.
    has_left_writes: bool,
    wake: Option<(Instant, Patience)>,
    /// What replicas were last told to store.
    pub(super) last_stored: Option<Encoded>,
    /// What it holds in hand is older than what others may hold by now.
    _under_way: Entered,
}

/// After this share of a request's time those who were spared are asked.
const HEDGE_SHARE: u32 = 100;
/// Who is silent after this share of a request's time gets a stand-in.
const STAND_IN_SHARE: u32 = 4;

impl Errand {
    /// A request to be carried out. *Requires* that a place was taken for it, which it gives back.
    pub(super) fn new(
        coordinator: Arc<Coordinator>,
        key: Bytes,
        home: Arc<Home>,
        deadline: Instant,
        request: Request,
    ) -> Errand {
        Errand {
            _under_way: coordinator.grace.enter(),
            coordinator,
            key,
            home,
            deadline,
            request,
            calls: SmallVec::new(),
            open: 0,
            post: None,
            has_left_writes: false,
            wake: None,
            last_stored: None,
        }
    }

    /// Carries out `actions`, and those that follow at once; what the client is to be told, if that is
    /// among them.
    pub(super) fn carry_out(&mut self, actions: Vec<Action>) -> Option<Told> {
        let mut told = None;
        for action in actions {
            match action {
                Action::Call(id, call) => {
                    if let Some((id, heard)) = self.call(id, call) {
                        let actions = self.request.hear(&id, heard);
                        told = self.carry_out(actions).or(told);
                    }
                }
                Action::Answer(result) => {
                    if result.is_err() {
                        self.coordinator.stats.quorum_failures.add();
                    }
                    told = Some(result);
                }
                Action::Hint { owner, record } => {
                    self.coordinator.hints.take(&owner, &self.key, &record);
                }
                Action::Wake(patience) => self.wake = Some((self.end_of(patience), patience)),
                Action::Count(event) => self.count(event),
            }
        }
        told
    }

    /// Tells the request what became of calls. Of each it hears once, whatever else still comes.
    pub(super) fn read(&mut self, letters: impl IntoIterator<Item = Letter>) -> Option<Told> {
        let mut told = None;
        for (number, heard) in letters {
            if let Some(id) = self.calls[number].take() {
                self.open -= 1;
                let actions = self.request.hear(&id, heard);
                told = self.carry_out(actions).or(told);
            }
        }
        told
    }

    /// The same, but past the deadline it is too late for all of it. Whoever reckons with deadlines, as a
    /// node does that catches up, must not be surprised by a coordinator that was frozen for a while and
    /// counts what it was sent before.
    pub(super) fn read_in_time(
        &mut self,
        letters: impl IntoIterator<Item = Letter>,
    ) -> Option<Told> {
        if Instant::now() < self.deadline {
            return self.read(letters);
        }
        self.read(letters.into_iter().map(|(number, _)| (number, Err(CallError::Late))))
    }

    /// When something is to be done though nothing is heard.
    pub(super) fn due(&self) -> Instant {
        self.wake.map_or(self.deadline, |(at, _)| at.min(self.deadline))
    }

    /// Does what is due at `now`: asks those who were spared, or stand-ins, or gives up whoever is silent.
    pub(super) fn hurry(&mut self, now: Instant) -> Option<Told> {
        if let Some((_, patience)) = self.wake.take_if(|(at, _)| *at <= now) {
            let actions = self.request.wake(patience);
            return self.carry_out(actions);
        }
        if self.deadline > now {
            return None;
        }
        let all = 0..self.calls.len();
        self.read(all.map(|call| (call, Err(CallError::Late))))
    }

    /// Whether nothing is left to be heard or done.
    pub(super) fn is_over(&self) -> bool {
        self.open == 0
    }

    /// Whether writes were left with the own engine that nobody is known to have had committed.
    pub(super) fn has_left_writes(&self) -> bool {
        self.has_left_writes
    }

    /// What was left is committed, or somebody is woken to do it.
    pub(super) fn forget_left_writes(&mut self) {
        self.has_left_writes = false;
    }

    /// Where letters for it come. *Requires* that some are to come.
    pub(super) fn post(&mut self) -> &Arc<Post> {
        self.post.get_or_insert_with(|| Post::new(self.coordinator.clone()))
    }

    /// Says where letters for it come; to nobody, while it lies there: it would keep its own desk.
    pub(super) fn set_post(&mut self, post: Option<Arc<Post>>) {
        self.post = post;
    }

    /// Begins a call; what is heard of it at once, if anything.
    fn call(&mut self, id: CallId, call: Call) -> Option<(CallId, Result<Reply, CallError>)> {
        if id.to != *self.coordinator.me() {
            return self.ask_other(id, call);
        }
        match call {
            Call::Read { .. } => return Some((id, self.own_copy())),
            Call::ReadHeld { owner } => {
                let held = self.coordinator.hints.held(&owner, &self.key);
                return Some((id, Ok(Reply::Copy(held.map(Encoded::of)))));
            }
            Call::Forward { .. } => return Some((id, Err(CallError::Confused))),
            Call::Store(record) => {
                let number = self.number(id);
                self.begin_store(number, record);
                self.has_left_writes = true;
            }
            Call::Update { context, value } => {
                let number = self.number(id);
                self.begin_update(number, &context, value);
                self.has_left_writes = true;
            }
            Call::Hold { owner, record } => {
                let number = self.number(id);
                self.begin_hold(number, owner, record);
            }
        }
        None
    }

    fn ask_other(&mut self, id: CallId, call: Call) -> Option<(CallId, Result<Reply, CallError>)> {
        let is_repair = id.purpose == Purpose::Repair;
        // When a repair begins the client has its answer: this is a request of its own.
        let deadline = if is_repair { self.coordinator.deadline() } else { self.deadline };
        if Instant::now() >= deadline {
            return Some((id, Err(CallError::Late)));
        }
        let to = id.to.clone();
        let number = self.number(id);
        let error = self.ask(number, &to, call, deadline).err()?;
        self.open -= 1;
        self.calls[number].take().map(|id| (id, Err(error)))
    }

    /// A number for a call of which is heard by post.
    fn number(&mut self, id: CallId) -> usize {
        self.open += 1;
        self.calls.push(Some(id));
        self.calls.len() - 1
    }

    /// When a patience that begins now is over.
    fn end_of(&self, patience: Patience) -> Instant {
        let share = match patience {
            Patience::Hedge => HEDGE_SHARE,
            Patience::StandIn => STAND_IN_SHARE,
        };
        let now = Instant::now();
        now + self.deadline.saturating_duration_since(now) / share
    }

    fn count(&self, event: Event) {
        let stats = &self.coordinator.stats;
        match event {
            Event::WroteBack => stats.write_backs.add(),
            Event::Repaired => stats.read_repairs.add(),
            Event::Forwarded => stats.forwards.add(),
            Event::StoodIn => stats.stand_ins.add(),
            Event::Hedged => stats.hedges.add(),
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.coordinator.places.add_permits(1);
    }
}
