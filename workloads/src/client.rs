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
    /// It may have happened, or may yet; why. The connection must not be used again.
    Info(String),
}

/// A connection to one node. One operation at a time.
pub trait Client: Send {
    /// Carries out `invocation` within the timeout the client was opened with.
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion>;
}

/// Opens clients.
pub trait Connector: Send + Sync {
    /// Connects to the node at `address`; every operation, and connecting, may take `timeout`.
    fn connect(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Client>>>;
}
