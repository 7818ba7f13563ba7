//! A RESP connection to one node: one request, one reply, one deadline.
//!
//! The clients of this crate keep a single request outstanding, so a reply always belongs to the
//! request before it, *unless* an earlier reply is still on its way. Therefore a connection that
//! once missed a reply is broken for good: it answers nothing any more, and its owner opens another.
//!
//! Two costs are avoided, since the harness must never be slower than what it measures. Buffers live
//! as long as the connection. And the timer is lazy: arming one for each request costs more than the
//! request's own system calls would suggest, so one sleeper is kept, and moved only when it wakes
//! before the deadline of the request then outstanding: about once a timeout, not once a request.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::BytesMut;
use store::resp::{Reply, ReplyDecoder, encode_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::codec::Decoder;

use crate::trouble::Trouble;

/// A connection to one node.
pub struct Connection {
    stream: TcpStream,
    decoder: ReplyDecoder,
    request: BytesMut,
    reply: BytesMut,
    timeout: Duration,
    /// Wakes at or before the deadline of any request; pinned once, for the life of the connection.
    sleeper: Pin<Box<Sleep>>,
    broken: bool,
}

impl Connection {
    /// Connects within `timeout`, which then bounds each request as well.
    pub async fn open(address: SocketAddr, timeout: Duration) -> std::io::Result<Connection> {
        let stream = tokio::time::timeout(timeout, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            decoder: ReplyDecoder::default(),
            request: BytesMut::with_capacity(512),
            reply: BytesMut::with_capacity(4096),
            timeout,
            sleeper: Box::pin(tokio::time::sleep(timeout)),
            broken: false,
        })
    }

    /// Whether another request may follow.
    pub fn is_usable(&self) -> bool {
        !self.broken
    }

    /// Lets no other request follow: the last reply was one its request cannot have.
    pub fn give_up(&mut self) {
        self.broken = true;
    }

    /// Sends a request and returns its reply. An error reply is a trouble too.
    pub async fn request(&mut self, arguments: &[impl AsRef<[u8]>]) -> Result<Reply, Trouble> {
        if self.broken {
            return Err(Trouble::Unsent(ErrorKind::NotConnected));
        }
        self.request.clear();
        encode_request(arguments, &mut self.request);
        // Should this future be dropped before the reply is in, that reply must answer nobody.
        self.broken = true;
        let reply = self.exchange().await;
        self.broken = reply.as_ref().is_err_and(|trouble| !trouble.leaves_in_step());
        reply
    }

    async fn exchange(&mut self) -> Result<Reply, Trouble> {
        let deadline = Instant::now() + self.timeout;
        let Connection { stream, decoder, request, reply, sleeper, .. } = self;
        let mut sent = false;
        let mut answer = std::pin::pin!(async {
            send(stream, request, &mut sent).await?;
            receive(stream, decoder, reply).await
        });
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                () = sleeper.as_mut() => {
                    if Instant::now() >= deadline {
                        // Whatever was taken by a full socket buffer may still be delivered.
                        return Err(Trouble::Timeout);
                    }
                    sleeper.as_mut().reset(deadline);
                }
            }
        }
    }
}

/// Hands the whole request to the connection; `sent` as soon as one byte of it was taken.
async fn send(
    stream: &mut TcpStream,
    request: &mut BytesMut,
    sent: &mut bool,
) -> Result<(), Trouble> {
    while !request.is_empty() {
        match stream.write_buf(request).await {
            Ok(taken) if taken > 0 => *sent = true,
            Ok(_) => return Err(unless_sent(*sent, ErrorKind::WriteZero)),
            Err(error) => return Err(unless_sent(*sent, error.kind())),
        }
    }
    Ok(())
}

fn unless_sent(sent: bool, kind: ErrorKind) -> Trouble {
    if sent { Trouble::Lost(kind) } else { Trouble::Unsent(kind) }
}

/// Reads until a reply is whole. Bytes beyond it answer no request of ours.
async fn receive(
    stream: &mut TcpStream,
    decoder: &mut ReplyDecoder,
    buffer: &mut BytesMut,
) -> Result<Reply, Trouble> {
    loop {
        match decoder.decode(buffer) {
            Ok(Some(_)) if !buffer.is_empty() => {
                return Err(Trouble::Garbled(format!("{} bytes after it", buffer.len())));
            }
            Ok(Some(Reply::Error(text))) => return Err(Trouble::Refused(text)),
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => {}
            Err(error) => return Err(Trouble::Garbled(error.to_string())),
        }
        match stream.read_buf(buffer).await {
            Ok(0) => return Err(Trouble::Lost(ErrorKind::UnexpectedEof)),
            Ok(_) => {}
            Err(error) => return Err(Trouble::Lost(error.kind())),
        }
    }
}
