//! What a seed decides before anything happens: how large the cluster is, how bad its network and
//! its disks are, which faults it meets.
//!
//! Every seed has the same keys. Each of them lives on three nodes in a row, so that with five nodes
//! no two keys share all replicas; the others stand in where the keyspace is sloppy.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use store::Policy;

use crate::agenda::{MS, Micros};
use crate::flaw::Flaw;
use crate::letter::Key;

/// How long a request may take.
pub(crate) const DEADLINE: Micros = 1_000 * MS;
/// Replicas of a key.
pub(crate) const N: usize = 3;
/// Replies and acknowledgements waited for.
pub(crate) const QUORUM: usize = 2;

/// A keyspace: how conflicts end, and who counts toward quorums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keyspace {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    pub(crate) is_sloppy: bool,
}

const REGISTER: Keyspace =
    Keyspace { name: "register", policy: Policy::Register, is_sloppy: false };
const STRICT: Keyspace = Keyspace { name: "strict", policy: Policy::Siblings, is_sloppy: false };
const SLOPPY: Keyspace = Keyspace { name: "sloppy", policy: Policy::Siblings, is_sloppy: true };

/// The keys of every run, by keyspace.
pub(crate) const KEYS: [Keyspace; 6] = [REGISTER, REGISTER, STRICT, STRICT, SLOPPY, SLOPPY];

/// The name of a key, as the history spells it.
pub(crate) fn name(key: Key) -> String {
    format!("{}:{key}", KEYS[key].name)
}

/// Named streams of chance: a draw in one does not shift another.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Plan,
    Network,
    Disks,
    Clients,
    Nemesis,
    Nodes,
    Reapers,
}

/// What a seed decides before anything happens.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) flaw: Option<Flaw>,
    /// Nodes of the cluster.
    pub(crate) nodes: usize,
    /// Until when clients ask and faults happen.
    pub(crate) until: Micros,
    /// Of a thousand messages, how many are lost.
    pub(crate) lost: u32,
    /// Of a thousand messages, how many are late, some of them by more than a request may take.
    pub(crate) late: u32,
    /// Of a thousand writes, how many take the disk long.
    pub(crate) slow: u32,
    /// Of a thousand calls, how many find too much waiting already.
    pub(crate) overloaded: u32,
    /// Whether nodes crash, and one loses its disk. If not, hints alone must make replicas equal, and
    /// there is no anti-entropy to help them.
    pub(crate) has_crashes: bool,
}

impl Plan {
    /// What `seed` decides, for the store or its twin with a `flaw`.
    pub(crate) fn new(seed: u64, flaw: Option<Flaw>) -> Plan {
        let mut random = stream(seed, Stream::Plan);
        let plan = Plan {
            seed,
            flaw,
            nodes: random.random_range(3..=5),
            until: random.random_range(3_000..7_000) * MS,
            lost: [0, 5, 30][random.random_range(0..3)],
            late: [0, 20, 100][random.random_range(0..3)],
            slow: [0, 20, 100][random.random_range(0..3)],
            overloaded: [0, 0, 10][random.random_range(0..3)],
            has_crashes: random.random_range(0..4) > 0,
        };
        match flaw {
            // Bites where one acknowledgement is very late and another replica misses the write.
            Some(Flaw::WipedCatchesUpAtOnce) => {
                Plan { nodes: 3, lost: 30, late: 200, has_crashes: true, ..plan }
            }
            // Bites where hints are many.
            Some(Flaw::ReapsDespiteHints) => Plan { lost: 30, late: 100, ..plan },
            _ => plan,
        }
    }

    /// The nodes that hold `key`, nearest first.
    pub(crate) fn primaries(&self, key: Key) -> impl Iterator<Item = usize> {
        self.walk(key).take(N)
    }

    /// Who stands in for them, in order.
    pub(crate) fn stand_ins(&self, key: Key) -> impl Iterator<Item = usize> {
        self.walk(key).skip(N).filter(move |_| KEYS[key].is_sloppy)
    }

    /// Whether `node` is to hold `key`.
    pub(crate) fn is_primary(&self, node: usize, key: Key) -> bool {
        self.primaries(key).any(|primary| primary == node)
    }

    /// The keys that two nodes share.
    pub(crate) fn shared(&self, one: usize, other: usize) -> impl Iterator<Item = Key> {
        (0..KEYS.len())
            .filter(move |key| self.is_primary(one, *key) && self.is_primary(other, *key))
    }

    fn walk(&self, key: Key) -> impl Iterator<Item = usize> {
        let nodes = self.nodes;
        (0..nodes).map(move |step| (key * 2 + step) % nodes)
    }
}

/// The chance of `seed` for one purpose.
pub(crate) fn stream(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream as u64);
    random
}
