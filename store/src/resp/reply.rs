//! Replies as a client reads them, of RESP2 and RESP3 alike.
//!
//! Aggregates being read stand on a stack of our own, so that a hostile `*1\r\n*1\r\n…` ends in an
//! error and not in ours. Types that [`Reply`] does not have are read as the nearest it has: sets and
//! pushes as arrays, booleans as 1 and 0, doubles, big numbers and verbatim strings as bulk strings.
//! Streamed aggregates and attributes, which nobody sends unasked, are refused.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};
use tokio_util::codec::Decoder;

use super::line::{LineScanner, parse_integer, take_crlf};
use super::{Limits, ProtocolError, Reply};

/// Reads replies.
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    limits: Limits,
    scanner: LineScanner,
    /// Type and length of the string whose header has been read.
    string: Option<(u8, usize)>,
    /// Aggregates begun and not finished, outermost first.
    open: Vec<Aggregate>,
    /// Bytes of the reply so far.
    bytes: usize,
}

#[derive(Debug)]
struct Aggregate {
    is_map: bool,
    /// Elements still to come; of a map, keys and values.
    missing: usize,
    elements: Vec<Reply>,
}

impl Aggregate {
    fn finish(self) -> Reply {
        if !self.is_map {
            return Reply::Array(self.elements);
        }
        let mut elements = self.elements.into_iter();
        let pairs = std::iter::from_fn(|| Some((elements.next()?, elements.next()?)));
        Reply::Map(pairs.collect())
    }
}

impl ReplyDecoder {
    /// A decoder for a new connection.
    pub fn new(limits: Limits) -> ReplyDecoder {
        ReplyDecoder { limits, ..ReplyDecoder::default() }
    }

    /// The next value that is no aggregate with elements; those are opened on the way to it.
    fn take_leaf(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ProtocolError> {
        loop {
            if let Some((kind, length)) = self.string {
                return self.take_string(kind, length, buffer);
            }
            let line = self.scanner.take(buffer, self.limits.bulk_bytes, "too long a line")?;
            let Some(line) = line else { return Ok(None) };
            self.count_bytes(line.len())?;
            let Some((kind, body)) = line.strip_suffix(b"\r").and_then(<[u8]>::split_first) else {
                return Err(ProtocolError::malformed("expected a type and CRLF"));
            };
            if let Some(leaf) = self.header(*kind, body)? {
                return Ok(Some(leaf));
            }
        }
    }

    /// What one line says: a whole value, or `None` where more belongs to it.
    fn header(&mut self, kind: u8, body: &[u8]) -> Result<Option<Reply>, ProtocolError> {
        let text = || String::from_utf8_lossy(body).into_owned();
        Ok(Some(match (kind, body) {
            (b'+', _) => Reply::Simple(Cow::Owned(text())),
            (b'-', _) => Reply::Error(text()),
            (b':', _) => Reply::Integer(
                parse_integer(body).ok_or_else(|| ProtocolError::malformed("invalid integer"))?,
            ),
            (b'#', b"t") => Reply::Integer(1),
            (b'#', b"f") => Reply::Integer(0),
            (b',' | b'(', _) => Reply::bulk(body),
            (b'$' | b'*', b"-1") | (b'_', b"") => Reply::Nil,
            (b'$' | b'!' | b'=', _) => {
                let length = length(body, self.limits.bulk_bytes, "invalid bulk length")?;
                self.count_bytes(length)?;
                self.string = Some((kind, length));
                return Ok(None);
            }
            (b'*' | b'~' | b'>' | b'%', _) => return self.open(kind == b'%', body),
            _ => {
                let shown = char::from(kind).escape_default();
                return Err(ProtocolError::malformed(format!("unknown reply type '{shown}'")));
            }
        }))
    }

    fn open(&mut self, is_map: bool, body: &[u8]) -> Result<Option<Reply>, ProtocolError> {
        let count = length(body, self.limits.elements, "invalid multibulk length")?;
        let missing = if is_map { count * 2 } else { count };
        let aggregate = Aggregate { is_map, missing, elements: Vec::new() };
        if missing == 0 {
            return Ok(Some(aggregate.finish()));
        }
        if self.open.len() == self.limits.depth {
            return Err(ProtocolError::malformed("reply nests too deep"));
        }
        self.open.push(aggregate);
        Ok(None)
    }

    fn take_string(
        &mut self,
        kind: u8,
        length: usize,
        buffer: &mut BytesMut,
    ) -> Result<Option<Reply>, ProtocolError> {
        if buffer.len() < length + 2 {
            return Ok(None);
        }
        self.string = None;
        let mut string = buffer.split_to(length).freeze();
        take_crlf(buffer)?;
        Ok(Some(match kind {
            b'!' => Reply::Error(String::from_utf8_lossy(&string).into_owned()),
            b'=' => Reply::Bulk(verbatim_body(&mut string)?),
            _ => Reply::Bulk(string),
        }))
    }

    /// Puts a finished value where it belongs; a whole reply when it closes the last aggregate.
    fn place(&mut self, mut value: Reply) -> Option<Reply> {
        while let Some(mut innermost) = self.open.pop() {
            innermost.elements.push(value);
            innermost.missing -= 1;
            if innermost.missing > 0 {
                self.open.push(innermost);
                return None;
            }
            value = innermost.finish();
        }
        self.bytes = 0;
        Some(value)
    }

    fn count_bytes(&mut self, more: usize) -> Result<(), ProtocolError> {
        self.bytes += more;
        if self.bytes > self.limits.total_bytes {
            return Err(ProtocolError::malformed("too big reply"));
        }
        Ok(())
    }
}

fn length(digits: &[u8], max: usize, invalid: &str) -> Result<usize, ProtocolError> {
    let length = parse_integer(digits).and_then(|it| usize::try_from(it).ok());
    length.filter(|&it| it <= max).ok_or_else(|| ProtocolError::malformed(invalid))
}

/// `txt:hello` without its three letters and colon.
fn verbatim_body(string: &mut Bytes) -> Result<Bytes, ProtocolError> {
    if string.get(3) != Some(&b':') {
        return Err(ProtocolError::malformed("invalid verbatim string"));
    }
    string.advance(4);
    Ok(std::mem::take(string))
}

impl Decoder for ReplyDecoder {
    type Item = Reply;
    type Error = ProtocolError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, ProtocolError> {
        while let Some(leaf) = self.take_leaf(buffer)? {
            if let Some(reply) = self.place(leaf) {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }
}
