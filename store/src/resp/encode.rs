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
            Reply::Integer(number) => put_header(b':', number, out),
            Reply::Bulk(bytes) => put_bulk(bytes, out),
            Reply::Nil => out.put_slice(match protocol {
                Protocol::Resp2 => b"$-1\r\n",
                Protocol::Resp3 => b"_\r\n",
            }),
            Reply::Array(elements) => {
                put_header(b'*', elements.len(), out);
                for element in elements {
                    element.encode(protocol, out);
                }
            }
            Reply::Map(pairs) => {
                match protocol {
                    Protocol::Resp2 => put_header(b'*', pairs.len() * 2, out),
                    Protocol::Resp3 => put_header(b'%', pairs.len(), out),
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
    put_header(b'*', arguments.len(), out);
    for argument in arguments {
        put_bulk(argument.as_ref(), out);
    }
}

fn put_header(kind: u8, number: impl std::fmt::Display, out: &mut BytesMut) {
    use std::fmt::Write;
    out.put_u8(kind);
    write!(out, "{number}\r\n").expect("a buffer in memory takes what it is given");
}

fn put_bulk(bytes: &[u8], out: &mut BytesMut) {
    put_header(b'$', bytes.len(), out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn put_line(kind: u8, text: &str, out: &mut BytesMut) {
    out.put_u8(kind);
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.put_slice(b"\r\n");
}
