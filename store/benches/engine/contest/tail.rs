//! How late a put is while the log is synced beside it: puts at a steady rate, and their worst.
//!
//! A load that puts as fast as it can shows how much an engine does, and hides how long it stood still:
//! while it stands no put begins. Here puts are due at moments fixed before, and each is as late as it
//! ends after its own, whatever the one before it did. Ours alone is measured: RocksDB has no interval
//! of its own, and how others sync theirs is not the same promise.
//! Source: Tene, "How NOT to Measure Latency", on coordinated omission.

use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use store::config::Sync;

use super::arguments::Arguments;
use super::client::Client;
use super::dataset::Dataset;
use super::ours;
use super::peer::{Peer, Setting};

const VALUE_BYTES: usize = 1024;
const KEYS: u64 = 100_000;
const THREADS: u64 = 4;
const PUTS_PER_SECOND: u64 = 8_000;
/// Two turns of each mode are compared: what else the disk does comes and goes.
const TURNS: usize = 2;

/// Puts for so long under each mode in turn, and prints a line for each.
pub(crate) fn run(arguments: &Arguments, every_ms: u64) -> Result<()> {
    let mut out = io::stdout();
    let seconds = arguments.tail_seconds;
    writeln!(
        out,
        "{PUTS_PER_SECOND} puts a second of {VALUE_BYTES} B from {THREADS} threads for {seconds} s; \
         how late they ended, in ms\n"
    )?;
    writeln!(out, "| sync | puts | p50 | p99 | p99.9 | p99.99 | worst | syncs |")?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---:|---:|")?;
    for sync in [Sync::Never, Sync::Every(every_ms)].repeat(TURNS) {
        let ground = tempfile::Builder::new().prefix("engine-").tempdir_in(&arguments.dir)?;
        let (late, syncs) = measure(ground.path(), sync, &arguments.setting_of_tail(), seconds)
            .with_context(|| format!("failed under {sync}"))?;
        let at = |share| format!("{:.2}", quantile(&late, share).as_secs_f64() * 1e3);
        let shares = [0.5, 0.99, 0.999, 0.9999, 1.0].map(at).join(" | ");
        writeln!(out, "| {sync} | {} | {shares} | {syncs} |", late.len())?;
    }
    Ok(())
}

/// How late each put was, ascending, and how often the log was synced meanwhile.
fn measure(
    directory: &Path,
    sync: Sync,
    setting: &Setting,
    seconds: u64,
) -> Result<(Vec<Duration>, u64)> {
    let engine = ours::open_synced(directory, setting, sync)?;
    let dataset = Dataset::new(KEYS, VALUE_BYTES);
    let client = Client { peer: &engine, dataset: &dataset };
    let puts = seconds * PUTS_PER_SECOND;
    let start = Instant::now();
    let late = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|first| scope.spawn(move || put_when_due(client, start, first, puts)))
            .collect();
        let joined = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow!("a thread of the load panicked")))
        });
        joined.collect::<Result<Vec<_>>>()
    })?;
    let syncs = engine.syncs();
    Box::new(engine).close()?;
    let mut late = late.concat();
    ensure!(late.len() as u64 == puts, "{} of {puts} puts were measured", late.len());
    late.sort_unstable();
    Ok((late, syncs))
}

/// Every `THREADS`-th put from `first` on, each when it is due; how late each ended.
fn put_when_due(
    client: Client<'_>,
    start: Instant,
    first: u64,
    puts: u64,
) -> Result<Vec<Duration>> {
    let mut late = Vec::new();
    for number in (first..puts).step_by(THREADS as usize) {
        let due = start + Duration::from_nanos(number * (1_000_000_000 / PUTS_PER_SECOND));
        thread::sleep(due.saturating_duration_since(Instant::now()));
        client.put(client.dataset.shuffled(number % KEYS))?;
        late.push(due.elapsed());
    }
    Ok(late)
}

/// The least of `ascending` that such a share of them does not exceed. *Requires* one at least.
fn quantile(ascending: &[Duration], share: f64) -> Duration {
    let rank = (ascending.len() as f64 * share).ceil() as usize;
    ascending[rank.clamp(1, ascending.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_what_was_measured() {
        let late: Vec<Duration> = (1..=1000).map(Duration::from_millis).collect();
        let ms = |share| quantile(&late, share).as_millis();
        assert_eq!([0.0, 0.5, 0.99, 0.999, 0.9999, 1.0].map(ms), [1, 500, 990, 999, 1000, 1000]);
        assert_eq!(quantile(&late[..1], 0.5), late[0]);
    }

    #[test]
    fn every_put_is_measured_and_is_there() {
        let ground = tempfile::tempdir().unwrap();
        let setting = Setting {
            synced: false,
            memtable_bytes: 64 << 20,
            cache_bytes: 1 << 20,
            compression: super::super::peer::Compression::None,
        };
        let (late, _) = measure(ground.path(), Sync::Every(1), &setting, 1).unwrap();
        assert!(late.is_sorted() && late.len() as u64 == PUTS_PER_SECOND);
        let again = ours::open_synced(ground.path(), &setting, Sync::Never).unwrap();
        let dataset = Dataset::new(KEYS, VALUE_BYTES);
        let client = Client { peer: &again, dataset: &dataset };
        for number in 0..PUTS_PER_SECOND {
            client.get(dataset.shuffled(number)).unwrap();
        }
    }
}
