//! A generator, its client, and the checkers that may judge it, under one name.

use std::sync::Arc;

use checker::{Budget, Checker, Function, Value};
use rand::rngs::ChaCha8Rng;

use crate::client::Connector;
use crate::generator::{Generator, Invocation};

/// A generator, its client, and the checkers that may judge it, under one name.
pub trait Workload: Send + Sync {
    /// `register`, `set`, …
    fn name(&self) -> &'static str;
    /// The prefix of its keys.
    fn keyspace(&self) -> &str;
    /// A fresh generator, all of whose choices come from `rng`.
    fn generator(&self, rng: ChaCha8Rng) -> Box<dyn Generator>;
    /// How its operations are carried out.
    fn connector(&self) -> Arc<dyn Connector>;
    /// The reads that end a run, each to be directed at every node: one of every key of this
    /// workload among `keys`, those seen in the run's own invocations.
    fn final_reads(&self, keys: &[String]) -> Vec<Invocation>;
    /// The checkers that may judge it, bound to its keyspace, where each key has `replicas` copies
    /// and is searched within `budget`.
    fn checkers(&self, replicas: usize, budget: &Budget) -> Vec<Box<dyn Checker>>;
}

/// One replica read of every key of `keyspace`, in order of first appearance.
pub(crate) fn replica_reads(keyspace: &str, keys: &[String]) -> Vec<Invocation> {
    let mut seen = std::collections::BTreeSet::new();
    let is_ours = |key: &&String| key.split_once(':').is_some_and(|(prefix, _)| prefix == keyspace);
    let ours = keys.iter().filter(is_ours).filter(|key| seen.insert(key.as_str()));
    ours.map(|key| Invocation { f: Function::ReadReplica, key: key.clone(), value: Value::Nil })
        .collect()
}
