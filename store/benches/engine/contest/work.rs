//! One load on one engine: what happens between two looks at the clock.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::client::Client;
use super::dataset::{Dataset, KEY_BYTES};
use super::load::{Base, Load};
use super::machine;
use super::outcome::Outcome;
use super::peer::{Checksum, Contestant, Peer, Setting};
use super::random::{Random, Zipfian};

/// What is to be done, and where.
pub(crate) struct Work<'a> {
    pub(crate) load: Load,
    pub(crate) dataset: Dataset,
    pub(crate) setting: Setting,
    pub(crate) directory: &'a Path,
}

/// The page cache is dropped before each of as many parts of the cold reads, lest the later ones
/// find what the earlier ones read.
const COLD_PARTS: u64 = 5;

impl Work<'_> {
    /// Opens the engine, does the load, lets it settle, and closes it.
    pub(crate) fn perform(&self, contestant: &Contestant) -> Result<Outcome> {
        if self.load.base() == Base::Filled {
            machine::warm(self.directory)?;
        }
        let start = Instant::now();
        let peer = (contestant.open)(self.directory, &self.setting)?;
        let (took, scanned) = self.time(self.client(&*peer), start)?;
        let settling = Instant::now();
        if self.load.writes() {
            peer.settle().context("failed to settle")?;
        }
        let settle_seconds = settling.elapsed().as_secs_f64();
        peer.close().context("failed to close")?;
        Ok(Outcome {
            operations: self.load.operations(self.dataset.keys),
            seconds: took.as_secs_f64(),
            settle_seconds,
            scanned,
            peak_bytes: machine::peak_resident_bytes()?,
            written_bytes: machine::written_bytes()?,
            disk_bytes: machine::disk_bytes(self.directory)?,
        })
    }

    /// Puts the half of the keys that a kill must not cost.
    pub(crate) fn fill_half(&self, peer: &dyn Peer) -> Result<()> {
        let client = self.client(peer);
        (0..self.half()).try_for_each(|i| client.put(self.dataset.shuffled(i)))
    }

    /// How long the load took, and what it scanned; `start` is when the engine was opened.
    fn time(&self, client: Client<'_>, start: Instant) -> Result<(Duration, Checksum)> {
        let keys = self.dataset.keys;
        let took = match self.load {
            Load::SequentialFill => self.share(|_, i| client.put(i)),
            Load::RandomFill | Load::SyncedFill | Load::SyncedFill8 => {
                self.share(|_, i| client.put(self.dataset.shuffled(i)))
            }
            Load::HotRead => self.read_hot(client),
            Load::ColdRead => self.read_cold(client),
            Load::MissingRead => self.share(|random, _| client.miss(random.below(keys))),
            Load::YcsbA | Load::YcsbB => self.read_and_update(client),
            Load::Scan => return scan(client, keys),
            Load::Reopen => return self.reopened(client, start),
        };
        Ok((took?, Checksum::default()))
    }

    /// Of the keys that fill half of the block cache, each read once before the clock runs.
    fn read_hot(&self, client: Client<'_>) -> Result<Duration> {
        let pair_bytes = KEY_BYTES + self.dataset.value_bytes;
        let fitting = self.setting.cache_bytes / 2 / pair_bytes;
        let hot = self.dataset.keys.min(fitting as u64).max(1);
        (0..hot).try_for_each(|ordinal| client.get(ordinal))?;
        self.share(|random, _| client.get(random.below(hot)))
    }

    fn read_cold(&self, client: Client<'_>) -> Result<Duration> {
        let operations = self.load.operations(self.dataset.keys);
        let mut random = Random::new(0);
        let mut took = Duration::ZERO;
        for part in 0..COLD_PARTS {
            machine::chill(self.directory)?;
            let start = Instant::now();
            for _ in operations * part / COLD_PARTS..operations * (part + 1) / COLD_PARTS {
                client.get(random.below(self.dataset.keys))?;
            }
            took += start.elapsed();
        }
        Ok(took)
    }

    fn read_and_update(&self, client: Client<'_>) -> Result<Duration> {
        let every = self.load.update_every().expect("YCSB A and B update");
        let zipfian = Zipfian::new(self.dataset.keys);
        self.share(|random, _| {
            let ordinal = zipfian.draw(random);
            let updates = random.below(every) == 0;
            if updates { client.put(ordinal) } else { client.get(ordinal) }
        })
    }

    /// Reads one key, the clock running since `start`; then looks whether nothing was lost, for
    /// what the system had been given survives a kill.
    fn reopened(&self, client: Client<'_>, start: Instant) -> Result<(Duration, Checksum)> {
        client.get(self.dataset.shuffled(0))?;
        let took = start.elapsed();
        Ok((took, client.scan(self.half())?))
    }

    fn half(&self) -> u64 {
        self.dataset.keys.div_ceil(2)
    }

    fn client<'a>(&'a self, peer: &'a dyn Peer) -> Client<'a> {
        Client { peer, dataset: &self.dataset }
    }

    /// Deals the operations out to the load's threads, each with a stream of its own; returns how
    /// long the last was at it.
    fn share(&self, body: impl Fn(&mut Random, u64) -> Result<()> + Sync) -> Result<Duration> {
        let operations = self.load.operations(self.dataset.keys);
        let threads = self.load.threads();
        let run = |thread: u64| {
            let mut random = Random::new(thread);
            (thread..operations).step_by(threads as usize).try_for_each(|i| body(&mut random, i))
        };
        let run = &run;
        let panicked = |_| Err(anyhow!("a thread of the load panicked"));
        let start = Instant::now();
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|t| scope.spawn(move || run(t))).collect();
            let own = run(0);
            others
                .into_iter()
                .map(|other| other.join().unwrap_or_else(panicked))
                .fold(own, Result::and)
        })?;
        Ok(start.elapsed())
    }
}

fn scan(client: Client<'_>, expected: u64) -> Result<(Duration, Checksum)> {
    let start = Instant::now();
    let seen = client.scan(expected)?;
    Ok((start.elapsed(), seen))
}
