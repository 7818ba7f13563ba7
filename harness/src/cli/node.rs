//! `schism node`: one node of the store, as the harness starts it, or alone for `redis-cli`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tokio::runtime::{Builder, Runtime};

use super::Failure;

/// `schism node`
#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    /// A node's configuration (YAML); without one, a single node with one replica of everything
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where a single node listens for clients
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:6379",
        conflicts_with = "config"
    )]
    listen: SocketAddr,
    /// Where a single node keeps its data
    #[arg(long, value_name = "DIR", default_value = "schism-data", conflicts_with = "config")]
    data: PathBuf,
    /// When a single node's write counts as durable: `always`, or an interval such as 100ms
    #[arg(long, value_name = "SYNC", default_value = "always", conflicts_with = "config")]
    sync: store::Sync,
    /// Where a single node answers a Prometheus: `GET /metrics`; without it, nowhere
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    metrics: Option<SocketAddr>,
    /// Threads that serve requests. One is the fastest where nodes, or a node and its clients, have few
    /// cores between them: nothing is handed from one to another
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    threads: u8,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn node(arguments: &NodeArguments) -> Result<u8, Failure> {
    let config = match &arguments.config {
        Some(path) => read_config(path)?,
        None => single(arguments),
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("SCHISM_LOG")
                .unwrap_or_else(|_| "info".into()),
        )
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    runtime(arguments.threads)?.block_on(async {
        let node = store::Node::start(config).await.map_err(|error| match error {
            store::StartError::Config(_) => Failure::usage(error),
            _ => Failure::harness(error),
        })?;
        node.run_until(asked_to_stop()).await.map_err(Failure::harness)
    })?;
    Ok(0)
}

fn runtime(threads: u8) -> Result<Runtime, Failure> {
    let mut runtime = match threads {
        1 => Builder::new_current_thread(),
        threads => {
            let mut runtime = Builder::new_multi_thread();
            runtime.worker_threads(threads.into());
            runtime
        }
    };
    let runtime = runtime.enable_all().build();
    runtime.context("failed to start the runtime").map_err(Failure::harness)
}

fn read_config(path: &std::path::Path) -> Result<store::Config, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read {}", path.display()))
        .map_err(Failure::usage)?;
    serde_yaml::from_str(&text)
        .with_context(|| format!("{} is not the configuration of a node", path.display()))
        .map_err(Failure::usage)
}

/// A cluster of one, for `redis-cli` and friends.
fn single(arguments: &NodeArguments) -> store::Config {
    let peer = SocketAddr::new(arguments.listen.ip(), 0);
    let member = store::Member { node: "n1".to_owned(), client: arguments.listen, peer, weight: 1 };
    store::Config {
        cluster: "single".to_owned(),
        node: "n1".to_owned(),
        data: arguments.data.clone(),
        sync: arguments.sync,
        members: vec![member],
        keyspaces: BTreeMap::new(),
        default: store::Keyspace::default(),
        metrics: arguments.metrics,
        limits: store::Limits::default(),
    }
}

async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Then a signal ends this process by itself; a node that stops unasked would be worse.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
