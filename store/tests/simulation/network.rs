//! The network: directed cuts, and what becomes of one message.
//!
//! What travels between two nodes is a connection's: it may be late or lost with it, and is never
//! doubled within it. A message that meets a cut is lost, or held up and sent again later. A node notices
//! only after a while that a connection is dead; until then it goes on sending into the void.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use crate::agenda::{MS, Micros};
use crate::plan::{Plan, Stream, stream};

/// The network.
pub(crate) struct Network {
    random: ChaCha8Rng,
    /// Whether packets from one to another are dropped.
    cut: Vec<Vec<bool>>,
    lost: u32,
    late: u32,
    overloaded: u32,
    is_calm: bool,
}

impl Network {
    /// A network without cuts.
    pub(crate) fn new(plan: &Plan) -> Network {
        let Plan { seed, nodes, lost, late, overloaded, .. } = *plan;
        let cut = vec![vec![false; nodes]; nodes];
        let random = stream(seed, Stream::Network);
        Network { random, cut, lost, late, overloaded, is_calm: false }
    }

    /// Whether packets pass.
    pub(crate) fn passes(&self, from: usize, to: usize) -> bool {
        !self.cut[from][to]
    }

    /// Drops packets from one to another.
    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        self.cut[from][to] = true;
    }

    /// Ends all cuts.
    pub(crate) fn mend(&mut self) {
        self.cut.iter_mut().for_each(|row| row.fill(false));
    }

    /// From now on nothing is lost, late or too much.
    pub(crate) fn calm(&mut self) {
        self.mend();
        (self.lost, self.late, self.overloaded) = (0, 0, 0);
        self.is_calm = true;
    }

    /// Whether nothing goes wrong any more.
    pub(crate) fn is_calm(&self) -> bool {
        self.is_calm
    }

    /// Whether too much is waiting to be sent.
    pub(crate) fn is_overloaded(&mut self) -> bool {
        self.random.random_range(0..1000) < self.overloaded
    }

    /// Whether a store is sent twice, as by a second attempt.
    pub(crate) fn doubles(&mut self) -> bool {
        self.lost > 0 && self.random.random_range(0..50) == 0
    }

    /// How long one message takes; `None`: it is lost.
    pub(crate) fn delay(&mut self) -> Option<Micros> {
        if self.random.random_range(0..1000) < self.lost {
            return None;
        }
        let most = match self.random.random_range(0..1000) {
            lot if lot * 10 < self.late => 2_500,
            lot if lot < self.late => 400,
            _ => 15,
        };
        Some(self.random.random_range(MS..most * MS))
    }

    /// When a message that met a cut is sent again, if it is.
    pub(crate) fn again(&mut self) -> Option<Micros> {
        self.random.random::<bool>().then(|| self.random.random_range(50..400) * MS)
    }

    /// Whether a node notices in this tick that a connection is dead.
    pub(crate) fn is_noticed(&mut self) -> bool {
        self.random.random_range(0..3) == 0
    }
}
