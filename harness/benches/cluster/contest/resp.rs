//! A client of ours and of Redis.
//!
//! The two requests of a write to Redis, `SET` and `WAIT`, leave in one packet and cost one round
//! trip, which is the best a client of Redis can do.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use store::resp::{Reply, ReplyDecoder, encode_request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::codec::Decoder as _;

/// How long `WAIT` may wait; one that waits so long has failed.
const WAIT_MILLIS: &str = "10000";
const READ_BYTES: usize = 16 << 10;

/// A connection.
pub(crate) struct RespClient {
    stream: TcpStream,
    decoder: ReplyDecoder,
    request: BytesMut,
    unread: BytesMut,
    /// How many replicas must have a write; 0: it is not asked for.
    replicas: u8,
}

impl RespClient {
    /// Connects; each write then waits for so many replicas, as Redis counts them.
    pub(crate) async fn connect(address: SocketAddr, replicas: u8) -> Result<RespClient> {
        let failed = || format!("failed to connect to {address}");
        let stream = TcpStream::connect(address).await.with_context(failed)?;
        stream.set_nodelay(true).with_context(failed)?;
        let (request, unread) = (BytesMut::new(), BytesMut::with_capacity(READ_BYTES));
        Ok(RespClient { stream, decoder: ReplyDecoder::default(), request, unread, replicas })
    }

    pub(crate) async fn get(&mut self, key: &Bytes) -> Result<Option<Bytes>> {
        encode_request(&[b"GET", &key[..]], &mut self.request);
        self.send().await?;
        found(self.receive().await?)
    }

    pub(crate) async fn set(&mut self, key: &Bytes, value: &Bytes) -> Result<()> {
        encode_request(&[b"SET", &key[..], value], &mut self.request);
        if self.replicas == 0 {
            self.send().await?;
            return acknowledged(&self.receive().await?);
        }
        let replicas = self.replicas.to_string();
        encode_request(&["WAIT", &replicas, WAIT_MILLIS], &mut self.request);
        self.send().await?;
        acknowledged(&self.receive().await?)?;
        replicated(&self.receive().await?, self.replicas)
    }

    pub(crate) async fn fill(&mut self, pairs: &[(Bytes, Bytes)]) -> Result<()> {
        for (key, value) in pairs {
            encode_request(&[b"SET", &key[..], value], &mut self.request);
        }
        self.send().await?;
        for _ in pairs {
            acknowledged(&self.receive().await?)?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<()> {
        let sent = self.stream.write_all(&self.request).await;
        self.request.clear();
        sent.context("failed to send a request")
    }

    async fn receive(&mut self) -> Result<Reply> {
        loop {
            if let Some(reply) = self.decoder.decode(&mut self.unread)? {
                return Ok(reply);
            }
            self.unread.reserve(READ_BYTES);
            let read = self.stream.read_buf(&mut self.unread).await;
            ensure!(read.context("failed to receive a reply")? > 0, "the server hung up");
        }
    }
}

/// What a `GET` is answered.
fn found(reply: Reply) -> Result<Option<Bytes>> {
    match reply {
        Reply::Bulk(value) => Ok(Some(value)),
        Reply::Nil => Ok(None),
        other => bail!("a GET is answered with {other:?}"),
    }
}

/// What a `SET` is answered.
fn acknowledged(reply: &Reply) -> Result<()> {
    ensure!(*reply == Reply::OK, "a SET is answered with {reply:?}");
    Ok(())
}

/// What a `WAIT` is answered.
fn replicated(reply: &Reply, replicas: u8) -> Result<()> {
    let enough = matches!(reply, Reply::Integer(count) if *count >= i64::from(replicas));
    ensure!(enough, "a WAIT for {replicas} is answered with {reply:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_no_answer() {
        let error = || Reply::Error("UNAVAILABLE no quorum".to_owned());
        assert!(found(error()).unwrap_err().to_string().contains("UNAVAILABLE"));
        assert!(acknowledged(&error()).is_err());
        assert!(replicated(&error(), 1).is_err());
    }

    #[test]
    fn a_write_that_too_few_replicas_have_is_no_success() {
        assert!(acknowledged(&Reply::OK).is_ok());
        assert!(acknowledged(&Reply::Nil).is_err());
        assert!(replicated(&Reply::Integer(0), 1).is_err());
        assert!(replicated(&Reply::Integer(1), 1).is_ok());
        assert!(replicated(&Reply::Integer(2), 1).is_ok());
    }

    #[test]
    fn a_value_and_none_are_told_apart() {
        assert_eq!(found(Reply::bulk("a")).unwrap().as_deref(), Some(&b"a"[..]));
        assert_eq!(found(Reply::Nil).unwrap(), None);
        assert!(found(Reply::OK).is_err());
    }
}
