//! Clients of the bundled store: an operation of a workload as RESP requests on one connection.
//!
//! What an operation says and how its reply reads is a [`Protocol`], one for each workload; what
//! becomes of its troubles is the same for all, and decided in [`classify`].

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use checker::{Function, Value};
use store::resp::Reply;

use crate::client::{BoxFuture, Client, Completion, Connector};
use crate::connection::Connection;
use crate::elements;
use crate::generator::Invocation;
use crate::trouble::{Trouble, classify};

/// A reply, and the version of it where a replica was read.
pub(crate) type Answer = (Value, Option<String>);

/// How the operations of one workload are said in RESP.
pub(crate) trait Protocol: Send + Sync + 'static {
    /// Carries out `invocation`. A trouble is of the step that may have had the effect; see
    /// [`Step`] for one that cannot have had any.
    fn speak<'a>(
        connection: &'a mut Connection,
        invocation: &'a Invocation,
    ) -> impl Future<Output = Result<Answer, Step>> + Send + 'a;
}

/// The step of an operation that failed.
#[derive(Debug)]
pub(crate) enum Step {
    /// One that only reads, before anything else was sent.
    Reading(Trouble),
    /// The one that has the effect of the operation.
    Acting(Trouble),
}

impl From<Trouble> for Step {
    fn from(trouble: Trouble) -> Step {
        Step::Acting(trouble)
    }
}

/// Opens clients that speak `P`.
pub(crate) struct RespConnector<P>(pub(crate) PhantomData<P>);

struct RespClient<P> {
    connection: Connection,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Connector for RespConnector<P> {
    fn connect(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Client>>> {
        Box::pin(async move {
            let connection = Connection::open(address, timeout).await?;
            let client = RespClient::<P> { connection, protocol: PhantomData };
            Ok(Box::new(client) as Box<dyn Client>)
        })
    }
}

impl<P: Protocol> Client for RespClient<P> {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion> {
        Box::pin(async move {
            let (f, trouble) = match P::speak(&mut self.connection, invocation).await {
                Ok((value, version)) => return Completion::Ok(value, version),
                Err(Step::Reading(trouble)) => (&Function::Read, trouble),
                Err(Step::Acting(trouble)) => (&invocation.f, trouble),
            };
            if !trouble.leaves_in_step() {
                self.connection.give_up();
            }
            classify(f, &trouble)
        })
    }

    fn is_usable(&self) -> bool {
        self.connection.is_usable()
    }
}

/// What is said of a function the workload does not have. Only a bug can ask for it.
pub(crate) fn unknown(f: &Function) -> Step {
    Step::Reading(Trouble::Refused(format!("ERR this workload has no operation {f:?}")))
}

/// A reply that this request cannot have.
pub(crate) fn garbled(reply: &Reply) -> Trouble {
    Trouble::Garbled(format!("{reply:?}"))
}

/// Reads one node's own copy of a key: its values, and their version.
pub(crate) async fn read_replica(
    connection: &mut Connection,
    key: &str,
) -> Result<(Vec<Vec<u8>>, String), Trouble> {
    let reply = connection.request(&["KV.REPLICA", key]).await?;
    let (version, values) = versioned(&reply).ok_or_else(|| garbled(&reply))?;
    Ok((values, String::from_utf8_lossy(&version).into_owned()))
}

/// Reads a key through a coordinator: the context, and every sibling.
pub(crate) async fn read_siblings(
    connection: &mut Connection,
    key: &str,
) -> Result<(Vec<u8>, Vec<Vec<u8>>), Step> {
    let reply = connection.request(&["KV.GET", key]).await.map_err(Step::Reading)?;
    versioned(&reply).ok_or_else(|| Step::Reading(garbled(&reply)))
}

/// `[version or context, [value…]]`, or an empty list where nothing is held.
pub(crate) fn versioned(reply: &Reply) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let Reply::Array(parts) = reply else { return None };
    match parts.as_slice() {
        [] => Some((Vec::new(), Vec::new())),
        [version, Reply::Array(values)] => {
            let values = values.iter().map(text).collect::<Option<_>>()?;
            Some((text(version)?, values))
        }
        _ => None,
    }
}

/// The bytes of a string reply; none of a nil.
fn text(reply: &Reply) -> Option<Vec<u8>> {
    match reply {
        Reply::Bulk(bytes) => Some(bytes.to_vec()),
        Reply::Simple(text) => Some(text.as_bytes().to_vec()),
        Reply::Nil => Some(Vec::new()),
        _ => None,
    }
}

/// Every element of every sibling, ascending and once.
pub(crate) fn union(siblings: &[Vec<u8>]) -> std::collections::BTreeSet<i64> {
    siblings.iter().flat_map(|text| elements::decode(text)).collect()
}
