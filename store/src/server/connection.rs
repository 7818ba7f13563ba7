//! One client's connection, from its first byte to its last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::codec::Decoder;

use super::Service;
use super::batch::Batch;
use super::session::{Next, Session};
use crate::command::{Parsed, parse};
use crate::resp::{Limits, ProtocolError, Reply, RequestDecoder};

/// Replies are sent once they are this many, lest a long pipeline pile them up.
const FLUSH_BYTES: usize = 64 * 1024;
/// Room made before each read.
const READ_BYTES: usize = 16 * 1024;

/// One client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    session: Session,
    decoder: RequestDecoder,
    incoming: BytesMut,
    outgoing: BytesMut,
}

impl Connection {
    pub(super) fn new(id: i64, peer: SocketAddr, stream: TcpStream, limits: Limits) -> Connection {
        Connection {
            stream,
            session: Session::new(id, peer),
            decoder: RequestDecoder::new(limits),
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
        }
    }

    /// Serves until the client leaves, breaks the protocol, or `stopped` turns true.
    pub(super) async fn run<S: Service>(
        mut self,
        service: Arc<S>,
        mut stopped: watch::Receiver<bool>,
    ) {
        if let Err(error) = self.converse(&*service, &mut stopped).await {
            tracing::debug!(%error, "a connection broke");
        }
    }

    async fn converse<S: Service>(
        &mut self,
        service: &S,
        stopped: &mut watch::Receiver<bool>,
    ) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        while self.read(stopped).await? {
            let next = self.answer_all(service, stopped).await?;
            self.flush().await?;
            if next == Next::Close {
                return self.stream.shutdown().await;
            }
        }
        Ok(())
    }

    /// Waits for bytes; false when there will be none, or the node closes.
    async fn read(&mut self, stopped: &mut watch::Receiver<bool>) -> io::Result<bool> {
        self.incoming.reserve(READ_BYTES);
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => Ok(false),
            count = self.stream.read_buf(&mut self.incoming) => Ok(count? > 0),
        }
    }

    /// Answers every request that is here in full.
    async fn answer_all<S: Service>(
        &mut self,
        service: &S,
        stopped: &watch::Receiver<bool>,
    ) -> io::Result<Next> {
        let mut batch = Batch::default();
        loop {
            let next = match self.decoder.decode(&mut self.incoming) {
                Ok(None) => {
                    self.carry_out(service, &mut batch).await;
                    return Ok(Next::Continue);
                }
                Ok(Some(request)) => self.answer(service, &mut batch, &request).await,
                Err(ProtocolError::Io(error)) => return Err(error),
                Err(error) => {
                    self.carry_out(service, &mut batch).await;
                    let error = format!("ERR {error}");
                    service.refused(&error);
                    self.reply(&Reply::Error(error));
                    Next::Close
                }
            };
            if next == Next::Close || *stopped.borrow() {
                return Ok(Next::Close);
            }
            if self.outgoing.len() >= FLUSH_BYTES {
                self.flush().await?;
            }
        }
    }

    /// Answers a request, or lets it wait in `batch` for those that may be carried out with it.
    async fn answer<S: Service>(
        &mut self,
        service: &S,
        batch: &mut Batch,
        request: &[Bytes],
    ) -> Next {
        let parsed = parse(request);
        match &parsed {
            Ok(Parsed::Node(command)) if batch.admits(command) => {}
            _ => self.carry_out(service, batch).await,
        }
        let (reply, next) = match parsed {
            Ok(Parsed::Node(command)) => {
                batch.push(command);
                return Next::Continue;
            }
            Ok(Parsed::Connection(command)) => self.session.answer(command),
            Err(refused) => {
                let error = refused.to_string();
                service.refused(&error);
                (Reply::Error(error), Next::Continue)
            }
        };
        self.reply(&reply);
        next
    }

    /// Carries out what waits in `batch`, together, and replies in order.
    async fn carry_out<S: Service>(&mut self, service: &S, batch: &mut Batch) {
        let commands = batch.take();
        if !commands.is_empty() {
            for reply in service.execute(commands).await {
                self.reply(&reply);
            }
        }
    }

    fn reply(&mut self, reply: &Reply) {
        reply.encode(self.session.protocol(), &mut self.outgoing);
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.outgoing).await?;
        self.outgoing.clear();
        Ok(())
    }
}
