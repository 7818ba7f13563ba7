//! What a comparison costs: two nodes with a million records of which few differ.
//!
//! ```text
//! cargo bench -p store --bench anti_entropy
//! cargo bench -p store --bench anti_entropy -- --keys 100000 --differing 10,100
//! ```
//!
//! Both nodes stand in this process, each with an engine on disk; every message is encoded and
//! decoded, none crosses a network. Of the differing keys half is newer on either side. Printed are
//! bytes each way, keys listed, and the processor time of each side, beside what a start costs: the
//! trees are planted from all records. Nothing is asserted; `store/tests/anti_entropy.rs` asserts
//! that what travels is proportional to what differs.

#![cfg_attr(test, allow(dead_code, unused_imports, reason = "tests are compiled, not called"))]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod pair;

use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

use pair::{Cost, Side, exchange, worked};

/// What a comparison of two replicas costs.
#[derive(Parser)]
struct Arguments {
    /// Records on each side.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// How many of them differ, one exchange after the other.
    #[arg(long, value_delimiter = ',', default_value = "0,10,1000")]
    differing: Vec<u64>,
    /// Bytes of a value.
    #[arg(long, default_value_t = 100)]
    value_bytes: usize,
    /// As `cargo bench` calls it.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let Arguments { keys, value_bytes, .. } = *arguments;
    let directory = tempfile::tempdir().context("failed to make a directory")?;
    let sides = ["n1", "n2"].map(|name| Side::fill(directory.path(), name, keys, value_bytes));
    sides.iter().for_each(Side::flush);
    println!("{keys} records of {value_bytes} B, {} B of tables a side", sides[0].table_bytes());
    let (before, start, start_worked) = (resident()?, Instant::now(), worked());
    let one = sides[0].open();
    let (took, worked) = (start.elapsed(), worked().saturating_sub(start_worked));
    let grown = resident()?.saturating_sub(before);
    println!("start: {took:.2?} ({worked:.2?} of processor), {grown} B more in memory");
    let other = sides[1].open();
    drop((one, other));
    println!(
        "{:>9} {:>9} {:>9} {:>11} {:>11} {:>12} {:>12} {:>10}",
        "differing", "hashes", "listed", "sent B", "received B", "ours", "theirs", "elapsed"
    );
    for (round, differing) in arguments.differing.iter().enumerate() {
        change(&sides, *differing, round as u64 + 2, arguments);
        let (one, other) = (sides[0].open(), sides[1].open());
        let cost = exchange((&sides[0], &one), (&sides[1], &other)).await;
        println!("{}", row(&cost));
    }
    Ok(())
}

/// Makes so many keys differ, spread over all: half newer here, half there.
fn change(sides: &[Side; 2], differing: u64, time: u64, arguments: &Arguments) {
    let gap = arguments.keys / differing.max(1);
    for (at, side) in (0..).zip(sides) {
        let keys = (0..differing).filter(|i| i % 2 == at).map(|i| i * gap);
        side.put(keys, time, arguments.value_bytes);
    }
}

fn row(cost: &Cost) -> String {
    let Cost { tally, ours, theirs, elapsed } = cost;
    let (ours, theirs) = (format!("{ours:.2?}"), format!("{theirs:.2?}"));
    format!(
        "{:>9} {:>9} {:>9} {:>11} {:>11} {ours:>12} {theirs:>12} {:>10}",
        tally.differing,
        tally.hashes,
        tally.listed,
        tally.sent_bytes,
        tally.received_bytes,
        format!("{elapsed:.2?}"),
    )
}

/// Memory of this process, in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("failed to read memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(kib.parse::<u64>().context("VmRSS is a number")? << 10)
}
