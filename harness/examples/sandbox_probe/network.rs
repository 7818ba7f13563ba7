//! What happens between nodes: cuts, heals, and who still reaches whom.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::fabric::Fabric;
use harness::grudge::Grudge;

use crate::node::{ask, start_echo};
use crate::{DEADLINE, PORT, names, say};

/// Below the second after which the kernel repeats a lost SYN: who connects in it lost none.
const ONE_SYN: Duration = Duration::from_millis(900);

/// A one-way cut is seen by datagrams: those against the cut are counted and lost, the others arrive.
pub(crate) async fn one_way() -> Result<()> {
    let mut fabric = Fabric::build(&names(3)).await?;
    let (n1, n2) = (datagrams(&fabric, "n1")?, datagrams(&fabric, "n2")?);
    fabric.set_cut(&cut_one_way("n1", "n2"))?;
    n1.send_to(b"lost", n2.local_addr()?)?;
    n2.send_to(b"against the arrow", n1.local_addr()?)?;
    say("n1_heard", heard(&n1)?)?;
    await_dropped(&mut fabric, "n1", "n2", 1).await?;
    say("refused", connect(&fabric, "n1", fabric.address("n3"))?)?;
    say("cut_tcp", connect(&fabric, "n1", fabric.address("n2"))?)?;
    say("cut_tcp_back", connect(&fabric, "n2", fabric.address("n1"))?)?;
    fabric.set_cut(&Grudge::none())?;
    n1.send_to(b"after the heal", n2.local_addr()?)?;
    // Had the first datagram only been late, it would be heard first.
    say("n2_heard", heard(&n2)?)?;
    let dropped = fabric.dropped()?;
    say("dropped_n1_n2", count(&dropped, "n1", "n2"))?;
    // The answers to n2's connection attempt ran into the cut as well, and no other pair was touched.
    say("pairs_dropped", dropped.len())
}

/// An established connection stalls in a cut and goes on after it; a new one works at once.
pub(crate) async fn stall() -> Result<()> {
    let mut fabric = Fabric::build(&names(5)).await?;
    let listener = listen(&fabric, "n2")?;
    let target = listener.local_addr()?;
    let mut sender = fabric.within("n1", || TcpStream::connect(target))??;
    let (mut receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(DEADLINE))?;
    let mut word = [0; 6];
    sender.write_all(b"before")?;
    receiver.read_exact(&mut word)?;
    fabric.set_cut(&Grudge::isolate("n1", &names(5)))?;
    sender.write_all(b"during")?;
    await_dropped(&mut fabric, "n1", "n2", 2).await?;
    receiver.set_nonblocking(true)?;
    say("during_cut", describe(receiver.read(&mut word)))?;
    receiver.set_nonblocking(false)?;
    say("new_in_cut", connect(&fabric, "n1", target.ip())?)?;
    fabric.set_cut(&Grudge::none())?;
    let healed = Instant::now();
    say("new_after_heal", connect_to(&fabric, "n1", target)?)?;
    say("new_after_heal_us", healed.elapsed().as_micros())?;
    receiver.read_exact(&mut word)?;
    say("after_heal", String::from_utf8_lossy(&word))?;
    say("stalled_ms_after_heal", healed.elapsed().as_millis())
}

/// Counters outlive the rules that made them, and a refused change changes nothing.
pub(crate) async fn atomic() -> Result<()> {
    let mut fabric = Fabric::build(&names(4)).await?;
    let sockets: BTreeMap<String, UdpSocket> = names(4)
        .into_iter()
        .map(|node| Ok((node.clone(), datagrams(&fabric, &node)?)))
        .collect::<Result<_>>()?;
    let send = |from: &str, to: &str| -> Result<()> {
        sockets[from].send_to(from.as_bytes(), sockets[to].local_addr()?)?;
        Ok(())
    };
    fabric.set_cut(&Grudge::halves(&names(4)[..2], &names(4)[2..]))?;
    send("n1", "n3")?;
    send("n4", "n2")?;
    await_dropped(&mut fabric, "n1", "n3", 1).await?;
    await_dropped(&mut fabric, "n4", "n2", 1).await?;
    fabric.set_cut(&cut_one_way("n1", "n2"))?;
    send("n1", "n2")?;
    send("n1", "n3")?;
    say("n3_heard", heard(&sockets["n3"])?)?;
    await_dropped(&mut fabric, "n1", "n2", 1).await?;
    let refused = fabric.set_cut(&cut_one_way("n1", "n9")).err().map(|e| e.to_string());
    say("unknown_node", refused.unwrap_or_default())?;
    send("n1", "n2")?;
    await_dropped(&mut fabric, "n1", "n2", 2).await?;
    let dropped = fabric.dropped()?;
    for (pair, packets) in dropped.iter().filter(|(_, packets)| **packets > 0) {
        say(&format!("dropped {} {}", pair.0, pair.1), packets)?;
    }
    Ok(())
}

/// The harness reaches every node while no two nodes reach each other.
pub(crate) async fn clients() -> Result<()> {
    let nodes = names(3);
    let mut fabric = Fabric::build(&nodes).await?;
    let mut running = Vec::new();
    for node in &nodes {
        running.push(start_echo(&fabric, node).await?);
    }
    fabric.set_cut(&Grudge::split(&nodes.iter().map(|n| vec![n.clone()]).collect::<Vec<_>>()))?;
    for node in &nodes {
        say(node, ask(SocketAddr::from((fabric.address(node), PORT)), "hello")?)?;
    }
    say("between", connect_to(&fabric, "n1", SocketAddr::from((fabric.address("n2"), PORT)))?)
}

/// A second network in the same run, while a node of the first still runs.
pub(crate) async fn again() -> Result<()> {
    let mut first = Fabric::build(&names(3)).await?;
    let _straggler = start_echo(&first, "n1").await?;
    first.set_cut(&Grudge::isolate("n1", &names(3)))?;
    drop(first);
    let mut second = Fabric::build(&names(2)).await?;
    let _node = start_echo(&second, "n2").await?;
    let address = SocketAddr::from((second.address("n2"), PORT));
    say("old_cut", connect_to(&second, "n1", address)?)?;
    say("dropped", second.dropped()?.len())
}

/// As many nodes as there may be, all apart.
pub(crate) async fn many() -> Result<()> {
    let nodes = names(30);
    let mut fabric = Fabric::build(&nodes).await?;
    let (first, last) = (datagrams(&fabric, "n1")?, datagrams(&fabric, "n30")?);
    fabric.set_cut(&Grudge::split(&nodes.iter().map(|n| vec![n.clone()]).collect::<Vec<_>>()))?;
    first.send_to(b"lost", last.local_addr()?)?;
    await_dropped(&mut fabric, "n1", "n30", 1).await?;
    say("rules", fabric.dropped()?.len())?;
    let one_more = Fabric::build(&names(31)).await.err().map(|e| e.to_string());
    say("one_more", one_more.unwrap_or_default())
}

/// How long the fabric takes: printed, never judged.
pub(crate) async fn speed() -> Result<()> {
    let nodes = names(5);
    let began = Instant::now();
    let mut fabric = Fabric::build(&nodes).await?;
    say("build_ms", began.elapsed().as_millis())?;
    let cut = Grudge::halves(&nodes[..2], &nodes[2..]);
    let (mut cuts, mut heals) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        cuts.push(timed(|| fabric.set_cut(&cut))?);
        heals.push(timed(|| fabric.set_cut(&Grudge::none()))?);
    }
    cuts.sort_unstable();
    heals.sort_unstable();
    say("cut_us", format!("p50 {} max {}", cuts[100], cuts[199]))?;
    say("heal_us", format!("p50 {} max {}", heals[100], heals[199]))
}

fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<u128, E> {
    let began = Instant::now();
    work().map(|_| began.elapsed().as_micros())
}

fn cut_one_way(from: &str, to: &str) -> Grudge {
    Grudge::one_way(&[from.to_owned()], &[to.to_owned()])
}

fn datagrams(fabric: &Fabric, node: &str) -> Result<UdpSocket> {
    let address = SocketAddr::from((fabric.address(node), PORT));
    let socket = fabric.within(node, || UdpSocket::bind(address))??;
    socket.set_read_timeout(Some(DEADLINE))?;
    Ok(socket)
}

fn heard(socket: &UdpSocket) -> Result<String> {
    let mut buffer = [0; 64];
    let (length, _) = socket.recv_from(&mut buffer).context("no datagram arrived")?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn listen(fabric: &Fabric, node: &str) -> Result<TcpListener> {
    let address = SocketAddr::from((fabric.address(node), PORT));
    Ok(fabric.within(node, || TcpListener::bind(address))??)
}

fn connect(fabric: &Fabric, from: &str, to: impl Into<IpAddr>) -> Result<String> {
    connect_to(fabric, from, SocketAddr::new(to.into(), PORT))
}

fn connect_to(fabric: &Fabric, from: &str, target: SocketAddr) -> Result<String> {
    let attempt = fabric.within(from, || TcpStream::connect_timeout(&target, ONE_SYN))?;
    Ok(describe(attempt.map(|_| "connected")))
}

fn describe<T: Display>(attempt: io::Result<T>) -> String {
    attempt.map_or_else(|error| format!("{:?}", error.kind()), |done| done.to_string())
}

fn count(dropped: &BTreeMap<(String, String), u64>, from: &str, to: &str) -> u64 {
    dropped.get(&(from.to_owned(), to.to_owned())).copied().unwrap_or(0)
}

async fn await_dropped(fabric: &mut Fabric, from: &str, to: &str, least: u64) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let dropped = fabric.dropped()?;
        if count(&dropped, from, to) >= least {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "only these were dropped: {dropped:?}");
        tokio::task::yield_now().await;
    }
}
