//! The shell around requests: what a coordinator does with the actions it is given.

use bytes::Bytes;

use store::config::{Causality, Policy};
use store::hint::Hint;
use store::peer::CallError;
use store::request::{
    Action, Call, CallId, Failure, Goal, Outcome, Patience, Purpose, Reply, Request, Target, Write,
};
use store::version::{Context, Nonce, Record};

use rand::RngExt;

use crate::agenda::{Event, Micros};
use crate::disk::Then;
use crate::flaw::Flaw;
use crate::letter::{Ask, Key, Return};
use crate::node::{Asker, Errand, Node, Running};
use crate::operation::Asked;
use crate::plan::{DEADLINE, KEYS, QUORUM};
use crate::world::World;

/// After this share of a request's time those who were spared are asked.
const HEDGE_SHARE: u64 = 100;
/// Who is silent after this share of a request's time gets a stand-in.
const STAND_IN_SHARE: u64 = 4;

impl World {
    /// Begins what a client asked.
    pub(crate) fn begin_asked(&mut self, operation: usize) {
        let asked = self.clients.operations[operation].clone();
        let node = asked.node;
        let goal = match &asked.asked {
            Asked::Read => Goal::Read,
            Asked::Write { context, .. } => {
                let value = asked.value().map(|number| Bytes::from(number.to_string()));
                let write = self.write_goal(node, asked.key, context.clone(), value);
                if KEYS[asked.key].policy == Policy::Register {
                    self.witness.given(&self.nodes[node].id, write.nonce, asked.number);
                }
                Goal::Write(write)
            }
        };
        let deadline = self.agenda.now() + DEADLINE;
        self.begin(node, Asker::Client(operation), asked.key, goal, QUORUM, deadline);
    }

    /// Begins an update that another node forwarded.
    pub(crate) fn begin_forwarded(
        &mut self,
        node: usize,
        back: Return,
        key: Key,
        (context, value, w): (Context, Option<Bytes>, usize),
        deadline: Micros,
    ) {
        let goal = Goal::Write(self.write_goal(node, key, context, value));
        self.begin(node, Asker::Node(back), key, goal, w, deadline);
    }

    fn write_goal(
        &mut self,
        node: usize,
        key: Key,
        context: Context,
        value: Option<Bytes>,
    ) -> Write {
        let mut nonce = self.nodes[node].nonce();
        if self.has(Flaw::GuestNumbersAgain) && KEYS[key].policy == Policy::Siblings {
            nonce = Nonce { epoch: 0, sequence: 0 };
        }
        Write { value, context, nonce, wall_micros: self.agenda.now() }
    }

    fn begin(
        &mut self,
        node: usize,
        asker: Asker,
        key: Key,
        goal: Goal,
        w: usize,
        deadline: Micros,
    ) {
        let is_read = matches!(goal, Goal::Read);
        let (request, actions) = Request::begin(self.target(node, key, w), goal);
        let number = self.number();
        self.note(|| format!("n{} begins request {number} for {asker:?}", node + 1));
        let running = Running { request, asker, key, deadline, is_read, is_answered: false };
        self.nodes[node].running.insert(number, running);
        self.carry_out(node, number, actions);
    }

    fn target(&mut self, node: usize, key: Key, w: usize) -> Target {
        let others = (0..self.plan.nodes).filter(|other| *other != node);
        let believed: Vec<usize> =
            others.filter(|other| self.is_believed_down(node, *other)).collect();
        let id = |at: usize| self.nodes[at].id.clone();
        let primaries = self.plan.primaries(key).map(id).collect();
        let stand_ins = self.plan.stand_ins(key).map(id).collect();
        let (me, down) = (id(node), believed.into_iter().map(id).collect());
        let (policy, causality) = (KEYS[key].policy, Causality::Dotted);
        Target { me, policy, causality, primaries, stand_ins, down, r: QUORUM, w }
    }

    /// Belief is right more often than not, and always once all has healed.
    fn is_believed_down(&mut self, node: usize, other: usize) -> bool {
        if !self.reach(node, other) {
            return self.random.random_range(0..3) > 0;
        }
        !self.network.is_calm() && self.random.random_range(0..20) == 0
    }

    /// A request hears what became of a call.
    pub(crate) fn request_hears(
        &mut self,
        node: usize,
        request: u64,
        id: &CallId,
        mut heard: Result<Reply, CallError>,
    ) {
        if self.has(Flaw::ForwardRepeated)
            && id.purpose == Purpose::Forward
            && let Err(CallError::Lost | CallError::Late) = heard
        {
            heard = Err(CallError::NotConnected);
        }
        self.note(|| format!("n{} request {request} hears of {id:?}: {heard:?}", node + 1));
        let running = self.nodes[node].running.get_mut(&request);
        let actions = running.expect("it waits for this call").request.hear(id, heard);
        self.carry_out(node, request, actions);
    }

    /// A request is woken.
    pub(crate) fn wake(&mut self, node: usize, life: u64, request: u64, patience: Patience) {
        let at = &mut self.nodes[node];
        if at.is_up
            && at.life == life
            && let Some(running) = at.running.get_mut(&request)
        {
            let actions = running.request.wake(patience);
            self.carry_out(node, request, actions);
        }
    }

    fn carry_out(&mut self, node: usize, request: u64, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Call(id, call) => self.make(node, request, id, call),
                Action::Answer(result) => self.tell(node, request, result),
                Action::Hint { owner, record } => {
                    let key = self.keys[self.nodes[node].running[&request].key].clone();
                    self.note(|| format!("n{} keeps a hint for {owner}", node + 1));
                    self.keep(node, Hint { owner, key, record }, Then::Nothing);
                }
                Action::Wake(patience) => {
                    let (now, life) = (self.agenda.now(), self.nodes[node].life);
                    let deadline = self.nodes[node].running[&request].deadline;
                    let share = match patience {
                        Patience::Hedge => HEDGE_SHARE,
                        Patience::StandIn => STAND_IN_SHARE,
                    };
                    let later = deadline.saturating_sub(now) / share;
                    self.agenda.enter(later, Event::Wake { node, life, request, patience });
                }
                Action::Count(_) => {}
            }
        }
        if self.nodes[node].running[&request].request.is_over() {
            self.nodes[node].running.remove(&request);
        }
    }

    fn make(&mut self, node: usize, request: u64, id: CallId, call: Call) {
        let running = &self.nodes[node].running[&request];
        let (key, is_read) = (running.key, running.is_read);
        let is_repair = id.purpose == Purpose::Repair;
        let deadline = if is_repair { self.agenda.now() + DEADLINE } else { running.deadline };
        let (to, is_store) = (Node::place(&id.to), id.purpose == Purpose::Store);
        if let Call::Store(Record::Siblings(siblings)) = &call
            && is_store
            && !self.plan.primaries(key).any(|primary| primary == node)
        {
            self.witness.numbered(key, siblings);
        }
        let errand = Errand::Request(request, id);
        if is_read && is_store && self.has(Flaw::NoWriteBack) {
            let back = self.expect(node, errand, to);
            return self.agenda.enter(0, Event::Heard(back, Ok(Reply::Done)));
        }
        self.call((node, errand), to, (key, Ask::Call(call)), deadline);
    }

    fn tell(&mut self, node: usize, request: u64, result: Result<Outcome, Failure>) {
        let running = self.nodes[node].running.get_mut(&request).expect("it is under way");
        assert!(!running.is_answered, "a client is told exactly once");
        running.is_answered = true;
        match running.asker {
            Asker::Client(operation) => self.client_hears(operation, result),
            Asker::Node(back) => {
                let reply = match result {
                    Ok(Outcome::Written(context)) => Ok(Reply::Forwarded(context)),
                    Ok(Outcome::Read(_)) => unreachable!("only updates are forwarded"),
                    Err(failure) => Err(CallError::Refused(failure.to_string())),
                };
                self.answer(node, back, reply);
            }
        }
    }
}
