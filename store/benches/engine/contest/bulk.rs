//! Far more data than memory: one engine is filled with it and read, and its memory is watched.
//!
//! The budget is 512 MiB of resident memory: a block cache of 192 MiB, four memtables of 64 MiB
//! (the one written to and those on their way to the disk), and 64 MiB for everything else. What an
//! engine keeps for each key or table in memory, this shows.

use std::io::{self, Write as _};
use std::time::Instant;

use anyhow::{Context, Result};

use super::arguments::Arguments;
use super::client::Client;
use super::dataset::{Dataset, KEY_BYTES};
use super::machine;
use super::peer::{Contestant, Setting};
use super::random::Random;

const VALUE_BYTES: usize = 100;
const BUDGET_MIB: u64 = 512;
const CACHE_BYTES: usize = 192 << 20;
const MEMTABLE_BYTES: usize = 64 << 20;
const READS: u64 = 500_000;

/// Fills the first engine asked for, then reads, and prints a line for each phase.
pub(crate) fn run(arguments: &Arguments, contestants: &[Contestant]) -> Result<()> {
    let engines = arguments.engines(contestants)?;
    let engine = engines.first().context("there is no engine")?;
    let ground = tempfile::Builder::new().prefix("engine-").tempdir_in(&arguments.dir)?;
    let keys = (arguments.bulk_bytes() / (KEY_BYTES + VALUE_BYTES) as u64).max(1);
    let setting = Setting {
        synced: false,
        memtable_bytes: MEMTABLE_BYTES,
        cache_bytes: CACHE_BYTES,
        compression: arguments.compression,
    };
    let mut out = io::stdout();
    writeln!(
        out,
        "{}: {keys} keys of 16 B, values of {VALUE_BYTES} B, {setting:?}\n",
        engine.name
    )?;
    writeln!(out, "| phase | operations | /s | resident, MiB | peak, MiB |")?;
    writeln!(out, "|---|---:|---:|---:|---:|")?;
    let peer = (engine.open)(ground.path(), &setting)?;
    let most = phases(Client { peer: &*peer, dataset: &Dataset::new(keys, VALUE_BYTES) })?;
    peer.close()?;
    let disk = machine::disk_bytes(ground.path())? / 1_000_000;
    let written = machine::written_bytes()? / 1_000_000;
    let verdict = if most <= BUDGET_MIB { "within" } else { "OVER" };
    writeln!(out, "\nOn disk {disk} MB, written {written} MB.")?;
    writeln!(out, "Peak of all phases {most} MiB: {verdict} the budget of {BUDGET_MIB} MiB.")?;
    Ok(())
}

/// Fill, settle, read, scan, miss; returns the highest peak of memory, in MiB.
fn phases(client: Client<'_>) -> Result<u64> {
    let keys = client.dataset.keys;
    let mut random = Random::new(0);
    let fill = watch("random fill", keys, || {
        (0..keys).try_for_each(|i| client.put(client.dataset.shuffled(i)))
    })?;
    let settle = watch("settle", 1, || client.peer.settle())?;
    let read = watch("random read", READS, || {
        (0..READS).try_for_each(|_| client.get(random.below(keys)))
    })?;
    let scan = watch("full scan", keys, || client.scan(keys).map(drop))?;
    let miss = watch("missing keys", READS, || {
        (0..READS).try_for_each(|_| client.miss(random.below(keys)))
    })?;
    Ok(fill.max(settle).max(read).max(scan).max(miss))
}

/// Does the work of a phase, prints its line, and returns the peak of memory in it, in MiB.
fn watch(name: &str, operations: u64, work: impl FnOnce() -> Result<()>) -> Result<u64> {
    machine::forget_peak()?;
    let start = Instant::now();
    work().with_context(|| format!("failed at {name}"))?;
    let rate = operations as f64 / start.elapsed().as_secs_f64();
    let peak = machine::peak_resident_bytes()? >> 20;
    let resident = machine::resident_bytes()? >> 20;
    writeln!(io::stdout(), "| {name} | {operations} | {rate:.0} | {resident} | {peak} |")?;
    Ok(peak)
}
