//! Frames, and the handshake that opens every connection between nodes.
//!
//! ```text
//! frame     length (4 bytes, big endian), then that many bytes of one protobuf message
//! dialler   Hello   { magic, protocol, cluster, from, to }
//! listener  Welcome { refusal, empty if none }             then Request* / Response*
//! ```
//!
//! Until the handshake is through a frame may hold 1 KiB only: the codec reserves what a length
//! announces, and whoever scans ports should not make a node allocate megabytes. A mismatch is told
//! to the dialler in words, for it is the operator's configuration that is wrong.

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use prost::Message;
use tokio::net::TcpStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// `schm`, so that another protocol on this port is seen at once.
pub const MAGIC: u32 = 0x7363_686d;
/// Raised when nodes of the version before could not follow.
pub const PROTOCOL: u32 = 1;
const HANDSHAKE_BYTES: usize = 1024;
/// The longest frame, in bytes: far over a pair, under what could hurt.
const FRAME_BYTES: usize = 16 << 20;

/// A connection cut into frames.
pub type Frames = Framed<TcpStream, LengthDelimitedCodec>;

/// Who dials, and whom it means to reach.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Hello {
    /// [`MAGIC`].
    #[prost(fixed32, tag = "1")]
    pub magic: u32,
    /// [`PROTOCOL`].
    #[prost(uint32, tag = "2")]
    pub protocol: u32,
    /// Of the dialler's configuration.
    #[prost(string, tag = "3")]
    pub cluster: String,
    /// The dialler.
    #[prost(string, tag = "4")]
    pub from: String,
    /// Whom it believes to have reached.
    #[prost(string, tag = "5")]
    pub to: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Welcome {
    #[prost(string, tag = "1")]
    refusal: String,
}

/// Why two nodes could not shake hands.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The network failed, or a frame was too long.
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    /// It ended before the handshake did.
    #[error("the other side hung up")]
    Closed,
    /// Not a message of this protocol.
    #[error("the other side does not speak this protocol: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// The other node will not have us.
    #[error("refused: {0}")]
    Refused(String),
}

impl Hello {
    /// The opening words of `from` to `to`.
    pub fn new(cluster: &str, from: &str, to: &str) -> Hello {
        let (cluster, from, to) = (cluster.to_owned(), from.to_owned(), to.to_owned());
        Hello { magic: MAGIC, protocol: PROTOCOL, cluster, from, to }
    }

    /// Why the node `me` of `cluster` with these members must not go on, if it must not.
    pub fn refusal(&self, cluster: &str, me: &str, members: &[&str]) -> Option<String> {
        if self.magic != MAGIC {
            return Some("this is not the peer protocol of a store".into());
        }
        if self.protocol != PROTOCOL {
            return Some(format!("protocol {} spoken, {PROTOCOL} understood", self.protocol));
        }
        if self.cluster != cluster {
            return Some(format!("this is cluster `{cluster}`, not `{}`", self.cluster));
        }
        if self.to != me {
            return Some(format!("this is node `{me}`, not `{}`", self.to));
        }
        if self.from == me || !members.contains(&self.from.as_str()) {
            return Some(format!("`{}` is no other member of `{cluster}`", self.from));
        }
        None
    }
}

/// Opens a connection as its dialler.
pub async fn greet(stream: TcpStream, hello: &Hello) -> Result<Frames, HandshakeError> {
    let mut frames = start(stream)?;
    frames.send(Bytes::from(hello.encode_to_vec())).await?;
    let welcome = Welcome::decode(next(&mut frames).await?)?;
    if !welcome.refusal.is_empty() {
        return Err(HandshakeError::Refused(welcome.refusal));
    }
    frames.codec_mut().set_max_frame_length(FRAME_BYTES);
    Ok(frames)
}

/// Opens a connection as its listener. `judge` says why the dialler is refused, if it is.
/// Returns who dialled.
pub async fn welcome(
    stream: TcpStream,
    judge: impl FnOnce(&Hello) -> Option<String>,
) -> Result<(Frames, String), HandshakeError> {
    let mut frames = start(stream)?;
    let hello = Hello::decode(next(&mut frames).await?)?;
    let refusal = judge(&hello);
    let welcome = Welcome { refusal: refusal.clone().unwrap_or_default() };
    frames.send(Bytes::from(welcome.encode_to_vec())).await?;
    if let Some(refusal) = refusal {
        return Err(HandshakeError::Refused(refusal));
    }
    frames.codec_mut().set_max_frame_length(FRAME_BYTES);
    Ok((frames, hello.from))
}

fn start(stream: TcpStream) -> std::io::Result<Frames> {
    stream.set_nodelay(true)?;
    let codec = LengthDelimitedCodec::builder().max_frame_length(HANDSHAKE_BYTES).new_codec();
    Ok(Framed::new(stream, codec))
}

async fn next(frames: &mut Frames) -> Result<BytesMut, HandshakeError> {
    Ok(frames.next().await.ok_or(HandshakeError::Closed)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBERS: [&str; 2] = ["n1", "n2"];

    fn refusal(hello: &Hello) -> Option<String> {
        hello.refusal("demo", "n2", &MEMBERS)
    }

    #[test]
    fn a_member_of_the_same_cluster_is_welcome() {
        assert_eq!(refusal(&Hello::new("demo", "n1", "n2")), None);
    }

    #[test]
    fn every_mismatch_is_refused_in_words() {
        let good = Hello::new("demo", "n1", "n2");
        let cases = [
            (Hello { magic: 7, ..good.clone() }, "not the peer protocol"),
            (Hello { protocol: 2, ..good.clone() }, "protocol 2 spoken, 1 understood"),
            (Hello::new("other", "n1", "n2"), "cluster `demo`, not `other`"),
            (Hello::new("demo", "n1", "n3"), "node `n2`, not `n3`"),
            (Hello::new("demo", "n9", "n2"), "`n9` is no other member"),
            (Hello::new("demo", "n2", "n2"), "`n2` is no other member"),
        ];
        for (hello, words) in cases {
            let refusal = refusal(&hello).expect("refused");
            assert!(refusal.contains(words), "{refusal:?} should say {words:?}");
        }
    }
}
