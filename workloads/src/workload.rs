//! A generator, its client, and the checkers that may judge it, under one name.

use std::sync::Arc;

use checker::Checker;
use rand::rngs::ChaCha8Rng;

use crate::client::Connector;
use crate::generator::{Generator, Invocation};

/// A generator, its client, and the checkers that may judge it, under one name.
pub trait Workload: Send + Sync {
    /// `register`, `set`, …
    fn name(&self) -> &'static str;
    /// A fresh generator, all of whose choices come from `rng`.
    fn generator(&self, rng: ChaCha8Rng) -> Box<dyn Generator>;
    /// How its operations are carried out.
    fn connector(&self) -> Arc<dyn Connector>;
    /// The reads, of every key ever written, that end a run: each is directed at every node.
    /// `keys` are those seen in the run's own invocations.
    fn final_reads(&self, keys: &[String]) -> Vec<Invocation>;
    /// The checkers that may judge it, bound to its keyspace.
    fn checkers(&self) -> Vec<Box<dyn Checker>>;
}
