//! What clients do: ask, wait, think, ask again; and what they remember.
//!
//! A client of siblings remembers what it read of each key, and its next write there overwrites just
//! that, however long ago it was. Now and then it writes without having read.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use store::Policy;
use store::request::{Failure, Outcome as Reply};
use store::version::{Context, Record};

use crate::agenda::{Event, MS};
use crate::letter::Key;
use crate::operation::{Asked, Operation, Outcome};
use crate::plan::{KEYS, Plan, Stream, stream};
use crate::witness::number;
use crate::world::World;

/// Clients of every run.
const CLIENTS: usize = 4;

/// What a client read of a key: the values, and the context that came with them.
#[derive(Clone, Debug, Default)]
struct Past {
    context: Context,
    saw: Vec<u64>,
}

/// The clients of a run, and all they have asked.
pub(crate) struct Clients {
    random: ChaCha8Rng,
    pasts: BTreeMap<(usize, Key), Past>,
    /// In the order they were begun.
    pub(crate) operations: Vec<Operation>,
    /// Beginnings and ends of operations, in the order they happened; `true`: its beginning.
    pub(crate) story: Vec<(u64, usize, bool)>,
}

impl Clients {
    /// Clients that have asked nothing yet.
    pub(crate) fn new(plan: &Plan) -> Clients {
        let random = stream(plan.seed, Stream::Clients);
        Clients { random, pasts: BTreeMap::new(), operations: Vec::new(), story: Vec::new() }
    }

    /// A read or a write, as chance will have it.
    fn ask(&mut self, client: usize, key: Key) -> Asked {
        let (is_read, deletes, is_blind) = (
            self.random.random_range(0..100) < 45,
            self.random.random_range(0..100) < 15,
            self.random.random_range(0..100) < 15,
        );
        if is_read {
            return Asked::Read;
        }
        let past = self.pasts.get(&(client, key)).filter(|_| !is_blind);
        let Past { context, saw } = past.cloned().unwrap_or_default();
        Asked::Write { deletes, context, saw }
    }

    /// What the client now knows of the key; `covers`: whether a context knows the write of a number.
    fn remember(&mut self, operation: usize, covers: impl Fn(&Context, u64) -> bool) {
        let Operation { client, key, asked, outcome, number: own, .. } =
            &self.operations[operation];
        if KEYS[*key].policy != Policy::Siblings {
            return;
        }
        let past = match (asked, outcome) {
            (_, Outcome::Ok(Reply::Read(record))) => {
                let context = record.as_ref().map(Record::context).unwrap_or_default();
                let values = record.iter().flat_map(Record::values);
                Past { context, saw: values.map(|value| number(&value)).collect() }
            }
            // What it knew when it wrote; and what it wrote, unless that stands beside siblings which
            // it has not read.
            (Asked::Write { saw, deletes, .. }, Outcome::Ok(Reply::Written(context))) => {
                let own = (!deletes && covers(context, *own)).then_some(*own);
                Past { context: context.clone(), saw: saw.iter().copied().chain(own).collect() }
            }
            _ => return,
        };
        self.pasts.insert((*client, *key), past);
    }
}

impl World {
    /// Lets the clients begin.
    pub(crate) fn start_clients(&mut self) {
        for client in 0..CLIENTS {
            self.agenda.enter(client as u64 * 10 * MS, Event::Client(client));
        }
    }

    /// A client may ask something, if there is time left.
    pub(crate) fn client_speaks(&mut self, client: usize) {
        if self.agenda.now() >= self.plan.until {
            return;
        }
        let (node, key) = {
            let random = &mut self.clients.random;
            (random.random_range(0..self.plan.nodes), random.random_range(0..KEYS.len()))
        };
        if self.nodes[node].is_up {
            let asked = self.clients.ask(client, key);
            self.ask(client, node, key, asked);
        } else {
            self.client_thinks(client);
        }
    }

    /// A client asks `node`. *Returns* the operation.
    pub(crate) fn ask(&mut self, client: usize, node: usize, key: Key, asked: Asked) -> usize {
        let (place, began) = (self.clients.operations.len(), self.agenda.now());
        let (number, outcome) = (place as u64 + 1, Outcome::Open);
        let operation =
            Operation { number, client, key, asked, outcome, forgotten: None, node, began };
        self.note(|| format!("client {client} asks n{}: {operation:?}", node + 1));
        self.clients.operations.push(operation);
        self.clients.story.push((began, place, true));
        self.begin_asked(place);
        place
    }

    /// A client is told how its operation ended.
    pub(crate) fn client_hears(&mut self, operation: usize, result: Result<Reply, Failure>) {
        let outcome = match result {
            Ok(reply) => Outcome::Ok(reply),
            Err(failure) if failure.is_definite() => Outcome::Fail(failure),
            Err(failure) => Outcome::Info(failure.to_string()),
        };
        self.end(operation, outcome);
        self.count_seats(operation);
        let witness = &self.witness;
        self.clients.remember(operation, |context, number| witness.covers(context, number));
    }

    /// The node that a client was waiting for is gone.
    pub(crate) fn client_is_left(&mut self, operation: usize) {
        self.end(operation, Outcome::Info("connection lost".to_owned()));
    }

    fn end(&mut self, operation: usize, outcome: Outcome) {
        let (now, client) = (self.agenda.now(), self.clients.operations[operation].client);
        let number = self.clients.operations[operation].number;
        self.note(|| format!("client {client} hears of operation {number}: {outcome:?}"));
        let key = self.clients.operations[operation].key;
        self.clients.operations[operation].forgotten = self.witness.last_forgotten(key);
        self.clients.operations[operation].outcome = outcome;
        self.clients.story.push((now, operation, false));
        self.client_thinks(client);
    }

    fn client_thinks(&mut self, client: usize) {
        let most = if self.clients.random.random::<bool>() { 30 } else { 250 };
        let later = self.clients.random.random_range(1..most) * MS;
        self.agenda.enter(later, Event::Client(client));
    }
}
