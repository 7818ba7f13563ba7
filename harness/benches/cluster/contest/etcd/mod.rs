//! etcd: its members, and a client of its gRPC interface.
//!
//! A client of it is written here, rather than taken from `etcd-client`, because that brings seventy
//! crates and queues between tasks that would cost etcd the cores it shares with its clients.

mod client;
mod grpc;
mod members;
mod messages;

pub(crate) use client::EtcdClient;
pub(crate) use members::start;
