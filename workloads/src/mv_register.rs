//! Multi-value registers: keys that hold every value nobody has replaced yet, deleted and made anew.
//!
//! An update reads every sibling with their context and hands the context back: the store may then
//! drop exactly what the client had seen. Updates at once leave siblings side by side. Its reply is what
//! it had read, and so replaced, because that is what the judges need to know: a value that some update
//! had read may be gone, any other may not, and a value that an acknowledged update had read may never
//! be seen again.
//!
//! | operation | requests | reply |
//! |---|---|---|
//! | `write` | `KV.GET key`, then `KV.PUT key value CONTEXT context` | the siblings read |
//! | `delete` | `KV.GET key`, then `KV.DEL key CONTEXT context` | the siblings read |
//! | `read` | `KV.GET key` | the siblings |
//! | `read-replica` | `KV.REPLICA key` | likewise, of one node's copy |
//!
//! Not `DEL`: where it finds no value it writes no tombstone. It may have found none because it read the
//! one replica that had heard of an earlier delete without an answer; its own reply is true, and yet a
//! later read may see the value. `KV.DEL` always writes what it knows to W replicas.
//!
//! Few keys are in work at a time, each for a life that ends with a delete; then it rests, long enough for
//! its tombstone to be reaped, and is made anew (see `keys.rs`).
//!
//! Source: Shapiro et al., "A comprehensive study of Convergent and Commutative Replicated Data Types",
//! 2011, §3.2.2 (MV-Register).

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use checker::{Budget, Checker, Function, Value};
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use store::resp::Reply;

use crate::client::Connector;
use crate::connection::Connection;
use crate::elements::integer;
use crate::generator::{Generator, Invocation};
use crate::keys::ActiveKeys;
use crate::options::{self, OptionsError};
use crate::overwriting::Overwriting;
use crate::promise::{Datatype, Promise, panel};
use crate::resp_client::{
    Answer, Protocol, RespConnector, Step, garbled, read_replica, read_siblings, unknown,
};
use crate::workload::{Workload, replica_reads};

/// What may be chosen of the `mv-register` workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct MvRegisterOptions {
    /// Where its keys live.
    pub keyspace: String,
    /// How many keys are worked on at a time.
    pub keys: u64,
    /// Operations on a key in one of its lives.
    pub ops_per_key: u64,
    /// Lives of a key: each ends with a delete, and between two of them the key rests.
    pub lives: u64,
    /// Which share of the operations reads, from 0 to 1.
    pub read_ratio: f64,
    /// Which share of the others deletes, from 0 to 1, beside those that end a life.
    pub delete_ratio: f64,
    /// What it is held to.
    pub checkers: Vec<Promise>,
}

impl Default for MvRegisterOptions {
    fn default() -> MvRegisterOptions {
        MvRegisterOptions {
            keyspace: "mv-register".into(),
            keys: 4,
            ops_per_key: 20,
            lives: 1_000,
            read_ratio: 0.3,
            delete_ratio: 0.1,
            checkers: PROMISES.to_vec(),
        }
    }
}

/// What siblings can be held to.
const PROMISES: [Promise; 4] =
    [Promise::LostWrites, Promise::StaleReads, Promise::Resurrection, Promise::Convergence];

impl MvRegisterOptions {
    /// Refuses what makes no sense.
    pub fn validate(&self) -> Result<(), OptionsError> {
        options::keyspace(&self.keyspace)?;
        options::count("keys", self.keys, 1_000_000)?;
        options::count("ops-per-key", self.ops_per_key, 1_000_000)?;
        options::count("lives", self.lives, 1_000_000)?;
        options::ratio("read-ratio", self.read_ratio)?;
        options::ratio("delete-ratio", self.delete_ratio)?;
        options::checkers(&self.checkers, &PROMISES)
    }
}

/// The workload.
pub(crate) struct MvRegister(pub(crate) MvRegisterOptions);

impl Workload for MvRegister {
    fn name(&self) -> &'static str {
        "mv-register"
    }

    fn keyspace(&self) -> &str {
        &self.0.keyspace
    }

    fn generator(&self, rng: ChaCha8Rng) -> Box<dyn Generator> {
        let MvRegisterOptions { keyspace, keys, ops_per_key, lives, .. } = &self.0;
        let keys = ActiveKeys::new(keyspace, *keys as usize, *ops_per_key).with_lives(*lives);
        let MvRegisterOptions { read_ratio, delete_ratio, .. } = self.0;
        Box::new(Overwriting { rng, keys, infos_per_key: None, read_ratio, delete_ratio })
    }

    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(RespConnector::<MvRegisterProtocol>(PhantomData))
    }

    fn final_reads(&self, keys: &[String]) -> Vec<Invocation> {
        replica_reads(&self.0.keyspace, keys)
    }

    fn checkers(&self, replicas: usize, budget: &Budget) -> Vec<Box<dyn Checker>> {
        panel(&self.0.checkers, Datatype::Siblings, &self.0.keyspace, replicas, budget)
    }
}

struct MvRegisterProtocol;

impl Protocol for MvRegisterProtocol {
    async fn speak(connection: &mut Connection, invocation: &Invocation) -> Result<Answer, Step> {
        let Invocation { f, key, value } = invocation;
        match (f, value) {
            (Function::Read, _) => {
                let (_, siblings) = read_siblings(connection, key).await?;
                Ok((values(&siblings), None))
            }
            (Function::Write, Value::Int(number)) => {
                let number = number.to_string();
                update(connection, &[b"KV.PUT", key.as_bytes(), number.as_bytes()]).await
            }
            (Function::Delete, _) => update(connection, &[b"KV.DEL", key.as_bytes()]).await,
            (Function::ReadReplica, _) => {
                let (siblings, version) = read_replica(connection, key).await?;
                Ok((values(&siblings), Some(version)))
            }
            _ => Err(unknown(f)),
        }
    }
}

/// Reads the key that `request` names, then makes the request with the context of what was read.
async fn update(connection: &mut Connection, request: &[&[u8]]) -> Result<Answer, Step> {
    let key = String::from_utf8_lossy(request[1]);
    let (context, siblings) = read_siblings(connection, &key).await?;
    let mut request = request.to_vec();
    if !context.is_empty() {
        request.extend([&b"CONTEXT"[..], &context]);
    }
    match connection.request(&request).await? {
        Reply::Bulk(_) | Reply::Simple(_) => Ok((values(&siblings), None)),
        other => Err(garbled(&other).into()),
    }
}

/// The numbers of all siblings, ascending and once.
fn values(siblings: &[Vec<u8>]) -> Value {
    let numbers: BTreeSet<i64> = siblings.iter().map(|text| integer(text)).collect();
    Value::Set(numbers.into_iter().collect())
}
