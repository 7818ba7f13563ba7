//! How many operations a second the harness records: `cargo bench -p harness --bench recorder`.
//!
//! The program starts itself again as a second process: a server that answers `GET` and `SET` at
//! once and stores nothing. Workers drive it through everything a run uses, generator, client, worker
//! and recorder, into a real file. So the number is an upper bound for what a run can ask of a
//! store, and must lie well above what a store can answer: at least 50,000 a second, or the harness
//! would be the bottleneck of what it measures.
//!
//! Each round also drives the same clients without a recorder; the ratio of the two is the price of
//! recording, and holds on another machine, or on a busy one, where the absolute numbers do not. So
//! does the processor time that the recording process takes an operation.
#![expect(clippy::print_stdout, reason = "what a benchmark prints is its result")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::clock::Clock;
use harness::recorder::Recorder;
use harness::seed::Seed;
use harness::worker::{SharedGenerator, Worker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use workloads::{Connector, RegisterOptions, WorkloadSpec};

const WORKERS: u32 = 64;
const ROUNDS: usize = 5;
const TIMEOUT: Duration = Duration::from_secs(5);

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--serve") {
        return tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?
            .block_on(serve());
    }
    // Run as a test, it shows only that it still works.
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let (rounds, length) =
        if is_bench { (ROUNDS, Duration::from_secs(2)) } else { (1, Duration::from_millis(50)) };
    let (server, address) = start_server()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut rates = Vec::new();
    for round in 0..rounds {
        let bare = runtime.block_on(bare_round(address, length));
        let before = processor_seconds()?;
        let (operations, seconds) = runtime.block_on(recorded_round(address, length));
        let micros = (processor_seconds()? - before) * 1e6 / operations;
        let recorded = operations / seconds;
        println!(
            "round {round}: recorded {recorded:>8.0} op/s, {micros:>5.1} us each, bare {bare:>8.0} op/s"
        );
        rates.push((recorded, bare, micros));
    }
    drop(server);
    let recorded = median(rates.iter().map(|(recorded, ..)| *recorded));
    let ratio = median(rates.iter().map(|(recorded, bare, _)| recorded / bare));
    let micros = median(rates.iter().map(|(.., micros)| *micros));
    println!(
        "median of {rounds}: {recorded:.0} recorded op/s, {micros:.1} us of processor time each, \
         {ratio:.2} of the same without recorder"
    );
    Ok(())
}

/// Processor time this process took so far, all threads, user and system: fields 14 and 15 of
/// proc(5)'s stat, in hundredths of a second.
fn processor_seconds() -> std::io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(") ").unwrap_or_default();
    let ticks =
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / 100.0)
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// Operations through workers and recorder, into a file, and the seconds they took.
async fn recorded_round(address: SocketAddr, length: Duration) -> (f64, f64) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let clock = Clock::start();
    let recorder = Recorder::create(&dir.path().join("history.jsonl"), clock).expect("a new file");
    let (generator, connector) = workload();
    let (stop, stopping) = watch::channel(false);
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| Worker {
            number,
            workers: WORKERS,
            nodes: vec![("n1".into(), address)],
            generator: generator.clone(),
            connector: connector.clone(),
            recorder: recorder.clone(),
            timeout: TIMEOUT,
            pace: None,
            stop: stopping.clone(),
        })
        .map(|worker| tokio::spawn(worker.run()))
        .collect();
    tokio::time::sleep(length).await;
    stop.send_replace(true);
    for worker in workers {
        worker.await.expect("a worker ends").expect("every event is recorded");
    }
    let tally = recorder.finish().expect("the history is synced");
    assert_eq!(tally.invoked, tally.ok, "the echo server answers everything");
    (tally.ok as f64, clock.elapsed().as_secs_f64())
}

/// Operations a second of the same clients and generator, nothing recorded.
async fn bare_round(address: SocketAddr, length: Duration) -> f64 {
    let (generator, connector) = workload();
    let start = Instant::now();
    let clients: Vec<_> = (0..WORKERS)
        .map(|number| {
            let (generator, connector) = (generator.clone(), connector.clone());
            tokio::spawn(async move {
                let mut client = connector.connect(address, TIMEOUT).await.expect("it listens");
                let mut operations = 0_u64;
                while start.elapsed() < length {
                    let next = generator.lock().expect("no generator panics").next(number);
                    let invocation = next.expect("registers never end");
                    client.invoke(&invocation).await;
                    operations += 1;
                }
                operations
            })
        })
        .collect();
    let mut operations = 0;
    for client in clients {
        operations += client.await.expect("a client ends");
    }
    operations as f64 / start.elapsed().as_secs_f64()
}

fn workload() -> (SharedGenerator, Arc<dyn Connector>) {
    let workload = WorkloadSpec::Register(RegisterOptions::default()).build();
    let generator = workload.generator(Seed(1).stream("workload/register"));
    (Arc::new(Mutex::new(generator)), workload.connector())
}

/// The echo server; it ends with the benchmark, whatever ends that.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_server() -> std::io::Result<(Server, SocketAddr)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line)?;
    let address = line.trim().parse().map_err(std::io::Error::other)?;
    Ok((Server(child), address))
}

/// Prints its address, then answers until its standard input closes, as it does when we die.
async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(answer(stream));
    }
}

/// Clients keep one request outstanding, so each read brings one: an array of two is a `GET`, of
/// three a `SET`.
async fn answer(mut stream: TcpStream) {
    let mut request = [0; 1024];
    while let Ok(1..) = stream.read(&mut request).await {
        let reply: &[u8] = if request[1] == b'2' { b"$1\r\n1\r\n" } else { b"+OK\r\n" };
        if stream.write_all(reply).await.is_err() {
            break;
        }
    }
}
