//! Lines: the header of every RESP value, found without looking at a byte twice.

use bytes::{Buf, Bytes, BytesMut};

use super::ProtocolError;

/// Longest header that holds a number: a type byte, a sign and nineteen digits, with room to spare.
const NUMBER_BYTES_MAX: usize = 32;

/// Remembers how far a line still without an end has been searched.
#[derive(Debug, Default)]
pub(super) struct LineScanner {
    searched: usize,
}

impl LineScanner {
    /// Takes the next line off `buffer`, without its LF; `None` while it has none yet.
    /// An unfinished or finished line of more than `bytes_max` bytes is `too_long`.
    pub(super) fn take(
        &mut self,
        buffer: &mut BytesMut,
        bytes_max: usize,
        too_long: &str,
    ) -> Result<Option<Bytes>, ProtocolError> {
        let Some(length) = self.find(buffer, bytes_max, too_long)? else { return Ok(None) };
        let line = buffer.split_to(length).freeze();
        buffer.advance(1);
        Ok(Some(line))
    }

    /// Takes a header such as `*3\r\n` or `$-1\r\n` off `buffer`: the number after its type byte.
    pub(super) fn take_number(
        &mut self,
        buffer: &mut BytesMut,
        too_long: &str,
        invalid: &str,
    ) -> Result<Option<i64>, ProtocolError> {
        let Some(length) = self.find(buffer, NUMBER_BYTES_MAX, too_long)? else { return Ok(None) };
        let line = buffer[..length].strip_suffix(b"\r");
        let number = line.and_then(|line| parse_integer(&line[1..]));
        buffer.advance(length + 1);
        number.map(Some).ok_or_else(|| ProtocolError::malformed(invalid))
    }

    /// The length of the next line, without its LF.
    fn find(
        &mut self,
        buffer: &[u8],
        bytes_max: usize,
        too_long: &str,
    ) -> Result<Option<usize>, ProtocolError> {
        let found = buffer[self.searched..].iter().position(|&byte| byte == b'\n');
        let length = found.map_or(buffer.len(), |at| self.searched + at);
        if length > bytes_max {
            return Err(ProtocolError::malformed(too_long));
        }
        self.searched = if found.is_some() { 0 } else { length };
        Ok(found.map(|_| length))
    }
}

/// Decimal, an optional minus, no other sign, no blank.
pub(super) fn parse_integer(digits: &[u8]) -> Option<i64> {
    let (sign, digits) = match digits.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, digits),
    };
    if digits.is_empty() {
        return None;
    }
    // Towards the sign, for the least integer has no positive twin.
    digits.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0') * sign)?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Takes the CRLF that ends a bulk string off `buffer`, which holds at least two bytes.
pub(super) fn take_crlf(buffer: &mut BytesMut) -> Result<(), ProtocolError> {
    if !buffer.starts_with(b"\r\n") {
        return Err(ProtocolError::malformed("expected CRLF after bulk string"));
    }
    buffer.advance(2);
    Ok(())
}
