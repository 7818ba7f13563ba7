//! What happens to a node, and the nodes themselves.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::fabric::Fabric;
use harness::grudge::Grudge;
use harness::process::NodeProcess;

use crate::{DEADLINE, PORT, names, say};

/// What is done to a node, and how it shows.
pub(crate) async fn process() -> Result<()> {
    let fabric = Fabric::build(&names(2)).await?;
    let mut node = start_echo(&fabric, "n1").await?;
    let address = SocketAddr::from((fabric.address("n1"), PORT));
    say("running", node.is_running()?)?;
    say("paused", node.pause().await?.states)?;
    say("read_back", node.states()?.states)?;
    say("resumed", node.resume().await?.states.contains('T'))?;
    say("answers", ask(address, "again")?)?;
    node.pause().await?;
    say("killed", node.kill().await?)?;
    say("running_after", node.is_running()?)?;
    say("killed_again", node.kill().await?)?;
    say("pause_dead", node.pause().await.err().map(|e| e.to_string()).unwrap_or_default())?;
    say("restarted", start_echo(&fabric, "n1").await?.is_running()?)?;
    let mut polite = start_echo(&fabric, "n2").await?;
    polite.pause().await?;
    say("polite", polite.terminate(DEADLINE).await?)?;
    let mut stubborn = start(&fabric, "n2", &["stubborn"]).await?;
    await_log("n2", "will not go").await?;
    say("stubborn", stubborn.terminate(Duration::from_millis(100)).await?)?;
    let missing = PathBuf::from("/nonexistent/program");
    let failed =
        NodeProcess::spawn("n1", &missing, &[], fabric.namespace("n1"), &log_of("n1")).await;
    say("missing", failed.err().map(|e| e.to_string()).unwrap_or_default())
}

/// A full run's worth of things to leave behind; waits to be killed.
pub(crate) async fn hang() -> Result<()> {
    let nodes = names(3);
    let mut fabric = Fabric::build(&nodes).await?;
    let mut running = Vec::new();
    for node in &nodes {
        running.push(start_echo(&fabric, node).await?);
    }
    fabric.set_cut(&Grudge::majority_ring(&nodes))?;
    running[0].pause().await?;
    say("up", true)?;
    std::future::pending().await
}

/// A node: returns every line it is sent.
pub(crate) fn echo(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    loop {
        let (mut stream, _) = listener.accept()?;
        std::thread::spawn(move || {
            let mut copy = stream.try_clone()?;
            io::copy(&mut copy, &mut stream)
        });
    }
}

/// A node that does not heed SIGTERM.
pub(crate) fn stubborn() -> Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    SigSet::from(Signal::SIGTERM).thread_block()?;
    writeln!(io::stdout(), "will not go")?;
    loop {
        std::thread::park();
    }
}

async fn start(fabric: &Fabric, node: &str, args: &[&str]) -> Result<NodeProcess> {
    let program = std::env::current_exe()?;
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    Ok(NodeProcess::spawn(node, &program, &args, fabric.namespace(node), &log_of(node)).await?)
}

pub(crate) async fn start_echo(fabric: &Fabric, node: &str) -> Result<NodeProcess> {
    let address = SocketAddr::from((fabric.address(node), PORT));
    let mut process = start(fabric, node, &["echo", &address.to_string()]).await?;
    let deadline = Instant::now() + DEADLINE;
    while tokio::net::TcpStream::connect(address).await.is_err() {
        ensure!(process.is_running()?, "{node} ended: {:?}", process.exit());
        ensure!(Instant::now() < deadline, "{node} does not listen at {address}");
        tokio::task::yield_now().await;
    }
    Ok(process)
}

fn log_of(node: &str) -> PathBuf {
    format!("{node}.log").into()
}

async fn await_log(node: &str, expected: &str) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let log = std::fs::read_to_string(log_of(node)).unwrap_or_default();
        if log.contains(expected) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the log of {node} says only {log:?}");
        tokio::task::yield_now().await;
    }
}

pub(crate) fn ask(address: SocketAddr, word: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).with_context(|| format!("no answer from {address}"))?;
    Ok(String::from_utf8(answer)?)
}
