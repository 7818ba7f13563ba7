//! Writing RESP: replies in the version of their connection, requests as every server reads them.

use bytes::{BufMut, BytesMut};

use super::{Protocol, Reply};

impl Reply {
    /// Appends this reply to `out` as `protocol` writes it.
    ///
    /// A simple string or an error is one line: a CR or LF in it is written as a blank, lest what
    /// follows be read as another reply.
    pub fn encode(&self, protocol: Protocol, out: &mut BytesMut) {
        match self {
            Reply::Simple(text) => put_line(b'+', text, out),
            Reply::Error(text) => put_line(b'-', text, out),
            Reply::Integer(number) => put_header(b':', *number, out),
            Reply::Bulk(bytes) => put_bulk(bytes, out),
            Reply::Nil => out.put_slice(match protocol {
                Protocol::Resp2 => b"$-1\r\n",
                Protocol::Resp3 => b"_\r\n",
            }),
            Reply::Array(elements) => {
                put_count(b'*', elements.len(), out);
                for element in elements {
                    element.encode(protocol, out);
                }
            }
            Reply::Map(pairs) => {
                match protocol {
                    Protocol::Resp2 => put_count(b'*', pairs.len() * 2, out),
                    Protocol::Resp3 => put_count(b'%', pairs.len(), out),
                }
                for (key, value) in pairs {
                    key.encode(protocol, out);
                    value.encode(protocol, out);
                }
            }
        }
    }
}

/// Appends a request to `out`, as an array of bulk strings.
pub fn encode_request(arguments: &[impl AsRef<[u8]>], out: &mut BytesMut) {
    put_count(b'*', arguments.len(), out);
    for argument in arguments {
        put_bulk(argument.as_ref(), out);
    }
}

fn put_count(kind: u8, count: usize, out: &mut BytesMut) {
    put_header(kind, count.try_into().expect("what is in memory can be counted"), out);
}

/// Digits from the last to the first: a reply has a header or two, and formatting by the standard
/// library costs more than all else that is written of it.
fn put_header(kind: u8, number: i64, out: &mut BytesMut) {
    let mut line = *b"?-9223372036854775808\r\n";
    let (mut at, mut left) = (line.len() - 2, number.unsigned_abs());
    loop {
        at -= 1;
        line[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        line[at] = b'-';
    }
    line[at - 1] = kind;
    out.put_slice(&line[at - 1..]);
}

fn put_bulk(bytes: &[u8], out: &mut BytesMut) {
    put_count(b'$', bytes.len(), out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn put_line(kind: u8, text: &str, out: &mut BytesMut) {
    out.put_u8(kind);
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_written_in_full() {
        for number in [0, 7, 10, -1, 1234, i64::MAX, i64::MIN] {
            let mut out = BytesMut::new();
            Reply::Integer(number).encode(Protocol::Resp2, &mut out);
            assert_eq!(out, format!(":{number}\r\n"));
        }
    }
}
