//! Histories made up for tests: small and arbitrary, or large and honest.

use checker::{Event, Function, History, Kind, Process, Value};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// A random source of this seed.
pub(crate) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Which model a made-up history speaks to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Registers; whether every value is written once.
    Register { unique: bool },
    /// Registers whose values are written once, deleted now and then.
    Erased,
    /// Grow-only sets; whether every element is added once.
    Set { unique: bool },
}

/// How a made-up history comes about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) key: &'static str,
    pub(crate) operations: usize,
    pub(crate) clients: u32,
    /// In a thousand completions, how many are `info`, and how many `fail`.
    pub(crate) info: u32,
    pub(crate) fail: u32,
    /// In a thousand replies, how many are made up instead of read from the state.
    pub(crate) lies: u32,
}

struct Open {
    process: u32,
    f: Function,
    argument: Value,
    /// What was read when it took effect, once it did.
    effect: Option<Value>,
}

/// Writes down the events of one key: a state everyone shares, operations that take effect at some
/// moment while they are open, and replies that are true but for the lies.
pub(crate) struct Story<'r> {
    plan: Plan,
    rng: &'r mut ChaCha8Rng,
    events: Vec<Event>,
    open: Vec<Open>,
    state: Value,
    asked: usize,
    processes: u32,
    next_value: i64,
}

impl<'r> Story<'r> {
    pub(crate) fn new(plan: Plan, rng: &'r mut ChaCha8Rng) -> Story<'r> {
        let state = Value::Nil;
        let (events, open) = (Vec::new(), Vec::new());
        Story { plan, rng, events, open, state, asked: 0, processes: 0, next_value: 1 }
    }

    /// Tells it to the end; some operations may stay open.
    pub(crate) fn tell(mut self) -> Vec<Event> {
        let mut idle: Vec<u32> = (0..self.plan.clients).collect();
        self.processes = self.plan.clients;
        while self.asked < self.plan.operations || !self.open.is_empty() {
            let can_ask = self.asked < self.plan.operations && !idle.is_empty();
            let at =
                if self.open.is_empty() { 0 } else { self.rng.random_range(0..self.open.len()) };
            match self.rng.random_range(0..3) {
                0 if can_ask => {
                    let process = idle.swap_remove(self.rng.random_range(0..idle.len()));
                    self.invoke(process);
                }
                1 if !self.open.is_empty() => self.take_effect(at),
                2 if !self.open.is_empty() => idle.push(self.complete(at)),
                _ => {}
            }
            if self.asked == self.plan.operations && self.rng.random_ratio(1, 200) {
                break;
            }
        }
        self.events
    }

    fn push(&mut self, process: u32, kind: Kind, f: Function, value: Value) {
        self.events.push(Event {
            time: self.events.len() as u64 * 1_000,
            process: Process::Client(process),
            kind,
            f,
            key: Some(self.plan.key.to_owned()),
            value,
            node: Some(format!("n{}", process % 3 + 1)),
            version: None,
            error: None,
        });
    }

    fn fresh(&mut self, unique: bool) -> i64 {
        if unique {
            self.next_value += 1;
            return self.next_value - 1;
        }
        self.rng.random_range(1..4)
    }

    fn invoke(&mut self, process: u32) {
        self.asked += 1;
        let (f, argument) = match self.plan.shape {
            _ if self.rng.random_bool(0.5) => (Function::Read, Value::Nil),
            Shape::Register { unique } => (Function::Write, Value::Int(self.fresh(unique))),
            Shape::Erased if self.rng.random_bool(0.5) => (Function::Delete, Value::Nil),
            Shape::Erased => (Function::Write, Value::Int(self.fresh(true))),
            Shape::Set { unique } => (Function::Add, Value::Int(self.fresh(unique))),
        };
        self.push(process, Kind::Invoke, f.clone(), argument.clone());
        self.open.push(Open { process, f, argument, effect: None });
    }

    fn take_effect(&mut self, at: usize) {
        let open = &mut self.open[at];
        if open.effect.is_some() {
            return;
        }
        match (&open.f, &open.argument) {
            (Function::Write | Function::Delete, value) => self.state = value.clone(),
            (Function::Add, Value::Int(element)) => {
                let mut elements = self.state.elements().unwrap_or_default().to_vec();
                elements.push(*element);
                elements.sort_unstable();
                elements.dedup();
                self.state = Value::Set(elements);
            }
            _ => {}
        }
        open.effect = Some(self.state.clone());
    }

    /// Ends the operation and returns the process that may speak next.
    fn complete(&mut self, at: usize) -> u32 {
        let lot = self.rng.random_range(0..1000);
        if lot < self.plan.info {
            let open = self.open.swap_remove(at);
            // It may still take effect later: sometimes it does at once, after all.
            self.push(open.process, Kind::Info, open.f, Value::Nil);
            self.processes += 1;
            return self.processes - 1;
        }
        if lot < self.plan.info + self.plan.fail && self.open[at].effect.is_none() {
            let open = self.open.swap_remove(at);
            self.push(open.process, Kind::Fail, open.f, Value::Nil);
            return open.process;
        }
        self.take_effect(at);
        let open = self.open.swap_remove(at);
        let truth = open.effect.expect("it has just taken effect");
        let reply = match open.f {
            Function::Read if self.rng.random_range(0..1000) < self.plan.lies => self.lie(),
            Function::Read => truth,
            _ => open.argument,
        };
        self.push(open.process, Kind::Ok, open.f, reply);
        open.process
    }

    fn lie(&mut self) -> Value {
        let most = self.next_value.max(4);
        match self.plan.shape {
            Shape::Register { .. } | Shape::Erased => match self.rng.random_range(0..most) {
                0 => Value::Nil,
                number => Value::Int(number),
            },
            Shape::Set { .. } => {
                Value::Set((1..most).filter(|_| self.rng.random_bool(0.5)).collect())
            }
        }
    }
}

/// One key's made-up history.
pub(crate) fn history(plan: Plan, rng: &mut ChaCha8Rng) -> History {
    History::from_events(Story::new(plan, rng).tell()).expect("a story is a history")
}

/// Many keys told at once: the events of `keys` stories, interleaved at random, with clients shared
/// by no two keys.
pub(crate) fn interleave(stories: Vec<Vec<Event>>, rng: &mut ChaCha8Rng) -> History {
    let mut rest: Vec<std::collections::VecDeque<Event>> =
        stories.into_iter().map(Into::into).collect();
    let mut events = Vec::new();
    for (at, story) in rest.iter_mut().enumerate() {
        for event in story.iter_mut() {
            if let Process::Client(number) = &mut event.process {
                *number += at as u32 * 10_000;
            }
        }
    }
    while !rest.is_empty() {
        let at = rng.random_range(0..rest.len());
        match rest[at].pop_front() {
            Some(event) => events.push(Event { time: events.len() as u64 * 1_000, ..event }),
            None => drop(rest.swap_remove(at)),
        }
    }
    History::from_events(events).expect("interleaved histories are a history")
}
