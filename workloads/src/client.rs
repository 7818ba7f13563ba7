//! What carries out an invocation against one node, and says how it ended.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use checker::Value;

use crate::generator::Invocation;

/// A future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Completion {
    /// It happened; the reply, and the version of it where a replica was read.
    Ok(Value, Option<String>),
    /// It did not happen, and never will; why.
    Fail(String),
    /// It may have happened, or may yet; why.
    Info(String),
}

/// A connection to one node. One operation at a time.
pub trait Client: Send {
    /// Carries out `invocation` within the timeout the client was opened with.
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion>;

    /// Whether another operation may follow on this connection. False once a reply is outstanding or
    /// the connection is lost, however the operation was classified: a read that timed out is a
    /// `Fail`, and yet its late reply must never answer the next request.
    fn is_usable(&self) -> bool;
}

/// Opens clients.
pub trait Connector: Send + Sync {
    /// Connects to the node at `address`; connecting may take `timeout`, and so may every operation.
    fn connect(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Client>>>;
}
