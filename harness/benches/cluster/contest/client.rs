//! A connection to a server, whichever it is: one request outstanding, no more.

use anyhow::Result;
use bytes::Bytes;

use super::etcd::EtcdClient;
use super::resp::RespClient;

/// A connection to a server.
pub(crate) enum Client {
    /// Ours, or Redis.
    Resp(RespClient),
    /// etcd.
    Etcd(EtcdClient),
}

impl Client {
    /// What `key` holds.
    pub(crate) async fn get(&mut self, key: &Bytes) -> Result<Option<Bytes>> {
        match self {
            Client::Resp(client) => client.get(key).await,
            Client::Etcd(client) => client.get(key).await,
        }
    }

    /// Returns once the write is answered, with whatever belongs to that.
    pub(crate) async fn set(&mut self, key: &Bytes, value: &Bytes) -> Result<()> {
        match self {
            Client::Resp(client) => client.set(key, value).await,
            Client::Etcd(client) => client.set(key, value).await,
        }
    }

    /// Writes many pairs at once, before anything is measured. At most [`FILL_PAIRS`].
    pub(crate) async fn fill(&mut self, pairs: &[(Bytes, Bytes)]) -> Result<()> {
        match self {
            Client::Resp(client) => client.fill(pairs).await,
            Client::Etcd(client) => client.fill(pairs).await,
        }
    }
}

/// As many as one transaction of etcd may hold, and some less.
pub(crate) const FILL_PAIRS: u64 = 100;
