//! The door of a node: connections in, commands to a [`Service`], replies out.
//!
//! One task a connection. Requests of one connection are carried out as if one after the other; those
//! that cannot tell go together (see `batch`). Replies come in the order of the requests, and those
//! to what arrived together leave together. When the node closes, each connection finishes the
//! requests it has in hand, answers them, and ends.
//!
//! Shape: `accept -> permit -> (read -> (decode -> batch)* -> execute -> encode)* -> flush`.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::command::Command;
use crate::resp::{self, Protocol, Reply};

mod batch;
mod connection;
mod room;
mod session;

use connection::Connection;

/// What carries out the commands of clients.
pub trait Service: Send + Sync + 'static {
    /// Carries out commands of which none can tell whether another was first; a reply to each, in their
    /// order. They are never cancelled by a client that goes away.
    fn execute(&self, commands: Vec<Command>) -> impl Future<Output = Vec<Reply>> + Send;

    /// Hears of a request that was no command, in the words its client is told.
    fn refused(&self, error: &str) {
        let _ = error;
    }
}

/// How much clients may ask of a node at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at the same time; one more is told so and closed.
    pub connections: usize,
    /// Size of one request.
    pub request: resp::Limits,
    /// How long connections have to finish what they have in hand when the node closes.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 10_000,
            request: resp::Limits::default(),
            drain: Duration::from_secs(5),
        }
    }
}

/// How long to leave `accept` alone after it failed, as it does while files are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves clients until `shutdown` is ready, then returns when every connection has drained, or
/// `limits.drain` has passed.
pub async fn serve<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut next_id = 1;
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&listener) => {
                let Some((stream, peer)) = accepted else { continue };
                let Ok(permit) = permits.clone().try_acquire_owned() else {
                    connections.spawn(refuse(stream));
                    continue;
                };
                let connection = Connection::new(next_id, peer, stream, limits.request);
                next_id += 1;
                let (service, stopped) = (service.clone(), stopped.clone());
                connections.spawn(async move {
                    connection.run(service, stopped).await;
                    drop(permit);
                });
            }
        }
    }
    drop(listener);
    stop.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!("some connections did not drain in time, and are closed as they are");
    }
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            tracing::warn!(%error, "failed to accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Tells a client that there is no room for it. One small write: it fits the socket's buffer, or
/// the client is gone.
async fn refuse(mut stream: TcpStream) {
    let mut out = BytesMut::new();
    let full = Reply::Error("ERR max number of clients reached".to_owned());
    full.encode(Protocol::Resp2, &mut out);
    let told: io::Result<()> = stream.write_all(&out).await;
    tracing::debug!(?told, "refused a connection over the limit");
}
