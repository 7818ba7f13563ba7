//! A client of etcd: linearizable reads, and writes that a majority has on disk.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use bytes::Bytes;

use super::grpc::Grpc;
use super::messages::{
    Answered, PutRequest, RangeRequest, RangeResponse, Request, RequestKind, StatusRequest,
    StatusResponse, TxnRequest, TxnResponse,
};

/// A connection to one member.
pub(crate) struct EtcdClient(Grpc);

impl EtcdClient {
    pub(crate) async fn connect(address: SocketAddr) -> Result<EtcdClient> {
        Ok(EtcdClient(Grpc::connect(address).await?))
    }

    pub(crate) async fn get(&mut self, key: &Bytes) -> Result<Option<Bytes>> {
        let range = RangeRequest { key: key.clone() };
        let answer: RangeResponse = self.0.call("/etcdserverpb.KV/Range", &range).await?;
        Ok(answer.pairs.into_iter().next().map(|pair| pair.value))
    }

    pub(crate) async fn set(&mut self, key: &Bytes, value: &Bytes) -> Result<()> {
        let put = PutRequest { key: key.clone(), value: value.clone() };
        let Answered {} = self.0.call("/etcdserverpb.KV/Put", &put).await?;
        Ok(())
    }

    pub(crate) async fn fill(&mut self, pairs: &[(Bytes, Bytes)]) -> Result<()> {
        let put = |(key, value): &(Bytes, Bytes)| {
            let put = PutRequest { key: key.clone(), value: value.clone() };
            Request { kind: Some(RequestKind::Put(put)) }
        };
        let txn = TxnRequest { success: pairs.iter().map(put).collect() };
        let answer: TxnResponse = self.0.call("/etcdserverpb.KV/Txn", &txn).await?;
        ensure!(answer.succeeded, "a transaction without conditions did not succeed");
        Ok(())
    }

    /// Whether this member leads.
    pub(super) async fn leads(&mut self) -> Result<bool> {
        let status: StatusResponse =
            self.0.call("/etcdserverpb.Maintenance/Status", &StatusRequest {}).await?;
        Ok(status.leads())
    }
}
