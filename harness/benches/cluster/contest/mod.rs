//! One load on several clusters, each of real processes on this machine.
//!
//! ```text
//! cluster: for each round, durability, system (order rotated)
//!    start its servers ── fill ── for each Cell: drive clients ── Figures ──> Tally ──> Markdown
//! single:  the same with one server each and `redis-benchmark` as the only client
//! ```
//!
//! One system is up at a time, so that nobody pays for another's compaction or heartbeats; they take
//! turns within each round, so that what the machine does meanwhile troubles all alike. All of them
//! are asked by the same generator: clients in a closed loop, a connection for each, one request
//! outstanding, every answer checked. Clients and servers share the cores, so a rate here is not
//! what a cluster of machines would reach; the ratios are what is meant.
//!
//! What the peers promise is not quite the same, and each time the peer is given its best:
//!
//! | system | a write is answered when | a read |
//! |---|---|---|
//! | ours, register | W = 2 of 3 have it as durable as configured | linearizable |
//! | ours, lww | the same | R = 2 of 3, newest by wall clock |
//! | etcd | 2 of 3 have it on disk, whatever the column says; asked at the leader | linearizable |
//! | redis + WAIT 1 | the primary has it as durable as configured, one replica in memory | the primary's own copy |
//!
//! Source: closed loops and percentiles by Gil Tene's `HdrHistogram`; etcd's `tools/benchmark`, which
//! asks the leader (`--target-leader`); `redis-benchmark`.

mod answer;
mod arguments;
mod cell;
mod client;
mod cluster;
mod clusters;
mod drive;
mod durability;
mod etcd;
mod figures;
mod ground;
mod machine;
mod ours;
mod processor;
mod redis;
mod redis_benchmark;
mod resp;
mod server;
mod single;
mod system;
mod tally;

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::{Context, Result, bail};
use clap::Parser as _;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) use arguments::Arguments;
use arguments::Part;
use machine::Versions;

/// Does what the command line asks, and prints it.
pub(crate) fn run() -> Result<()> {
    let report = perform(&Arguments::parse())?;
    io::stdout().write_all(report.as_bytes()).context("failed to print the report")
}

/// The report of a contest. An interrupt ends it, and everything it started.
pub(crate) fn perform(arguments: &Arguments) -> Result<String> {
    let runtime = Runtime::new().context("failed to start the runtime")?;
    runtime.block_on(async {
        // The servers live in this future: whatever ends it, ends them.
        tokio::select! {
            report = contest(arguments) => report,
            interrupted = interrupt() => {
                interrupted?;
                bail!("interrupted")
            }
        }
    })
}

async fn contest(arguments: &Arguments) -> Result<String> {
    let versions = Versions::find()?;
    let systems = arguments.systems(&versions)?;
    let mut report = format!("{}\n", machine::describe(&versions, &systems)?);
    for part in arguments.parts() {
        let tables = match part {
            Part::Cluster => clusters::run(arguments, &systems).await?,
            Part::Single => single::run(arguments, &systems, &versions).await?,
        };
        write!(report, "\n{tables}")?;
    }
    Ok(report)
}

async fn interrupt() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
