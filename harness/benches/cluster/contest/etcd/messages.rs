//! The messages of etcd that the benchmark needs, and of those the fields it needs.
//!
//! Source: etcd 3.4, `etcdserver/etcdserverpb/rpc.proto`, `mvcc/mvccpb/kv.proto`.

use bytes::Bytes;
use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct PutRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(super) value: Bytes,
}

/// Of an answer whose fields nobody asks for.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Answered {}

/// Without `serializable`, which is false by default: the read is linearizable.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RangeRequest {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RangeResponse {
    #[prost(message, repeated, tag = "2")]
    pub(super) pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Pair {
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TxnRequest {
    #[prost(message, repeated, tag = "2")]
    pub(super) success: Vec<Request>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(oneof = "RequestKind", tags = "2")]
    pub(super) kind: Option<RequestKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum RequestKind {
    #[prost(message, tag = "2")]
    Put(PutRequest),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TxnResponse {
    #[prost(bool, tag = "2")]
    pub(super) succeeded: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StatusRequest {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct StatusResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) header: Option<ResponseHeader>,
    /// The member it follows; 0: none.
    #[prost(uint64, tag = "4")]
    pub(super) leader: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResponseHeader {
    #[prost(uint64, tag = "2")]
    pub(super) member_id: u64,
}

impl StatusResponse {
    /// Whether who answers so leads the others.
    pub(super) fn leads(&self) -> bool {
        self.leader != 0 && self.header.as_ref().is_some_and(|it| it.member_id == self.leader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_who_follows_itself() {
        let status = |member_id, leader| StatusResponse {
            header: Some(ResponseHeader { member_id }),
            leader,
        };
        assert!(status(5, 5).leads());
        assert!(!status(5, 6).leads());
        assert!(!status(0, 0).leads());
        assert!(!StatusResponse::default().leads());
    }
}
