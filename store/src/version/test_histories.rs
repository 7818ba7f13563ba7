//! Histories that could be: four clients of three servers who read, write and delete one key, while the
//! servers tell each other what they hold, and lose their disks. Beside them an oracle, which knows
//! every write by a name of its own and needs no vector.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::test_records::node;
use super::{Actor, Context, Record, Write};
use crate::config::{Causality, Keyspace, Policy};

const SERVERS: [&str; 3] = ["n1", "n2", "n3"];

/// What may happen to a key.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Read {
        client: usize,
        server: usize,
    },
    Write {
        client: usize,
        server: usize,
        delete: bool,
    },
    Tell {
        from: usize,
        to: usize,
    },
    /// The disk of `server` is lost; it starts in another epoch.
    Wipe {
        server: usize,
    },
}

/// Half of them writes of clients who read at times and at times do not.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (client, server) = (0..4usize, 0..3usize);
    let step = prop_oneof![
        6 => (client.clone(), server.clone())
            .prop_map(|(client, server)| Step::Read { client, server }),
        6 => (client, server.clone(), prop::bool::weighted(0.2))
            .prop_map(|(client, server, delete)| Step::Write { client, server, delete }),
        6 => (server.clone(), server.clone()).prop_map(|(from, to)| Step::Tell { from, to }),
        1 => server.prop_map(|server| Step::Wipe { server }),
    ];
    prop::collection::vec(step, 0..40)
}

/// Siblings as the definition has them: each server knows a set of writes, and of these the superseded
/// ones. Slow, endless, and obviously right.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Oracle {
    known: BTreeSet<u64>,
    superseded: BTreeSet<u64>,
    tombstones: BTreeSet<u64>,
}

impl Oracle {
    /// How many writes nobody has superseded, deletes included.
    pub(crate) fn live(&self) -> usize {
        self.known.len() - self.superseded.len()
    }

    /// Their values, ascending.
    pub(crate) fn values(&self) -> Vec<Bytes> {
        let live = self.known.difference(&self.superseded);
        live.filter(|id| !self.tombstones.contains(id)).map(|id| value(*id)).collect()
    }

    fn write(&mut self, id: u64, seen: &BTreeSet<u64>, delete: bool) {
        self.known.extend(seen);
        self.superseded.extend(seen);
        self.known.insert(id);
        self.tombstones.extend(delete.then_some(id));
    }

    fn join(&mut self, other: &Oracle) {
        self.known.extend(&other.known);
        self.superseded.extend(&other.superseded);
        self.tombstones.extend(&other.tombstones);
    }
}

/// Every write has a value of its own.
fn value(id: u64) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

/// One server: what it holds, and what it should.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    pub(crate) held: Option<Record>,
    pub(crate) oracle: Oracle,
    epoch: u64,
}

impl Server {
    pub(crate) fn values(&self) -> Vec<Bytes> {
        self.held.as_ref().map_or(Vec::new(), Record::values)
    }

    pub(crate) fn context(&self) -> Context {
        self.held.as_ref().map_or(Context::default(), Record::context)
    }
}

pub(crate) fn dotted() -> Keyspace {
    Keyspace { policy: Policy::Siblings, ..Keyspace::default() }
}

pub(crate) fn server_vector() -> Keyspace {
    Keyspace { causality: Causality::ServerVector, ..dotted() }
}

/// Plays the steps on records and oracle side by side, and returns the servers at the end. `check`
/// sees each server after each step that touches it. No dot and no pair is given twice.
pub(crate) fn play(
    settings: &Keyspace,
    steps: &[Step],
    mut check: impl FnMut(&Server),
) -> [Server; 3] {
    let mut servers: [Server; 3] = Default::default();
    let mut clients: [(Context, BTreeSet<u64>); 4] = Default::default();
    let mut given = BTreeSet::new();
    for (id, step) in (0u64..).zip(steps) {
        let touched = match *step {
            Step::Read { client, server } => {
                clients[client] = (servers[server].context(), servers[server].oracle.known.clone());
                server
            }
            Step::Write { client, server: at, delete } => {
                let server = &mut servers[at];
                let (context, seen) = &clients[client];
                let actor = Actor::new(node(SERVERS[at]), server.epoch);
                let value = (!delete).then(|| value(id));
                let write = Write { context, actor: &actor, floor: 0, wall_micros: id, value };
                let record = write.over(server.held.take(), settings, 1 << 20).unwrap().record;
                let counter = record.context().vector().counter(&actor);
                let is_new = given.insert((actor, counter));
                assert!(is_new, "{record:?}: given twice");
                server.held = Some(record);
                server.oracle.write(id, seen, delete);
                at
            }
            Step::Tell { from, to } => {
                let Server { held, oracle, .. } = servers[from].clone();
                servers[to].held = Record::join_held(servers[to].held.take(), held);
                servers[to].oracle.join(&oracle);
                to
            }
            Step::Wipe { server } => {
                let epoch = servers[server].epoch + 1;
                servers[server] = Server { epoch, ..Server::default() };
                server
            }
        };
        check(&servers[touched]);
    }
    servers
}

/// The laws of a join, on what these servers hold.
pub(crate) fn assert_join_is_lawful(servers: [Server; 3]) -> Result<(), TestCaseError> {
    let join = Record::join_held;
    let [a, b, c] = servers.map(|server| server.held);
    prop_assert_eq!(join(a.clone(), a.clone()), a.clone());
    prop_assert_eq!(join(a.clone(), b.clone()), join(b.clone(), a.clone()));
    prop_assert_eq!(join(join(a.clone(), b.clone()), c.clone()), join(a, join(b, c)));
    Ok(())
}
