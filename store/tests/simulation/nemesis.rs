//! What goes wrong: cuts of every shape, crashes, and once in a run a disk that is lost.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use store::version::Actor;

use crate::agenda::{Event, MS, Micros};
use crate::catch_up::Fetches;
use crate::disk::Disk;
use crate::flaw::Flaw;
use crate::node::Asker;
use crate::plan::{Plan, Stream, stream};
use crate::world::World;

/// What goes wrong.
pub(crate) struct Nemesis {
    random: ChaCha8Rng,
    /// When a disk was lost, if one was. Two that are lost take with them what only they kept.
    pub(crate) wiped: Option<Micros>,
}

impl Nemesis {
    /// Nothing has gone wrong yet.
    pub(crate) fn new(plan: &Plan) -> Nemesis {
        Nemesis { random: stream(plan.seed, Stream::Nemesis), wiped: None }
    }

    fn ms(&mut self, from: u64, to: u64) -> Micros {
        self.random.random_range(from..to) * MS
    }
}

impl World {
    /// Lets the nemesis begin.
    pub(crate) fn start_nemesis(&mut self) {
        let later = self.nemesis.ms(50, 1_000);
        self.agenda.enter(later, Event::Strike);
    }

    /// Something goes wrong, if there is time left.
    pub(crate) fn strike(&mut self) {
        if self.agenda.now() >= self.plan.until {
            return;
        }
        let node = self.nemesis.random.random_range(0..self.plan.nodes);
        match self.nemesis.random.random_range(0..10) {
            0..=2 => self.cut_halves(),
            3 => self.cut_one_way(node),
            4 => self.isolate(node),
            5..=7 if self.plan.has_crashes => self.crash(node, false),
            8 if self.plan.has_crashes => self.crash(node, self.nemesis.wiped.is_none()),
            _ => self.mend(),
        }
        let later = self.nemesis.ms(50, 1_200);
        self.agenda.enter(later, Event::Strike);
    }

    fn cut_halves(&mut self) {
        let sides: Vec<bool> = (0..self.plan.nodes).map(|_| self.nemesis.random.random()).collect();
        self.cut_where(|from, to| sides[from] != sides[to]);
    }

    fn isolate(&mut self, node: usize) {
        self.cut_where(|from, to| (from == node) != (to == node));
    }

    fn cut_one_way(&mut self, node: usize) {
        let other = self.nemesis.random.random_range(0..self.plan.nodes);
        self.cut_where(|from, to| from == node && to == other);
    }

    fn cut_where(&mut self, is_cut: impl Fn(usize, usize) -> bool) {
        self.network.mend();
        for from in 0..self.plan.nodes {
            for to in (0..self.plan.nodes).filter(|to| is_cut(from, *to)) {
                self.network.cut(from, to);
                self.journal
                    .note(self.agenda.now(), || format!("cut: n{} to n{}", from + 1, to + 1));
            }
        }
        let later = self.nemesis.ms(100, 2_500);
        self.agenda.enter(later, Event::Mend);
    }

    /// All cuts end.
    pub(crate) fn mend(&mut self) {
        self.note(|| "all cuts end".to_owned());
        self.network.mend();
    }

    /// A node ends without warning, and starts again after a while; without its disk if it is `wiped`.
    fn crash(&mut self, node: usize, wiped: bool) {
        if !self.nodes[node].is_up {
            return;
        }
        self.note(|| {
            format!("n{} crashes{}", node + 1, if wiped { ", its disk is lost" } else { "" })
        });
        let running = self.nodes[node].running.values();
        let left: Vec<usize> = running
            .filter(|running| !running.is_answered)
            .filter_map(|running| match running.asker {
                Asker::Client(operation) => Some(operation),
                Asker::Node(_) => None,
            })
            .collect();
        for change in self.nodes[node].disk.crash(&mut self.disks) {
            self.witness.see(&change);
        }
        self.nodes[node].stop();
        for operation in left {
            self.client_is_left(operation);
        }
        if wiped {
            self.wipe(node);
        }
        // Soon with an empty disk, while what its former life answered is still on its way.
        let later = self.nemesis.ms(20, if wiped { 150 } else { 1_500 });
        self.agenda.enter(later, Event::Start(node));
    }

    fn wipe(&mut self, node: usize) {
        self.nemesis.wiped = Some(self.agenda.now());
        self.nodes[node].disk = Disk::default();
        if !self.has(Flaw::EpochReused) {
            let actor = self.nodes[node].actor.clone();
            self.nodes[node].actor = Actor::new(actor.node, actor.epoch + 1);
        }
        // What it owes is reckoned from its start; until then it is down, and answers nobody.
        self.nodes[node].catch_up = Fetches::begin(&self.plan, node, Micros::MAX / 2);
    }

    /// A node that was down starts again.
    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].is_up {
            return;
        }
        self.nodes[node].start();
        self.note(|| format!("n{} starts", node + 1));
        if !self.nodes[node].catch_up.is_done() {
            // Also after a second crash: what was fetched by then is durable, but it costs little to
            // begin anew, and a node need not remember how far it was.
            self.nodes[node].catch_up = Fetches::begin(&self.plan, node, self.agenda.now());
        }
    }
}
