//! Three servers each, under the load generator, round by round.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::answer::{self, Ledger};
use super::arguments::Arguments;
use super::cell::Cell;
use super::cluster::{Cluster, Size};
use super::drive::{Pace, drive, fill};
use super::durability::Durability;
use super::figures::Figures;
use super::ground::Ground;
use super::system::System;
use super::tally::Tally;

/// Measures every load on every system, and returns the tables.
pub(crate) async fn run(arguments: &Arguments, systems: &[System]) -> Result<String> {
    let durabilities = arguments.durabilities();
    let mut tallies: Vec<Tally<Cell>> =
        durabilities.iter().map(|_| Tally::new(systems.to_vec(), name)).collect();
    for round in 0..arguments.rounds() {
        for (durability, tally) in durabilities.iter().zip(&mut tallies) {
            for turn in 0..systems.len() {
                let system = systems[(turn + round) % systems.len()];
                let failed = || format!("{} failed, sync {durability}", name(system));
                let measured = measure(arguments, system, *durability).await;
                for (cell, figures) in measured.with_context(failed)? {
                    tally.add(cell, system, figures);
                }
            }
        }
    }
    let mut report = format!("## Three nodes\n\n{}\n", conditions(arguments));
    for (durability, tally) in durabilities.iter().zip(&tallies) {
        let (rates, latencies) = (tally.rates(), tally.latencies());
        write!(report, "\n### Operations a second, sync {durability}\n\n{rates}")?;
        write!(report, "\n### Microseconds, sync {durability}\n\n{latencies}")?;
    }
    Ok(report)
}

/// All loads on one system, which is started for them and ended after.
async fn measure(
    arguments: &Arguments,
    system: System,
    durability: Durability,
) -> Result<Vec<(Cell, Figures)>> {
    let cells = arguments.cells();
    let last_writer = cells.iter().map(|cell| cell.clients).max().unwrap_or_default();
    let ledger = Arc::new(Ledger::new(last_writer, arguments.value_bytes));
    let pace =
        Pace { warm_up: arguments.warm_up(), length: arguments.length(), keys: arguments.keys() };
    let ground = Ground::new(&arguments.dir)?;
    let mut cluster = Cluster::start(system, Size::Three, durability, &ground).await?;
    if !arguments.spread {
        cluster.gather();
    }
    fill(&cluster, &ledger, pace.keys, answer::key).await?;
    let mut measured = Vec::new();
    for cell in cells {
        let figures = drive(&cluster, cell, pace, &ledger).await;
        let figures = figures.with_context(|| format!("failed at {cell}"))?;
        writeln!(
            io::stderr(),
            "sync {durability}, {}, {cell}: {:.0}/s",
            name(system),
            figures.rate
        )?;
        measured.push((cell, figures));
    }
    Ok(measured)
}

fn name(system: System) -> String {
    match system {
        System::Redis => "redis + WAIT 1".to_owned(),
        _ => system.to_string(),
    }
}

fn conditions(arguments: &Arguments) -> String {
    let door = if arguments.spread { "spread over the nodes" } else { "at one node" };
    format!(
        "{} keys, values of {} B, {} s after {:.1} s of warm-up, median of {}. Ours: N=3 R=2 W=2, \
         clients {door}. etcd: clients at the leader, linearizable reads, and always \
         synced, also where the column beside it is not. Redis: two replicas, `WAIT 1` after each \
         write, reads from the primary. CPU: processor time for each operation, of the three \
         servers and of the load generator. A ratio above 1 says that ours is ahead.",
        arguments.keys(),
        arguments.value_bytes,
        arguments.length().as_secs_f64(),
        arguments.warm_up().as_secs_f64(),
        arguments.rounds(),
    )
}
