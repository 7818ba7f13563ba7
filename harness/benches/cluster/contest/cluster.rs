//! Servers that belong together, and where clients come in.

use std::net::SocketAddr;

use anyhow::Result;

use super::client::Client;
use super::durability::Durability;
use super::etcd::{self, EtcdClient};
use super::ground::Ground;
use super::resp::RespClient;
use super::server::Server;
use super::system::System;
use super::{ours, processor, redis};

/// Servers that belong together; dropped, they are gone.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
    pub(crate) door: Door,
}

/// Where clients come in, and how they speak.
pub(crate) enum Door {
    /// In RESP, at each of these in turn; a write then waits for so many replicas, as Redis counts.
    Resp { addresses: Vec<SocketAddr>, replicas: u8 },
    /// To etcd, at its leader.
    Etcd(SocketAddr),
}

/// How many servers a system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    One,
    Three,
}

impl Cluster {
    /// Starts `system`, and waits until it answers.
    pub(crate) async fn start(
        system: System,
        size: Size,
        durability: Durability,
        ground: &Ground,
    ) -> Result<Cluster> {
        match (system, system.policy()) {
            (_, Some(policy)) => ours::start(policy, size, durability, ground).await,
            (System::Redis, None) => redis::start(size, durability, ground).await,
            (_, None) => etcd::start(size, ground).await,
        }
    }

    /// From now on clients come in at one server, if they came in at several.
    pub(crate) fn gather(&mut self) {
        if let Door::Resp { addresses, .. } = &mut self.door {
            addresses.truncate(1);
        }
    }

    /// Microseconds of processor time its servers took so far.
    pub(crate) fn processor_micros(&self) -> Result<f64> {
        processor::micros(self.servers.iter().map(Server::pid))
    }

    /// Client `number`, connected.
    pub(crate) async fn client(&self, number: usize) -> Result<Client> {
        match &self.door {
            Door::Resp { addresses, replicas } => {
                let address = addresses[number % addresses.len()];
                Ok(Client::Resp(RespClient::connect(address, *replicas).await?))
            }
            Door::Etcd(leader) => Ok(Client::Etcd(EtcdClient::connect(*leader).await?)),
        }
    }
}

impl Size {
    /// How many servers.
    pub(crate) fn servers(self) -> u8 {
        match self {
            Size::One => 1,
            Size::Three => 3,
        }
    }

    /// The fewest of them that are more than half.
    pub(crate) fn quorum(self) -> u8 {
        self.servers() / 2 + 1
    }
}
