//! Registers: each key holds one integer, read and overwritten by everybody.
//!
//! Values written to a key are unique and ascend from one, so that a read names the write it saw:
//! judging linearizability then takes no search at all, or one over orders only, never over which of two
//! equal writes was meant.
//!
//! | operation | request | value |
//! |---|---|---|
//! | `write` | `SET key value` | the integer |
//! | `delete` | `DEL key` | nothing |
//! | `read` | `GET key` | the integer, or nothing |
//! | `read-replica` | `KV.REPLICA key` | likewise; several where the node keeps siblings |
//!
//! A delete is a write of nothing. The store reads first: where there is a value it writes a tombstone,
//! which then takes effect as any write does; where there is none it writes nothing, and the delete has
//! its effect, which is none, at the moment that read returned nothing. Of a linearizable register that
//! is one moment within the request. Which of the two it was is what the reply counts, and not asked.
//! All deletes write the same, so registers that are deleted are judged by a search.
//!
//! A write of unknown end stays open to the end of the history and may explain any later read, so a
//! key that gathers many of them is retired early: it became slow to judge, and blind.

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
use crate::resp_client::{Answer, Protocol, RespConnector, Step, garbled, read_replica, unknown};
use crate::workload::{Workload, replica_reads};

/// What may be chosen of the `register` workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RegisterOptions {
    /// Where its keys live.
    pub keyspace: String,
    /// How many keys are worked on at a time.
    pub keys: u64,
    /// Operations on a key before it is retired, or deleted and left to rest.
    pub ops_per_key: u64,
    /// Writes of unknown end on a key before it is retired.
    pub infos_per_key: u64,
    /// Which share of the operations reads, from 0 to 1.
    pub read_ratio: f64,
    /// Which share of the others deletes, from 0 to 1.
    pub delete_ratio: f64,
    /// Lives of a key: with more than one, each ends with a delete, and between two of them it rests.
    pub lives: u64,
    /// What it is held to.
    pub checkers: Vec<Promise>,
}

impl Default for RegisterOptions {
    fn default() -> RegisterOptions {
        use Promise::{Convergence, Linearizability, LostWrites, StaleReads};
        RegisterOptions {
            keyspace: "register".into(),
            keys: 8,
            ops_per_key: 200,
            infos_per_key: 10,
            read_ratio: 0.5,
            delete_ratio: 0.0,
            lives: 1,
            checkers: vec![Linearizability, StaleReads, LostWrites, Convergence],
        }
    }
}

/// What registers can be held to; the last where they are deleted.
const PROMISES: [Promise; 5] = [
    Promise::Linearizability,
    Promise::StaleReads,
    Promise::LostWrites,
    Promise::Convergence,
    Promise::Resurrection,
];

impl RegisterOptions {
    /// Refuses what makes no sense.
    pub fn validate(&self) -> Result<(), OptionsError> {
        options::keyspace(&self.keyspace)?;
        options::count("keys", self.keys, 1_000_000)?;
        options::count("ops-per-key", self.ops_per_key, 1_000_000)?;
        options::count("infos-per-key", self.infos_per_key, 1_000_000)?;
        options::ratio("read-ratio", self.read_ratio)?;
        options::ratio("delete-ratio", self.delete_ratio)?;
        options::count("lives", self.lives, 1_000_000)?;
        let deletes = self.delete_ratio > 0.0 || self.lives > 1;
        options::checkers(&self.checkers, if deletes { &PROMISES } else { &PROMISES[..4] })
    }
}

/// The workload.
pub(crate) struct Register(pub(crate) RegisterOptions);

impl Workload for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn keyspace(&self) -> &str {
        &self.0.keyspace
    }

    fn generator(&self, rng: ChaCha8Rng) -> Box<dyn Generator> {
        let RegisterOptions { keyspace, keys, ops_per_key, lives, .. } = &self.0;
        let keys = ActiveKeys::new(keyspace, *keys as usize, *ops_per_key).with_lives(*lives);
        let RegisterOptions { infos_per_key, read_ratio, delete_ratio, .. } = self.0;
        let infos_per_key = Some(infos_per_key);
        Box::new(Overwriting { rng, keys, infos_per_key, read_ratio, delete_ratio })
    }

    fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(RespConnector::<RegisterProtocol>(PhantomData))
    }

    fn final_reads(&self, keys: &[String]) -> Vec<Invocation> {
        replica_reads(&self.0.keyspace, keys)
    }

    fn checkers(&self, replicas: usize, budget: &Budget) -> Vec<Box<dyn Checker>> {
        panel(&self.0.checkers, Datatype::Register, &self.0.keyspace, replicas, budget)
    }
}

struct RegisterProtocol;

impl Protocol for RegisterProtocol {
    async fn speak(connection: &mut Connection, invocation: &Invocation) -> Result<Answer, Step> {
        let Invocation { f, key, value } = invocation;
        match (f, value) {
            (Function::Read, _) => Ok((read(connection, key).await?, None)),
            (Function::Write, Value::Int(number)) => {
                write(connection, key, *number).await?;
                Ok((value.clone(), None))
            }
            (Function::Delete, _) => {
                delete(connection, key).await?;
                Ok((Value::Nil, None))
            }
            (Function::ReadReplica, _) => {
                let (values, version) = read_replica(connection, key).await?;
                let value = match values.as_slice() {
                    [] => Value::Nil,
                    [one] => Value::Int(integer(one)),
                    several => {
                        let integers: BTreeSet<i64> =
                            several.iter().map(|it| integer(it)).collect();
                        Value::Set(integers.into_iter().collect())
                    }
                };
                Ok((value, Some(version)))
            }
            _ => Err(unknown(f)),
        }
    }
}

async fn read(connection: &mut Connection, key: &str) -> Result<Value, Step> {
    match connection.request(&["GET", key]).await? {
        Reply::Nil => Ok(Value::Nil),
        Reply::Bulk(text) => Ok(Value::Int(integer(&text))),
        other => Err(garbled(&other).into()),
    }
}

async fn write(connection: &mut Connection, key: &str, number: i64) -> Result<(), Step> {
    match connection.request(&["SET", key, &number.to_string()]).await? {
        Reply::Simple(text) if text == "OK" => Ok(()),
        other => Err(garbled(&other).into()),
    }
}

async fn delete(connection: &mut Connection, key: &str) -> Result<(), Step> {
    match connection.request(&["DEL", key]).await? {
        Reply::Integer(0 | 1) => Ok(()),
        other => Err(garbled(&other).into()),
    }
}
