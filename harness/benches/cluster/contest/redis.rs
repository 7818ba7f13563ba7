//! Redis: one server, or a primary with two replicas, each with an append-only file.

use std::path::Path;

use anyhow::Result;
use bytes::Bytes;

use super::cluster::{Cluster, Door, Size};
use super::durability::Durability;
use super::ground::Ground;
use super::resp::RespClient;
use super::server::{Server, ready};

const PORT: u16 = 6379;
/// How many replicas must have a write, where there are any: with the primary a majority of three.
const WAITED_FOR: u8 = 1;

/// Starts the servers, and waits until every replica has what is written.
pub(crate) async fn start(size: Size, durability: Durability, ground: &Ground) -> Result<Cluster> {
    let start = |number| server(number, durability, ground);
    let mut servers = (1..=size.servers()).map(start).collect::<Result<Vec<Server>>>()?;
    let primary = ground.address(1, PORT);
    let replicas = size.servers() - 1;
    let (key, value) = (Bytes::from_static(b"ready"), Bytes::from_static(b"yes"));
    ready(&mut servers, async || {
        RespClient::connect(primary, replicas).await?.set(&key, &value).await
    })
    .await?;
    let replicas = replicas.min(WAITED_FOR);
    Ok(Cluster { servers, door: Door::Resp { addresses: vec![primary], replicas } })
}

fn server(number: u8, durability: Durability, ground: &Ground) -> Result<Server> {
    let name = format!("r{number}");
    let data = ground.path().join(&name);
    std::fs::create_dir(&data)?;
    let (address, primary) = (ground.address(number, PORT), ground.address(1, PORT));
    let (host, port) = (address.ip().to_string(), PORT.to_string());
    let data = data.to_string_lossy();
    let mut arguments = vec![
        ["--bind", &host],
        ["--port", &port],
        ["--dir", &data],
        ["--save", ""],
        ["--appendonly", "yes"],
        ["--appendfsync", durability.redis()],
        ["--protected-mode", "no"],
        // Replicas get what is there through memory, not by way of a file.
        ["--repl-diskless-sync", "yes"],
        ["--repl-diskless-sync-delay", "0"],
    ];
    let primary = format!("{} {}", primary.ip(), primary.port());
    if number > 1 {
        arguments.push(["--replicaof", &primary]);
    }
    Server::start(&name, Path::new("redis-server"), &arguments.concat(), ground.path())
}
