//! The load generator: clients in a closed loop, each with one request outstanding.
//!
//! ```text
//! start ──── warm-up ────> from ──── measured ────> until
//! ```
//!
//! An operation counts if its *answer* falls between `from` and `until`, so that as many are cut off
//! at one end as at the other. A closed loop does not see how long others would have queued while a
//! server stalls (coordinated omission): its percentiles compare systems under equal clients, and are
//! not what users at a fixed rate would meet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use harness::seed::Seed;
use hdrhistogram::Histogram;
use rand::Rng as _;
use rand::rngs::ChaCha8Rng;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::answer::{self, FILLER, Ledger};
use super::cell::Cell;
use super::client::{Client, FILL_PAIRS};
use super::cluster::Cluster;
use super::figures::Figures;
use super::processor;

/// Clients that fill.
const FILLERS: u64 = 8;
/// How much longer than planned a load may take: a request without an answer ends the contest.
const PATIENCE: Duration = Duration::from_secs(30);
/// A fill may take as long as the slowest disk needs.
const FILL_DEADLINE: Duration = Duration::from_mins(10);
const LONGEST_NANOS: u64 = 120_000_000_000;

/// How long a load runs, and over how many keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
    pub(crate) keys: u64,
}

/// Writes every key once, under the name that clients will ask for.
pub(crate) async fn fill(
    cluster: &Cluster,
    ledger: &Arc<Ledger>,
    keys: u64,
    key: fn(u64) -> Bytes,
) -> Result<()> {
    let mut fillers = JoinSet::new();
    for filler in 0..FILLERS {
        let client = cluster.client(filler as usize).await?;
        fillers.spawn(fill_part(client, filler, Arc::clone(ledger), keys, key));
    }
    let filled = async {
        while let Some(filled) = fillers.join_next().await {
            filled.context("a client panicked")??;
        }
        anyhow::Ok(())
    };
    timeout(FILL_DEADLINE, filled).await.context("failed to fill in time")?
}

/// Every so manieth batch of keys.
async fn fill_part(
    mut client: Client,
    part: u64,
    ledger: Arc<Ledger>,
    keys: u64,
    key: fn(u64) -> Bytes,
) -> Result<()> {
    let batches = (part * FILL_PAIRS..keys).step_by((FILLERS * FILL_PAIRS) as usize);
    for first in batches {
        let numbers = first..keys.min(first + FILL_PAIRS);
        let pairs: Vec<_> =
            numbers.map(|number| (key(number), ledger.begin(number, FILLER))).collect();
        client.fill(&pairs).await.context("failed to fill")?;
    }
    Ok(())
}

/// Runs one load, and measures it.
pub(crate) async fn drive(
    cluster: &Cluster,
    cell: Cell,
    pace: Pace,
    ledger: &Arc<Ledger>,
) -> Result<Figures> {
    let mut workers = JoinSet::new();
    let mut connected = Vec::new();
    for writer in 1..=cell.clients {
        connected.push((writer, cluster.client(writer.into()).await?));
    }
    let from = Instant::now() + pace.warm_up;
    let until = from + pace.length;
    for (writer, client) in connected {
        let draws = Seed(0).stream(&format!("{cell}/{writer}"));
        let ledger = Arc::clone(ledger);
        let worker = Worker { client, writer, cell, keys: pace.keys, ledger, draws };
        workers.spawn(worker.run(from, until));
    }
    let (latencies, processor) = tokio::try_join!(
        async {
            let all = timeout(pace.warm_up + pace.length + PATIENCE, gather(&mut workers));
            all.await.with_context(|| format!("no answer for {PATIENCE:?}"))?
        },
        processor_between(cluster, from, until),
    )?;
    ensure!(!latencies.is_empty(), "nothing was answered in {:?}", pace.length);
    let operations = latencies.len() as f64;
    let (servers, clients) = processor;
    Ok(Figures {
        server_micros: Some(servers / operations),
        client_micros: Some(clients / operations),
        ..Figures::of(&latencies, pace.length.as_secs_f64())
    })
}

async fn gather(workers: &mut JoinSet<Result<Histogram<u64>>>) -> Result<Histogram<u64>> {
    let mut all = histogram();
    while let Some(one) = workers.join_next().await {
        let one = one.context("a client panicked")??;
        all.add(one).expect("they are of one shape");
    }
    Ok(all)
}

/// What servers and clients took of the processor, in microseconds.
async fn processor_between(cluster: &Cluster, from: Instant, until: Instant) -> Result<(f64, f64)> {
    let read = || -> Result<(f64, f64)> {
        Ok((cluster.processor_micros()?, processor::micros([std::process::id()])?))
    };
    sleep_until(from.into()).await;
    let before = read()?;
    sleep_until(until.into()).await;
    let after = read()?;
    Ok((after.0 - before.0, after.1 - before.1))
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NANOS, 3).expect("bounds and digits it can have")
}

/// One client.
struct Worker {
    client: Client,
    writer: u16,
    cell: Cell,
    keys: u64,
    ledger: Arc<Ledger>,
    draws: ChaCha8Rng,
}

impl Worker {
    async fn run(mut self, from: Instant, until: Instant) -> Result<Histogram<u64>> {
        let mut latencies = histogram();
        loop {
            let begun = Instant::now();
            if begun >= until {
                return Ok(latencies);
            }
            self.ask().await?;
            let answered = Instant::now();
            if (from..until).contains(&answered) {
                let nanos = (answered - begun).as_nanos() as u64;
                latencies.saturating_record(nanos);
            }
        }
    }

    async fn ask(&mut self) -> Result<()> {
        let number = self.draws.next_u64() % self.keys;
        let key = answer::key(number);
        if self.cell.mix.writes(self.draws.next_u64()) {
            let value = self.ledger.begin(number, self.writer);
            return self.client.set(&key, &value).await;
        }
        let held = self.client.get(&key).await?;
        Ok(self.ledger.check(number, held.as_deref())?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bytes::BytesMut;
    use store::resp::{Protocol, Reply, RequestDecoder};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::codec::Decoder as _;

    use super::super::cell::Mix;
    use super::super::cluster::Door;
    use super::*;

    const KEYS: u64 = 100;

    type Pairs = HashMap<Bytes, Bytes>;
    /// How a server in this process answers a read.
    type Read = fn(&Pairs, &Bytes) -> Reply;

    fn honest(held: &Pairs, key: &Bytes) -> Reply {
        held.get(key).map_or(Reply::Nil, |value| Reply::Bulk(value.clone()))
    }

    fn ledger() -> Arc<Ledger> {
        Arc::new(Ledger::new(4, 100))
    }

    /// Serves one connection, which has pairs of its own, all filled.
    async fn serve(mut stream: TcpStream, read: Read) -> Option<()> {
        let (mut decoder, mut bytes) = (RequestDecoder::default(), BytesMut::new());
        let ledger = ledger();
        let filled = (0..KEYS).map(|key| (answer::key(key), ledger.begin(key, FILLER)));
        let mut held: Pairs = filled.collect();
        while stream.read_buf(&mut bytes).await.ok()? > 0 {
            let mut replies = BytesMut::new();
            while let Some(request) = decoder.decode(&mut bytes).ok()? {
                let reply = match request.get(2) {
                    Some(value) => {
                        held.insert(request[1].clone(), value.clone());
                        Reply::OK
                    }
                    None => read(&held, &request[1]),
                };
                reply.encode(Protocol::Resp2, &mut replies);
            }
            stream.write_all(&replies).await.ok()?;
        }
        Some(())
    }

    /// What comes of two clients that read and write for a moment.
    async fn driven(read: Read) -> Result<Figures> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, read));
            }
        });
        let door = Door::Resp { addresses: vec![address], replicas: 0 };
        let cluster = Cluster { servers: Vec::new(), door };
        let ledger = ledger();
        fill(&cluster, &ledger, KEYS, answer::key).await?;
        let length = Duration::from_millis(50);
        let pace = Pace { warm_up: length, length, keys: KEYS };
        drive(&cluster, Cell { mix: Mix::Half, clients: 2 }, pace, &ledger).await
    }

    async fn complaint(read: Read) -> String {
        format!("{:#}", driven(read).await.expect_err("a server that lies is found out"))
    }

    #[tokio::test]
    async fn an_honest_server_is_measured() {
        let figures = driven(honest).await.unwrap();
        assert!(figures.rate > 0.0 && figures.p50 > 0.0, "{figures:?}");
        assert!(figures.p50 <= figures.p99 && Some(figures.p99) <= figures.p999, "{figures:?}");
    }

    #[tokio::test]
    async fn a_server_that_loses_a_key_ends_the_contest() {
        let losing: Read = |_, _| Reply::Nil;
        assert!(complaint(losing).await.contains("was filled, and is not there"));
    }

    #[tokio::test]
    async fn a_server_that_confuses_keys_ends_the_contest() {
        let confused: Read = |held, _| honest(held, &answer::key(8));
        assert!(complaint(confused).await.contains("holds a value of key 8"));
    }

    #[tokio::test]
    async fn a_server_that_fails_ends_the_contest() {
        let failing: Read = |_, _| Reply::Error("UNAVAILABLE no quorum".to_owned());
        assert!(complaint(failing).await.contains("UNAVAILABLE no quorum"));
    }
}
