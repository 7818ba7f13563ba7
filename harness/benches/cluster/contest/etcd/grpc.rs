//! A call of gRPC: a request and its answer, each one message, on one connection of HTTP/2.
//!
//! ```text
//! HEADERS :path /service/method, content-type application/grpc, te trailers
//! DATA    0 (not compressed), length (4 bytes, big endian), message
//! HEADERS grpc-status 0
//! ```
//!
//! Source: "gRPC over HTTP2", `doc/PROTOCOL-HTTP2.md` of grpc/grpc.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, client};
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::TcpStream;

/// What stands before a message.
const PREFIX_BYTES: usize = 5;
const STATUS: &str = "grpc-status";

/// A connection.
pub(super) struct Grpc {
    requests: SendRequest<Bytes>,
    address: SocketAddr,
}

impl Grpc {
    /// Connects.
    pub(super) async fn connect(address: SocketAddr) -> Result<Grpc> {
        let failed = || format!("failed to connect to {address}");
        let stream = TcpStream::connect(address).await.with_context(failed)?;
        stream.set_nodelay(true).with_context(failed)?;
        let (requests, connection) = client::handshake(stream).await.with_context(failed)?;
        // It ends when `requests` is dropped; its errors are those of the calls.
        tokio::spawn(async { drop(connection.await) });
        Ok(Grpc { requests, address })
    }

    /// Calls `/service/method`, and returns what it answers.
    pub(super) async fn call<A: Message + Default>(
        &mut self,
        method: &str,
        query: &impl Message,
    ) -> Result<A> {
        let answer = self.exchange(method, framed(query)).await;
        let bytes = answer.with_context(|| format!("failed to call {method}"))?;
        A::decode(unframed(bytes)?).with_context(|| format!("failed to read what {method} says"))
    }

    async fn exchange(&mut self, method: &str, message: Bytes) -> Result<Bytes> {
        let request = Request::post(format!("http://{}{method}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut stream) = requests.send_request(request, false)?;
        stream.send_data(message, true)?;
        let response = response.await?;
        ensure!(response.status() == 200, "HTTP status {}", response.status());
        let (head, mut body) = response.into_parts();
        let message = collect(&mut body).await?;
        let trailers = body.trailers().await?;
        // An answer without a message has its trailers where its headers are.
        succeeded(trailers.as_ref().unwrap_or(&head.headers))?;
        Ok(message)
    }
}

async fn collect(body: &mut RecvStream) -> Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + length);
    frame.put_u8(0);
    frame.put_u32(length as u32);
    message.encode(&mut frame).expect("a buffer in memory takes what it is given");
    frame.freeze()
}

/// The one message in `frame`.
fn unframed(mut frame: Bytes) -> Result<Bytes> {
    ensure!(frame.len() >= PREFIX_BYTES, "an answer without a message");
    ensure!(frame.get_u8() == 0, "a compressed answer, which nobody asked for");
    let length = frame.get_u32() as usize;
    ensure!(frame.len() == length, "an answer of {} bytes that says {length}", frame.len());
    Ok(frame)
}

fn succeeded(trailers: &HeaderMap) -> Result<()> {
    let text = |name| trailers.get(name).and_then(|value| value.to_str().ok());
    let status = text(STATUS).context("an answer without a status")?;
    ensure!(status == "0", "status {status}: {}", text("grpc-message").unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::messages::RangeRequest;
    use super::*;

    #[test]
    fn a_message_comes_out_of_its_frame_as_it_went_in() {
        let message = RangeRequest { key: Bytes::from_static(b"k") };
        let frame = framed(&message);
        assert_eq!(&frame[..], b"\0\0\0\0\x03\x0a\x01k");
        assert_eq!(RangeRequest::decode(unframed(frame).unwrap()).unwrap(), message);
    }

    #[test]
    fn a_frame_that_says_something_else_is_refused() {
        for wrong in [&b""[..], b"\0\0\0\0", b"\x01\0\0\0\0", b"\0\0\0\0\x02a", b"\0\0\0\0\0a"] {
            assert!(unframed(Bytes::from_static(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_status_0_is_success() {
        let mut trailers = HeaderMap::new();
        assert!(succeeded(&trailers).is_err());
        trailers.insert(STATUS, "0".parse().unwrap());
        assert!(succeeded(&trailers).is_ok());
        trailers.insert(STATUS, "14".parse().unwrap());
        trailers.insert("grpc-message", "no leader".parse().unwrap());
        assert_eq!(succeeded(&trailers).unwrap_err().to_string(), "status 14: no leader");
    }
}
