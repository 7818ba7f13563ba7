//! A program that enters the sandbox, does one thing there, and says what it saw.
//!
//! Entering needs a `main` with one thread, which a test has not; so the tests run this and judge its
//! observations, one `key=value` a line. It asserts nothing itself, except that it gets that far:
//! whatever takes longer than its deadline ends it with an error that names what it waited for.
//!
//! It is its own node, too: `sandbox_probe echo ADDRESS` serves, `sandbox_probe stubborn` will not go.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::fabric::Fabric;
use harness::grudge::Grudge;
use harness::process::NodeProcess;
use harness::sandbox::{self, Inside};

const PORT: u16 = 7000;
const DEADLINE: Duration = Duration::from_secs(20);
/// Below the second after which the kernel repeats a lost SYN: who connects in it lost none.
const ONE_SYN: Duration = Duration::from_millis(900);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["echo", address] => echo(address.parse()?),
        ["stubborn"] => stubborn(),
        ["exit", code] => {
            sandbox::enter()?;
            std::process::exit(code.parse()?)
        }
        ["doctor"] => {
            for probe in harness::doctor::probe() {
                say(&probe.name, format!("{:?}", probe.outcome))?;
            }
            Ok(())
        }
        ["threads"] => {
            let (release, held) = std::sync::mpsc::channel::<()>();
            let second = std::thread::spawn(move || held.recv());
            say("refused", sandbox::enter().expect_err("two threads cannot enter"))?;
            drop(release);
            drop(second.join());
            Ok(())
        }
        ["suicide"] => {
            sandbox::enter()?;
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)?;
            bail!("survived SIGKILL")
        }
        [scenario] => {
            let inside = sandbox::enter()?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(play(scenario, &inside))
        }
        _ => bail!("usage: sandbox_probe SCENARIO"),
    }
}

async fn play(scenario: &str, inside: &Inside) -> Result<()> {
    match scenario {
        "place" => place(inside),
        "one-way" => one_way().await,
        "stall" => stall().await,
        "atomic" => atomic().await,
        "clients" => clients().await,
        "again" => again().await,
        "many" => many().await,
        "process" => process().await,
        "signals" => signals().await,
        "speed" => speed().await,
        "hang" => hang().await,
        other => bail!("no scenario {other}"),
    }
}

/// One observation. Standard output is what this program is for.
fn say(key: &str, value: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{key}={value}")?;
    Ok(out.flush()?)
}

fn names(count: usize) -> Vec<String> {
    (1..=count).map(|i| format!("n{i}")).collect()
}

fn cut_one_way(from: &str, to: &str) -> Grudge {
    Grudge::one_way(&[from.to_owned()], &[to.to_owned()])
}

/// Where are we, and whose are the files we make?
fn place(inside: &Inside) -> Result<()> {
    say("tier", &inside.tier)?;
    say("run", &inside.run)?;
    say("own_proc", inside.own_proc)?;
    say("pid", std::process::id())?;
    say("init", std::fs::read_to_string("/proc/1/comm")?.trim())?;
    say("cwd", std::env::current_dir()?.display())?;
    std::fs::write("made-inside", "by the harness")?;
    say("owner_inside", std::fs::metadata("made-inside")?.uid())
}

/// A one-way cut is seen by datagrams: those against the cut are counted and lost, the others arrive.
async fn one_way() -> Result<()> {
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
async fn stall() -> Result<()> {
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
async fn atomic() -> Result<()> {
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
async fn clients() -> Result<()> {
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
async fn again() -> Result<()> {
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
async fn many() -> Result<()> {
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

/// What is done to a node, and how it shows.
async fn process() -> Result<()> {
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

/// How often is a signal heard that was sent once?
async fn signals() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    say("ready", true)?;
    let mut heard = 0;
    loop {
        tokio::select! {
            biased;
            _ = interrupts.recv() => heard += 1,
            _ = terminations.recv() => return say("interrupts", heard),
            () = tokio::time::sleep(DEADLINE) => bail!("waited for SIGTERM in vain"),
        }
    }
}

/// How long the fabric takes: printed, never judged.
async fn speed() -> Result<()> {
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

/// A full run's worth of things to leave behind; waits to be killed.
async fn hang() -> Result<()> {
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
fn echo(address: SocketAddr) -> Result<()> {
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
fn stubborn() -> Result<()> {
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

async fn start_echo(fabric: &Fabric, node: &str) -> Result<NodeProcess> {
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

fn ask(address: SocketAddr, word: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).with_context(|| format!("no answer from {address}"))?;
    Ok(String::from_utf8(answer)?)
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

fn connect(fabric: &Fabric, from: &str, to: impl Into<std::net::IpAddr>) -> Result<String> {
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
