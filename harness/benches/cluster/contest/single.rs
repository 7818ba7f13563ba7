//! One server each, under `redis-benchmark`: what anybody can repeat by hand.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::answer::Ledger;
use super::arguments::Arguments;
use super::cluster::{Cluster, Door, Size};
use super::drive::fill;
use super::durability::Durability;
use super::figures::Figures;
use super::ground::Ground;
use super::machine::Versions;
use super::redis_benchmark::{self, CLIENTS, JOBS, Job};
use super::system::System;
use super::tally::Tally;

/// Requests of which none are counted, but which tell how many a second there will be.
const WARM_UP_REQUESTS: u64 = 5000;

/// Measures every job on every system that speaks RESP, and returns the tables.
pub(crate) async fn run(
    arguments: &Arguments,
    systems: &[System],
    versions: &Versions,
) -> Result<String> {
    let Some(version) = versions.redis_benchmark() else {
        let skipped = "skipped: redis-benchmark is not installed (Debian: redis-tools)";
        writeln!(io::stderr(), "{skipped}")?;
        return Ok(format!("## One node\n\n{skipped}\n"));
    };
    let speaks_resp = |system: &System| *system != System::Etcd;
    let systems: Vec<System> = systems.iter().copied().filter(speaks_resp).collect();
    if systems.is_empty() {
        return Ok(String::new());
    }
    let durabilities = arguments.durabilities();
    let mut tallies: Vec<Tally<Job>> =
        durabilities.iter().map(|_| Tally::new(systems.clone(), |it| it.to_string())).collect();
    for round in 0..arguments.rounds() {
        for (durability, tally) in durabilities.iter().zip(&mut tallies) {
            for turn in 0..systems.len() {
                let system = systems[(turn + round) % systems.len()];
                let failed = || format!("{system} failed alone, sync {durability}");
                let measured = measure(arguments, system, *durability).await;
                for (job, figures) in measured.with_context(failed)? {
                    tally.add(job, system, figures);
                }
            }
        }
    }
    let mut report = format!("## One node\n\n{}\n", conditions(arguments, version));
    for (durability, tally) in durabilities.iter().zip(&tallies) {
        let (rates, latencies) = (tally.rates(), tally.latencies());
        write!(report, "\n### Alone: operations a second, sync {durability}\n\n{rates}")?;
        write!(report, "\n### Alone: microseconds, sync {durability}\n\n{latencies}")?;
    }
    Ok(report)
}

/// All jobs on one system, which is started for them and ended after.
async fn measure(
    arguments: &Arguments,
    system: System,
    durability: Durability,
) -> Result<Vec<(Job, Figures)>> {
    let ground = Ground::new(&arguments.dir)?;
    let cluster = Cluster::start(system, Size::One, durability, &ground).await?;
    let ledger = Arc::new(Ledger::new(0, arguments.value_bytes));
    fill(&cluster, &ledger, arguments.keys(), redis_benchmark::key).await?;
    let mut measured = Vec::new();
    for job in JOBS {
        let figures = twice(arguments, &cluster, job).await;
        let figures = figures.with_context(|| format!("failed at {job}"))?;
        writeln!(io::stderr(), "sync {durability}, {system} alone, {job}: {:.0}/s", figures.rate)?;
        measured.push((job, figures));
    }
    Ok(measured)
}

/// Once to warm up and to learn how many requests take as long as asked for, then that many.
async fn twice(arguments: &Arguments, cluster: &Cluster, job: Job) -> Result<Figures> {
    let Door::Resp { addresses, .. } = &cluster.door else {
        bail!("redis-benchmark speaks RESP only");
    };
    let run = |requests| job.run(addresses[0], requests, arguments.keys(), arguments.value_bytes);
    let warm = run(WARM_UP_REQUESTS).await?;
    let requests = (warm.rate * arguments.length().as_secs_f64()) as u64;
    let requests = requests.max(WARM_UP_REQUESTS);
    let before = cluster.processor_micros()?;
    let figures = run(requests).await?;
    let taken = cluster.processor_micros()? - before;
    Ok(Figures { server_micros: Some(taken / requests as f64), ..figures })
}

fn conditions(arguments: &Arguments, version: &str) -> String {
    format!(
        "One server, asked by redis-benchmark {version}: {CLIENTS} clients, {} keys, values of {} B, \
         some {} s each after {WARM_UP_REQUESTS} requests of warm-up, median of {}. Ours: N=1 R=1 \
         W=1. Redis: an append-only file, synced as ours is.",
        arguments.keys(),
        arguments.value_bytes,
        arguments.length().as_secs_f64(),
        arguments.rounds(),
    )
}
