//! Our store: one node, or three with three replicas of every key and quorums of two.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use store::{Config, Keyspace, Limits, Member, Policy};

use super::cluster::{Cluster, Door, Size};
use super::durability::Durability;
use super::ground::Ground;
use super::resp::RespClient;
use super::server::{Server, ready};

const CLIENT_PORT: u16 = 7000;
const PEER_PORT: u16 = 7001;

/// Starts the nodes, and waits until each takes writes and shows them.
pub(crate) async fn start(
    policy: Policy,
    size: Size,
    durability: Durability,
    ground: &Ground,
) -> Result<Cluster> {
    let nodes: Vec<Config> = configurations(policy, size, durability, ground);
    let start = |config: &Config| node(config, ground.path());
    let mut servers = nodes.iter().map(start).collect::<Result<Vec<Server>>>()?;
    let addresses: Vec<SocketAddr> = nodes[0].members.iter().map(|member| member.client).collect();
    ready(&mut servers, async || answer(&addresses).await).await?;
    Ok(Cluster { servers, door: Door::Resp { addresses, replicas: 0 } })
}

fn configurations(
    policy: Policy,
    size: Size,
    durability: Durability,
    ground: &Ground,
) -> Vec<Config> {
    let (n, quorum) = (size.servers().into(), size.quorum().into());
    let member = |number| Member {
        node: format!("n{number}"),
        client: ground.address(number, CLIENT_PORT),
        peer: ground.address(number, PEER_PORT),
        weight: 1,
    };
    let members: Vec<Member> = (1..=size.servers()).map(member).collect();
    let config = |member: &Member| Config {
        cluster: "contest".to_owned(),
        node: member.node.clone(),
        data: ground.path().join(&member.node),
        sync: durability.ours(),
        members: members.clone(),
        keyspaces: BTreeMap::new(),
        default: Keyspace { policy, n, r: quorum, w: quorum, ..Keyspace::default() },
        limits: Limits::default(),
        metrics: None,
    };
    members.iter().map(config).collect()
}

fn node(config: &Config, directory: &Path) -> Result<Server> {
    let file = format!("{}.yaml", config.node);
    let text = serde_yaml::to_string(config).context("failed to write a configuration")?;
    std::fs::write(directory.join(&file), text).context("failed to write a configuration")?;
    let schism = Path::new(env!("CARGO_BIN_EXE_schism"));
    Server::start(&config.node, schism, &["node", "--config", &file], directory)
}

async fn answer(addresses: &[SocketAddr]) -> Result<()> {
    let (key, value) = (Bytes::from_static(b"ready"), Bytes::from_static(b"yes"));
    for &address in addresses {
        let mut client = RespClient::connect(address, 0).await?;
        client.set(&key, &value).await?;
        let held = client.get(&key).await?;
        ensure!(
            held.as_ref() == Some(&value),
            "a node that has just been written to holds {held:?}"
        );
    }
    Ok(())
}
