//! Members of etcd, as it comes: every write is synced before it counts.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, bail};
use bytes::Bytes;

use super::EtcdClient;
use crate::contest::cluster::{Cluster, Door, Size};
use crate::contest::ground::Ground;
use crate::contest::server::{Server, ready};

const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;

/// Starts the members, and waits until each takes writes. The door is the leader's, to whom the
/// others would only hand on what they are asked.
pub(crate) async fn start(size: Size, ground: &Ground) -> Result<Cluster> {
    let members = 1..=size.servers();
    let peers: Vec<String> = members
        .clone()
        .map(|last| format!("e{last}=http://{}", ground.address(last, PEER_PORT)))
        .collect();
    let start = |last| member(ground, last, &peers.join(","));
    let mut servers = members.clone().map(start).collect::<Result<Vec<Server>>>()?;
    let doors: Vec<SocketAddr> = members.map(|last| ground.address(last, CLIENT_PORT)).collect();
    let leader = ready(&mut servers, async || leader(&doors).await).await?;
    Ok(Cluster { servers, door: Door::Etcd(leader) })
}

fn member(ground: &Ground, last: u8, peers: &str) -> Result<Server> {
    let name = format!("e{last}");
    let client = format!("http://{}", ground.address(last, CLIENT_PORT));
    let peer = format!("http://{}", ground.address(last, PEER_PORT));
    let data = ground.path().join(&name);
    let data = data.to_string_lossy();
    let arguments = [
        ["--name", &name],
        ["--data-dir", &data],
        ["--listen-client-urls", &client],
        ["--advertise-client-urls", &client],
        ["--listen-peer-urls", &peer],
        ["--initial-advertise-peer-urls", &peer],
        ["--initial-cluster", peers],
        ["--initial-cluster-state", "new"],
        ["--logger", "zap"],
        ["--log-level", "warn"],
    ];
    Server::start(&name, Path::new("etcd"), &arguments.concat(), ground.path())
}

/// The leader, once every member has taken a write.
async fn leader(doors: &[SocketAddr]) -> Result<SocketAddr> {
    let mut leader = None;
    for &door in doors {
        let mut client = EtcdClient::connect(door).await?;
        client.set(&Bytes::from_static(b"ready"), &Bytes::from_static(b"yes")).await?;
        if client.leads().await? {
            leader = Some(door);
        }
    }
    let Some(leader) = leader else { bail!("no member leads") };
    Ok(leader)
}
