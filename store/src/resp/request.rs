//! Requests as a server reads them: arrays of bulk strings, and inline commands.
//!
//! The decoder holds the arguments it has, so that a request in a thousand pieces is parsed once.
//! Nothing is reserved on the word of a header alone beyond [`RESERVE_BYTES_MAX`].

use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;

use super::line::{LineScanner, take_crlf};
use super::{Limits, ProtocolError, inline};

/// Longest inline command, as in Redis.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Arguments of most requests: room is made for them at once.
const ARGUMENTS_USUAL: usize = 3;
/// Most we make room for before the bytes are there.
const RESERVE_BYTES_MAX: usize = 64 * 1024;

/// Reads requests, each as its arguments; never an empty one.
#[derive(Debug, Default)]
pub struct RequestDecoder {
    limits: Limits,
    scanner: LineScanner,
    /// Arguments still to come of the request being read; `None` between requests.
    missing: Option<usize>,
    /// Length of the bulk string whose header has been read.
    bulk: Option<usize>,
    arguments: Vec<Bytes>,
    argument_bytes: usize,
}

impl RequestDecoder {
    /// A decoder for a new connection.
    pub fn new(limits: Limits) -> RequestDecoder {
        RequestDecoder { limits, ..RequestDecoder::default() }
    }

    /// `*3\r\n`: how many arguments follow; none or fewer is no request, as in Redis.
    fn begin(&mut self, buffer: &mut BytesMut) -> Result<Option<usize>, ProtocolError> {
        const INVALID: &str = "invalid multibulk length";
        let header = self.scanner.take_number(buffer, "too big mbulk count string", INVALID)?;
        let Some(count) = header else { return Ok(None) };
        let count = usize::try_from(count).unwrap_or(0);
        if count > self.limits.elements {
            return Err(ProtocolError::malformed(INVALID));
        }
        self.arguments.reserve(count.min(ARGUMENTS_USUAL));
        self.missing = (count > 0).then_some(count);
        Ok(Some(count))
    }

    fn take_inline(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        let line = self.scanner.take(buffer, INLINE_BYTES_MAX, "too big inline request")?;
        let Some(line) = line else { return Ok(None) };
        let words = inline::split(&line);
        words.map(Some).ok_or_else(|| ProtocolError::malformed("unbalanced quotes in request"))
    }

    fn take_argument(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, ProtocolError> {
        let length = match self.bulk {
            Some(length) => length,
            None => match self.take_bulk_header(buffer)? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        self.bulk = Some(length);
        if buffer.len() < length + 2 {
            buffer.reserve((length + 2 - buffer.len()).min(RESERVE_BYTES_MAX));
            return Ok(None);
        }
        self.bulk = None;
        let argument = buffer.split_to(length).freeze();
        take_crlf(buffer)?;
        Ok(Some(argument))
    }

    fn take_bulk_header(&mut self, buffer: &mut BytesMut) -> Result<Option<usize>, ProtocolError> {
        const INVALID: &str = "invalid bulk length";
        match buffer.first() {
            None => return Ok(None),
            Some(b'$') => {}
            Some(&other) => {
                let shown = char::from(other).escape_default();
                return Err(ProtocolError::malformed(format!("expected '$', got '{shown}'")));
            }
        }
        let header = self.scanner.take_number(buffer, "too big bulk count string", INVALID)?;
        let Some(length) = header else { return Ok(None) };
        let length = usize::try_from(length).ok().filter(|&it| it <= self.limits.bulk_bytes);
        let length = length.ok_or_else(|| ProtocolError::malformed(INVALID))?;
        self.argument_bytes += length;
        if self.argument_bytes > self.limits.total_bytes {
            return Err(ProtocolError::malformed("too big request"));
        }
        Ok(Some(length))
    }

    fn finish(&mut self) -> Vec<Bytes> {
        self.missing = None;
        self.argument_bytes = 0;
        std::mem::take(&mut self.arguments)
    }
}

impl Decoder for RequestDecoder {
    type Item = Vec<Bytes>;
    type Error = ProtocolError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        loop {
            let Some(missing) = self.missing else {
                match buffer.first() {
                    None => return Ok(None),
                    Some(b'*') => match self.begin(buffer)? {
                        None => return Ok(None),
                        Some(_) => continue,
                    },
                    Some(_) => match self.take_inline(buffer)? {
                        Some(words) if words.is_empty() => continue,
                        other => return Ok(other),
                    },
                }
            };
            if missing == 0 {
                return Ok(Some(self.finish()));
            }
            let Some(argument) = self.take_argument(buffer)? else { return Ok(None) };
            self.arguments.push(argument);
            self.missing = Some(missing - 1);
        }
    }
}
