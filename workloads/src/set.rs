//! Sets: each key holds a set of integers, grown by read, merge and write-back.
//!
//! An `add` reads every sibling with its context, joins them with the new element, and hands the
//! union back with that context: the store may then drop exactly what the client had seen. Two adds
//! at once leave two siblings, which the next one joins. No acknowledged element may ever vanish; a
//! store that loses causality (false domination, a context dropped, siblings merged by picking one)
//! loses elements, and is found.
//!
//! | operation | requests | value |
//! |---|---|---|
//! | `add` | `KV.GET key`, then `KV.PUT key union CONTEXT context` | the element |
//! | `read` | `KV.GET key` | the union of all siblings |
//! | `read-replica` | `KV.REPLICA key` | likewise, of one node's copy |
//!
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.4 and §6.1 (the shopping cart).

use std::marker::PhantomData;
use std::sync::Arc;

use checker::{Budget, Checker, Event, Function, Value};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use store::resp::Reply;

use crate::client::Connector;
use crate::connection::Connection;
use crate::elements;
use crate::generator::{Generator, Invocation};
use crate::keys::ActiveKeys;
use crate::options::{self, OptionsError};
use crate::promise::{Datatype, Promise, panel};
use crate::resp_client::{
    Answer, Protocol, RespConnector, Step, garbled, read_replica, read_siblings, union, unknown,
};
use crate::workload::{Workload, replica_reads};

/// A set of this many elements takes 3.9 KB as text: well below the pair size a store takes.
const ELEMENTS_MAX: u64 = 1000;

/// What may be chosen of the `set` workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SetOptions {
    /// Where its keys live.
    pub keyspace: String,
    /// How many sets are worked on at a time.
    pub keys: u64,
    /// Operations on a set before it is retired.
    pub ops_per_key: u64,
    /// Which share of the operations reads, from 0 to 1.
    pub read_ratio: f64,
    /// What it is held to.
    pub checkers: Vec<Promise>,
}

impl Default for SetOptions {
    fn default() -> SetOptions {
        use Promise::{Convergence, LostWrites, StaleReads};
        SetOptions {
            keyspace: "set".into(),
            keys: 4,
            ops_per_key: 200,
            read_ratio: 0.25,
            checkers: vec![LostWrites, StaleReads, Convergence],
        }
    }
}

/// What sets can be held to; nothing is deleted from one.
const PROMISES: [Promise; 4] =
    [Promise::Linearizability, Promise::StaleReads, Promise::LostWrites, Promise::Convergence];

impl SetOptions {
    /// Refuses what makes no sense.
    pub fn validate(&self) -> Result<(), OptionsError> {
        options::keyspace(&self.keyspace)?;
        options::count("keys", self.keys, 1_000_000)?;
        options::count("ops-per-key", self.ops_per_key, ELEMENTS_MAX)?;
        options::ratio("read-ratio", self.read_ratio)?;
        options::checkers(&self.checkers, &PROMISES)
    }
}

/// The workload.
pub(crate) struct Set(pub(crate) SetOptions);

impl Workload for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn keyspace(&self) -> &str {
        &self.0.keyspace
    }

    fn generator(&self, rng: ChaCha8Rng) -> Box<dyn Generator> {
        let SetOptions { keyspace, keys, ops_per_key, read_ratio, .. } = &self.0;
        let keys = ActiveKeys::new(keyspace, *keys as usize, *ops_per_key);
        Box::new(SetGenerator { rng, keys, read_ratio: *read_ratio })
    }

    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(RespConnector::<SetProtocol>(PhantomData))
    }

    fn final_reads(&self, keys: &[String]) -> Vec<Invocation> {
        replica_reads(&self.0.keyspace, keys)
    }

    fn checkers(&self, replicas: usize, budget: &Budget) -> Vec<Box<dyn Checker>> {
        panel(&self.0.checkers, Datatype::Set, &self.0.keyspace, replicas, budget)
    }
}

struct SetGenerator {
    rng: ChaCha8Rng,
    keys: ActiveKeys,
    read_ratio: f64,
}

impl Generator for SetGenerator {
    fn next(&mut self, _worker: u32) -> Option<Invocation> {
        let key = self.keys.pick(&mut self.rng);
        let (f, value) = if self.rng.random_bool(self.read_ratio) {
            (Function::Read, Value::Nil)
        } else {
            (Function::Add, Value::Int(key.next_value()))
        };
        Some(Invocation { f, key: key.name.clone(), value })
    }

    /// An element of unknown end costs a set's checkers nothing, so nothing here depends on it.
    fn observe(&mut self, _event: &Event) {}
}

struct SetProtocol;

impl Protocol for SetProtocol {
    async fn speak(connection: &mut Connection, invocation: &Invocation) -> Result<Answer, Step> {
        let Invocation { f, key, value } = invocation;
        match (f, value) {
            (Function::Read, _) => {
                let (_, siblings) = read_siblings(connection, key).await?;
                Ok((Value::Set(union(&siblings).into_iter().collect()), None))
            }
            (Function::Add, Value::Int(element)) => {
                add(connection, key, *element).await?;
                Ok((value.clone(), None))
            }
            (Function::ReadReplica, _) => {
                let (siblings, version) = read_replica(connection, key).await?;
                Ok((Value::Set(union(&siblings).into_iter().collect()), Some(version)))
            }
            _ => Err(unknown(f)),
        }
    }
}

async fn add(connection: &mut Connection, key: &str, element: i64) -> Result<(), Step> {
    let (context, siblings) = read_siblings(connection, key).await?;
    let mut set = union(&siblings);
    set.insert(element);
    let text = elements::encode(&set);
    let mut request: Vec<&[u8]> = vec![b"KV.PUT", key.as_bytes(), text.as_bytes()];
    if !context.is_empty() {
        request.extend([&b"CONTEXT"[..], &context]);
    }
    match connection.request(&request).await? {
        Reply::Bulk(_) | Reply::Simple(_) => Ok(()),
        other => Err(garbled(&other).into()),
    }
}
