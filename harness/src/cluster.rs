//! The nodes under test: one child process each, in a network namespace of its own.
//!
//! The cluster knows how to start, break and mend its nodes; when and whom is the nemesis' business.
//! Each node leaves behind `nodes/<id>/`: its configuration, its log, its data.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::Signal;
use results::RunDirectory;
use tokio::time::{Instant, sleep};

use crate::catch_up;
use crate::control;
use crate::disk::{self, Erased};
use crate::fabric::Fabric;
use crate::grudge::Grudge;
use crate::plan::Plan;
use crate::process::{ExitEvidence, NodeProcess, StateEvidence};
use crate::suite::ClusterSpec;

/// Where nodes listen for clients, and for each other.
const CLIENT_PORT: u16 = 7000;
const PEER_PORT: u16 = 7001;

/// How long a node may take from its start to its first answer.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// How long the nodes of a new cluster may then take to compare themselves with each other.
const CATCH_UP_DEADLINE: Duration = Duration::from_secs(20);
/// How long a node may take to close cleanly before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// Packets dropped so far, by directed pair.
pub type Dropped = BTreeMap<(String, String), u64>;

/// The nodes under test, and the network between them.
pub struct Cluster {
    fabric: Fabric,
    program: PathBuf,
    nodes: BTreeMap<String, Node>,
}

/// One node: what it needs to be started, and its process while it runs.
struct Node {
    directory: PathBuf,
    client: SocketAddr,
    process: Option<NodeProcess>,
}

/// A node that ended without being asked to.
#[derive(Debug)]
pub struct Crash {
    /// Which.
    pub node: String,
    /// How it ended.
    pub status: String,
    /// The last lines of its log.
    pub last_words: String,
}

impl Cluster {
    /// Builds the network and starts every node of `plan`; returns when all of them answer
    /// and have caught up with each other.
    pub async fn start(plan: &Plan, directory: &RunDirectory) -> Result<Cluster> {
        let names = plan.suite.node_names();
        let fabric = Fabric::build(&names).await.context("failed to build the network")?;
        let program = std::env::current_exe().context("failed to find the schism binary")?;
        let mut cluster = Cluster { fabric, program, nodes: BTreeMap::new() };
        let members: Vec<store::Member> = names.iter().map(|name| cluster.member(name)).collect();
        for (name, member) in names.iter().zip(&members) {
            let home = directory.node(name);
            write_config(plan, name, &members, &home)?;
            let node = Node { directory: home, client: member.client, process: None };
            cluster.nodes.insert(name.clone(), node);
            cluster.spawn(name).await?;
        }
        for name in &names {
            if let Some(why) = cluster.silence(name).await? {
                bail!("node {name} did not start: {why}");
            }
        }
        let ready = catch_up::wait(&cluster.addresses(), CATCH_UP_DEADLINE).await;
        ready.map_err(|why| anyhow!("the cluster did not get ready {why}"))?;
        Ok(cluster)
    }

    fn member(&self, name: &str) -> store::Member {
        let address = self.fabric.address(name);
        store::Member {
            node: name.to_owned(),
            client: SocketAddr::from((address, CLIENT_PORT)),
            peer: SocketAddr::from((address, PEER_PORT)),
            weight: 1,
        }
    }

    /// Where clients reach each node, by name.
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        self.nodes.iter().map(|(name, node)| (name.clone(), node.client)).collect()
    }

    async fn spawn(&mut self, name: &str) -> Result<()> {
        let node = self.nodes.get(name).with_context(|| format!("there is no node {name}"))?;
        let config = node.directory.join("node.yaml");
        let arguments = ["node".to_owned(), "--config".to_owned(), config.display().to_string()];
        let log = node.directory.join("node.log");
        let namespace = self.fabric.namespace(name);
        let process = NodeProcess::spawn(name, &self.program, &arguments, namespace, &log).await?;
        self.node(name)?.process = Some(process);
        Ok(())
    }

    /// Waits for a node's first answer; `None` when it has come, else why it did not.
    async fn silence(&mut self, name: &str) -> Result<Option<String>> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let node = self.node(name)?;
            if let Some(exit) = node.ended()? {
                return Ok(Some(format!("it {exit}; its last words: {}", node.last_words())));
            }
            match control::ping(node.client, Duration::from_millis(250)).await {
                Ok(()) => return Ok(None),
                Err(error) if Instant::now() > deadline => {
                    return Ok(Some(format!("no answer within {START_DEADLINE:?}: {error}")));
                }
                Err(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    fn node(&mut self, name: &str) -> Result<&mut Node> {
        self.nodes.get_mut(name).with_context(|| format!("there is no node {name}"))
    }

    /// Kills a node (SIGKILL), and waits until it is gone; `None` if it had ended by itself.
    pub async fn kill(&mut self, name: &str) -> Result<Option<ExitEvidence>> {
        let node = self.node(name)?;
        let Some(process) = &mut node.process else { return Ok(None) };
        if !process.is_running()? {
            return Ok(None);
        }
        let exit = process.kill().await?;
        if exit.signal != Some(Signal::SIGKILL as i32) {
            return Ok(None);
        }
        node.process = None;
        Ok(Some(exit))
    }

    /// Removes all that a killed node has on disk.
    pub fn erase(&mut self, name: &str) -> Result<Erased> {
        let node = self.node(name)?;
        assert!(node.process.is_none(), "only the disk of a node that is gone is erased");
        let disk = node.disk();
        disk::erase(&disk).with_context(|| format!("failed to erase {}", disk.display()))
    }

    /// How many entries a node's disk has.
    pub fn count_on_disk(&self, name: &str) -> Result<usize> {
        let node = self.nodes.get(name).with_context(|| format!("there is no node {name}"))?;
        let disk = node.disk();
        disk::count_entries(&disk).with_context(|| format!("failed to read {}", disk.display()))
    }

    /// Whether a node's process runs, paused or not.
    pub fn is_running(&mut self, name: &str) -> bool {
        let process = self.nodes.get_mut(name).and_then(|node| node.process.as_mut());
        process.is_some_and(|process| process.is_running().unwrap_or(false))
    }

    /// Starts a killed node again on what it left behind; `None` when it answers, else why not.
    pub async fn restart(&mut self, name: &str) -> Result<Option<String>> {
        self.spawn(name).await?;
        self.silence(name).await
    }

    /// Stops a node where it stands (SIGSTOP); `None` if it had ended by itself.
    pub async fn pause(&mut self, name: &str) -> Result<Option<StateEvidence>> {
        let Some(process) = &mut self.node(name)?.process else { return Ok(None) };
        match process.pause().await {
            Err(_) if !process.is_running()? => Ok(None),
            paused => Ok(Some(paused?)),
        }
    }

    /// Lets a stopped node go on (SIGCONT); `None` if it has ended meanwhile.
    pub async fn resume(&mut self, name: &str) -> Result<Option<StateEvidence>> {
        let Some(process) = &mut self.node(name)?.process else { return Ok(None) };
        match process.resume().await {
            Err(_) if !process.is_running()? => Ok(None),
            resumed => Ok(Some(resumed?)),
        }
    }

    /// Replaces the cut in force by `grudge`, at once; an empty one heals.
    pub fn cut(&mut self, grudge: &Grudge) -> Result<()> {
        self.fabric.set_cut(grudge).context("failed to change the cut")
    }

    /// Packets dropped by cuts since the start.
    pub fn dropped(&mut self) -> Result<Dropped> {
        self.fabric.dropped().context("failed to read the counters of dropped packets")
    }

    /// Nodes that ended without being asked to; each is named once.
    pub fn crashes(&mut self) -> Vec<Crash> {
        let mut crashes = Vec::new();
        for (name, node) in &mut self.nodes {
            let Ok(Some(exit)) = node.ended() else { continue };
            node.process = None;
            // For people, beside the log; what counts is recorded in the history.
            let _ = std::fs::write(node.directory.join("exit"), format!("{exit}\n"));
            let (node, status, last_words) = (name.clone(), exit.to_string(), node.last_words());
            crashes.push(Crash { node, status, last_words });
        }
        crashes
    }

    /// Ends every node, cleanly where it heeds, and writes how each ended beside its log.
    pub async fn stop(mut self) -> Result<()> {
        for (name, node) in &mut self.nodes {
            let Some(mut process) = node.process.take() else { continue };
            let exit = process
                .terminate(STOP_DEADLINE)
                .await
                .with_context(|| format!("failed to stop node {name}"))?;
            std::fs::write(node.directory.join("exit"), format!("{exit}\n"))
                .with_context(|| format!("failed to note how node {name} ended"))?;
        }
        Ok(())
    }
}

/// Writes `nodes/<id>/node.yaml`.
fn write_config(plan: &Plan, name: &str, members: &[store::Member], home: &Path) -> Result<()> {
    std::fs::create_dir_all(home)
        .with_context(|| format!("failed to create {}", home.display()))?;
    let spec = &plan.suite.cluster;
    let config = store::Config {
        cluster: format!("{}-{}", plan.suite.suite, plan.seed),
        node: name.to_owned(),
        data: disk_of(home),
        sync: spec.sync,
        members: members.to_vec(),
        keyspaces: spec.keyspaces.clone(),
        default: store::Keyspace::default(),
        metrics: None,
        limits: limits(spec),
    };
    let path = home.join("node.yaml");
    let text = serde_yaml::to_string(&config).context("failed to write a node's configuration")?;
    std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// What the suite chose of a node's limits; the rest is as usual.
fn limits(spec: &ClusterSpec) -> store::Limits {
    let usual = store::Limits::default();
    let reap_every_ms = spec.reap_every.map(|every| every.as_millis() as u64);
    store::Limits {
        deadline_ms: spec.timeout.as_millis() as u64,
        reap_every_ms: reap_every_ms.unwrap_or(usual.reap_every_ms),
        ..usual
    }
}

/// Where a node keeps all its data, below its directory.
fn disk_of(home: &Path) -> PathBuf {
    home.join("data")
}

impl Node {
    fn disk(&self) -> PathBuf {
        disk_of(&self.directory)
    }

    /// How its process ended, if it did without being asked to.
    fn ended(&mut self) -> Result<Option<ExitEvidence>> {
        let Some(process) = &mut self.process else { return Ok(None) };
        process.is_running()?;
        Ok(process.exit())
    }

    /// The last lines of its log, on one line.
    fn last_words(&self) -> String {
        let log = self.directory.join("node.log");
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().filter(|line| !line.is_empty()).take(3).collect();
        if lines.is_empty() {
            return format!("{} is empty", log.display());
        }
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{Embedded, Suite};

    #[test]
    fn a_node_reaps_as_often_as_its_suite_says() {
        let limits = |name: &str| {
            let text = Embedded::named(name).expect("it is embedded").text;
            limits(&Suite::parse(name, text).expect("it is valid").cluster)
        };
        assert_eq!(limits("tombstones").reap_every_ms, 1_000);
        let usual = store::Limits::default();
        assert_eq!(limits("smoke"), store::Limits { deadline_ms: 500, ..usual });
    }
}
