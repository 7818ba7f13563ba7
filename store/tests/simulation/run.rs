//! A run from its first event to its verdict.
//!
//! ```text
//! clients and nemesis -> all heals -> hints drain, copies become equal -> last questions -> judged
//! ```

use store::version::Context;

use crate::agenda::{MS, Micros};
use crate::journal::Journal;
use crate::letter::Key;
use crate::operation::{Asked, Outcome};
use crate::plan::{KEYS, Plan, name};
use crate::world::World;

/// How late a message may be: so long after the last fault there may still be one on its way.
const LATEST: Micros = 3_000 * MS;
/// How long replicas may take to come to rest, once all has healed.
const REST: Micros = 120_000 * MS;

/// How a run came out.
pub(crate) struct Run {
    pub(crate) world: World,
    /// What must not have happened, the first first.
    pub(crate) violations: Vec<String>,
}

impl Run {
    /// Runs `plan`.
    pub(crate) fn of(plan: Plan, journal: Journal) -> Run {
        let mut world = World::new(plan, journal);
        world.start_clients();
        world.start_nemesis();
        while world.agenda.now() < world.plan.until {
            world.step();
        }
        world.heal();
        let judged = world.conclude();
        let mut violations = std::mem::take(&mut world.witness.violations);
        violations.extend(judged.unwrap_or_else(|restless| vec![restless]));
        Run { world, violations }
    }
}

impl World {
    fn heal(&mut self) {
        self.note(|| "all heals".to_owned());
        self.network.calm();
        self.plan.slow = 0;
        for node in 0..self.plan.nodes {
            self.start(node);
        }
    }

    /// What is wrong once all has healed. Replicas are judged before anything more is asked of them: a
    /// write to each would bring together what should have come together by itself.
    fn conclude(&mut self) -> Result<Vec<String>, String> {
        self.come_to_rest()?;
        let mut violations = self.judge_replicas();
        let last = self.ask_last()?;
        violations.extend(self.judge_replicas());
        violations.extend(self.judge_answers(&last));
        Ok(violations)
    }

    /// Goes on until nothing is left to be done.
    fn come_to_rest(&mut self) -> Result<(), String> {
        let (earliest, latest) = (self.agenda.now() + LATEST, self.agenda.now() + REST);
        loop {
            for _ in 0..20 {
                self.step();
            }
            let restless = self.restless();
            if restless.is_none() && self.agenda.now() >= earliest {
                return Ok(());
            }
            if let Some(restless) = restless.filter(|_| self.agenda.now() >= latest) {
                return Err(format!("two minutes after all healed: {restless}"));
            }
        }
    }

    /// What is left to be done.
    fn restless(&self) -> Option<String> {
        for node in &self.nodes {
            let id = &node.id;
            if !node.running.is_empty() || !node.waiting.is_empty() {
                return Some(format!("{id} has requests or calls under way"));
            }
            if !node.hints.is_empty() {
                return Some(format!("{id} keeps {} hints", node.hints.len()));
            }
            if !node.catch_up.is_done() {
                return Some(format!("{id} has yet to catch up"));
            }
        }
        let divergent = self.divergent();
        let divergent = divergent.first().filter(|_| self.plan.has_crashes);
        divergent.map(|key| format!("the replicas of {} differ", name(*key)))
    }

    /// Every key is read, written and read once more, each time through another node; now all of it
    /// must succeed. *Returns* the last read of each key.
    fn ask_last(&mut self) -> Result<Vec<usize>, String> {
        let mut last = Vec::new();
        for key in 0..KEYS.len() {
            self.ask_once(key, 0, Asked::Read)?;
            let write =
                Asked::Write { deletes: false, context: Context::default(), saw: Vec::new() };
            self.ask_once(key, 1, write)?;
            last.push(self.ask_once(key, 2, Asked::Read)?);
        }
        self.come_to_rest()?;
        Ok(last)
    }

    fn ask_once(&mut self, key: Key, turn: usize, asked: Asked) -> Result<usize, String> {
        let operation = self.ask(turn, (key + turn) % self.plan.nodes, key, asked);
        while let Outcome::Open = self.clients.operations[operation].outcome {
            self.step();
        }
        match &self.clients.operations[operation].outcome {
            Outcome::Ok(_) => Ok(operation),
            other => Err(format!("{}: after all healed: {other:?}", name(key))),
        }
    }
}
