//! The codec against its laws and against an independent implementation of the protocol.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use redis_protocol::resp2::types::BytesFrame as Frame2;
use redis_protocol::resp3::types::BytesFrame as Frame3;
use store::resp::{
    Limits, Protocol, ProtocolError, Reply, ReplyDecoder, RequestDecoder, encode_request,
};
use tokio_util::codec::Decoder;

/// Everything `decoder` makes of `bytes`, which come in pieces that end at `cuts`.
fn decode_all<D>(
    decoder: &mut D,
    bytes: &[u8],
    cuts: &[usize],
) -> (Vec<D::Item>, Option<ProtocolError>)
where
    D: Decoder<Error = ProtocolError>,
{
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let (mut buffer, mut items, mut begin) = (BytesMut::new(), Vec::new(), 0);
    for end in ends {
        buffer.extend_from_slice(&bytes[begin..end]);
        begin = end;
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
    }
    (items, None)
}

fn requests(bytes: &[u8], cuts: &[usize]) -> (Vec<Vec<Bytes>>, Option<String>) {
    let mut decoder = RequestDecoder::new(SMALL);
    let (items, error) = decode_all(&mut decoder, bytes, cuts);
    (items, error.map(|error| error.to_string()))
}

fn replies(bytes: &[u8], cuts: &[usize]) -> (Vec<Reply>, Option<String>) {
    let (items, error) = decode_all(&mut ReplyDecoder::new(SMALL), bytes, cuts);
    (items, error.map(|error| error.to_string()))
}

/// Small enough for random bytes to meet them.
const SMALL: Limits = Limits { elements: 99, bulk_bytes: 999, total_bytes: 20_000, depth: 5 };

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn line() -> impl Strategy<Value = String> {
    "[ -~]{0,20}"
}

fn reply() -> impl Strategy<Value = Reply> {
    let leaf = prop_oneof![
        line().prop_map(|text| Reply::Simple(text.into())),
        line().prop_map(Reply::Error),
        any::<i64>().prop_map(Reply::Integer),
        bytes().prop_map(Reply::Bulk),
        Just(Reply::Nil),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Reply::Array),
            vec((inner.clone(), inner), 0..3).prop_map(Reply::Map),
        ]
    })
}

/// Bytes in which the protocol's own are frequent.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "*2\r\n", "*-1\r\n", "*1\r\n", "$3\r\n", "$0\r\n", "$-1\r\n", "abc\r\n", "\r\n", "\n", "\r",
            "%1\r\n", ":7\r\n", "+OK\r\n", "-ERR\r\n", "_\r\n", "#t\r\n", "=5\r\n", "txt:a\r\n", "\"", "'",
            "$9223372036854775807\r\n", "*4000000000\r\n", "\\x4", " ",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// A RESP2 map is a flat array.
fn flattened(reply: &Reply) -> Reply {
    match reply {
        Reply::Array(elements) => Reply::Array(elements.iter().map(flattened).collect()),
        Reply::Map(pairs) => Reply::Array(
            pairs.iter().flat_map(|(key, value)| [flattened(key), flattened(value)]).collect(),
        ),
        leaf => leaf.clone(),
    }
}

fn from_resp2(frame: Frame2) -> Reply {
    match frame {
        Frame2::SimpleString(text) => {
            Reply::Simple(String::from_utf8(text.to_vec()).unwrap().into())
        }
        Frame2::Error(text) => Reply::Error(text.to_string()),
        Frame2::Integer(number) => Reply::Integer(number),
        Frame2::BulkString(bytes) => Reply::Bulk(bytes),
        Frame2::Array(elements) => Reply::Array(elements.into_iter().map(from_resp2).collect()),
        Frame2::Null => Reply::Nil,
    }
}

fn from_resp3(frame: Frame3) -> Reply {
    match frame {
        Frame3::SimpleString { data, .. } => {
            Reply::Simple(String::from_utf8(data.to_vec()).unwrap().into())
        }
        Frame3::SimpleError { data, .. } => Reply::Error(data.to_string()),
        Frame3::Number { data, .. } => Reply::Integer(data),
        Frame3::BlobString { data, .. } => Reply::Bulk(data),
        Frame3::Array { data, .. } => Reply::Array(data.into_iter().map(from_resp3).collect()),
        Frame3::Null => Reply::Nil,
        other => panic!("we never write {other:?}"),
    }
}

fn has_map(reply: &Reply) -> bool {
    match reply {
        Reply::Map(_) => true,
        Reply::Array(elements) => elements.iter().any(has_map),
        _ => false,
    }
}

fn encoded(reply: &Reply, protocol: Protocol) -> Bytes {
    let mut out = BytesMut::new();
    reply.encode(protocol, &mut out);
    out.freeze()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_comes_back_however_it_is_cut(
        sent in vec(vec(bytes(), 1..6), 1..5),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let mut out = BytesMut::new();
        for request in &sent {
            encode_request(request, &mut out);
        }
        prop_assert_eq!(requests(&out, &cuts), (sent, None));
    }

    #[test]
    fn a_reply_comes_back_however_it_is_cut(
        sent in vec(reply(), 1..4),
        cuts in vec(any::<usize>(), 0..20),
    ) {
        let mut out = BytesMut::new();
        for reply in &sent {
            reply.encode(Protocol::Resp3, &mut out);
        }
        prop_assert_eq!(replies(&out, &cuts), (sent.clone(), None));
        out.clear();
        for reply in &sent {
            reply.encode(Protocol::Resp2, &mut out);
        }
        prop_assert_eq!(replies(&out, &cuts), (sent.iter().map(flattened).collect(), None));
    }

    #[test]
    fn any_bytes_mean_the_same_however_they_are_cut(
        bytes in soup(),
        cuts in vec(any::<usize>(), 0..60),
    ) {
        prop_assert_eq!(requests(&bytes, &cuts), requests(&bytes, &[]));
        prop_assert_eq!(replies(&bytes, &cuts), replies(&bytes, &[]));
    }

    #[test]
    fn another_implementation_reads_our_resp2(reply in reply()) {
        let ours = encoded(&reply, Protocol::Resp2);
        let (frame, used) = redis_protocol::resp2::decode::decode_bytes(&ours).unwrap().unwrap();
        prop_assert_eq!(used, ours.len());
        prop_assert_eq!(from_resp2(frame), flattened(&reply));
    }

    #[test]
    fn another_implementation_reads_our_resp3(
        reply in reply().prop_filter("its maps have no order", |reply| !has_map(reply)),
    ) {
        let ours = encoded(&reply, Protocol::Resp3);
        let decoded = redis_protocol::resp3::decode::complete::decode_bytes(&ours);
        let (frame, used) = decoded.unwrap().unwrap();
        prop_assert_eq!(used, ours.len());
        prop_assert_eq!(from_resp3(frame), reply);
    }

    #[test]
    fn another_implementation_writes_what_we_read(arguments in vec(bytes(), 1..6)) {
        let frame = Frame2::Array(arguments.iter().cloned().map(Frame2::BulkString).collect());
        let mut theirs = BytesMut::new();
        redis_protocol::resp2::encode::extend_encode(&mut theirs, &frame, false).unwrap();
        prop_assert_eq!(requests(&theirs, &[]), (vec![arguments], None));
    }
}

fn request_error(bytes: impl AsRef<[u8]>) -> String {
    let (_, error) = requests(bytes.as_ref(), &[]);
    error.expect("an error")
}

#[test]
fn malformed_requests_are_refused_in_the_words_of_redis() {
    for (sent, expected) in [
        ("*1\r\n+PING\r\n", "expected '$', got '+'"),
        ("*x\r\n", "invalid multibulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("*1\n", "invalid multibulk length"),
        ("*100\r\n", "invalid multibulk length"),
        ("*99999999999999999999999999999999999", "too big mbulk count string"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$1000\r\n", "invalid bulk length"),
        ("*1\r\n$11111111111111111111111111111111111", "too big bulk count string"),
        ("*1\r\n$3\r\nabcXY", "expected CRLF after bulk string"),
        ("set \"a\r\n", "unbalanced quotes in request"),
    ] {
        assert_eq!(request_error(sent), format!("Protocol error: {expected}"), "{sent:?}");
    }
}

#[test]
fn a_request_is_bounded_as_a_whole_and_so_is_an_inline_one() {
    let bulk = format!("$999\r\n{}\r\n", "x".repeat(999));
    let whole = format!("*30\r\n{}", bulk.repeat(30));
    assert_eq!(request_error(whole), "Protocol error: too big request");
    assert_eq!(request_error("x".repeat(70_000)), "Protocol error: too big inline request");
}

#[test]
fn requests_of_no_arguments_are_passed_over() {
    let ping = vec![Bytes::from("PING")];
    assert_eq!(requests(b"*0\r\n\r\n  \n*-1\r\nPING\r\n", &[]), (vec![ping], None));
}

#[test]
fn a_hostile_reply_ends_in_an_error() {
    for (sent, expected) in [
        ("*1\r\n".repeat(200_000), "reply nests too deep"),
        ("*4000000000\r\n".to_owned(), "invalid multibulk length"),
        ("$4000000000\r\n".to_owned(), "invalid bulk length"),
        ("?\r\n".to_owned(), "unknown reply type '?'"),
        (
            format!("*99\r\n{}", format!("${}\r\n{}\r\n", 999, "x".repeat(999)).repeat(30)),
            "too big reply",
        ),
    ] {
        let (_, error) = replies(sent.as_bytes(), &[]);
        assert_eq!(error, Some(format!("Protocol error: {expected}")));
    }
}

#[test]
fn types_we_do_not_have_are_read_as_the_nearest() {
    let sent = b"~1\r\n#t\r\n>1\r\n=5\r\ntxt:a\r\n,1.5\r\n!3\r\nERR\r\n*-1\r\n%0\r\n";
    let expected = vec![
        Reply::Array(vec![Reply::Integer(1)]),
        Reply::Array(vec![Reply::bulk("a")]),
        Reply::bulk("1.5"),
        Reply::Error("ERR".to_owned()),
        Reply::Nil,
        Reply::Map(vec![]),
    ];
    assert_eq!(replies(sent, &[]), (expected, None));
}

#[test]
fn a_line_never_carries_a_second_reply() {
    let forged = Reply::Error("ERR no such key 'a\r\n+OK'".to_owned());
    assert_eq!(encoded(&forged, Protocol::Resp2), "-ERR no such key 'a  +OK'\r\n");
}
