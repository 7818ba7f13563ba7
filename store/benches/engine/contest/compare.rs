//! All loads on all engines, round by round, and the tables of what they took.

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::arguments::Arguments;
use super::load::{Base, Load};
use super::machine;
use super::outcome::Outcome;
use super::peer::Contestant;
use super::tally::Tally;
use super::trial::{Trial, erase};

/// Runs the trials and prints a table for each size of values.
pub(crate) fn run(arguments: &Arguments, contestants: &[Contestant]) -> Result<()> {
    let engines = arguments.engines(contestants)?;
    let names: Vec<&'static str> = engines.iter().map(|engine| engine.name).collect();
    let ground = tempfile::Builder::new().prefix("engine-").tempdir_in(&arguments.dir)?;
    for &value_bytes in &arguments.value_bytes {
        let mut tally = Tally::new(names.clone());
        for round in 0..arguments.rounds() {
            play(arguments, &mut tally, value_bytes, round, ground.path())?;
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{}\n\n{tally}", Conditions { arguments, value_bytes })?;
    }
    Ok(())
}

/// One round: load by load the engines take turns, each round another one first.
fn play(
    arguments: &Arguments,
    tally: &mut Tally,
    value_bytes: u16,
    round: u32,
    ground: &Path,
) -> Result<()> {
    let engines = tally.engines().to_vec();
    for load in arguments.loads() {
        let mut outcomes = Vec::new();
        for turn in 0..engines.len() {
            let engine = engines[(turn + round as usize) % engines.len()];
            let directory = ground.join(engine).join(room(load));
            let trial = Trial { load, engine: engine.to_owned(), value_bytes, directory };
            let failed = || format!("{engine} failed at {}", load.title());
            let outcome = trial.run().with_context(failed)?;
            report(&trial, round, &outcome)?;
            tally.add(load, engine, outcome);
            outcomes.push(outcome);
        }
        let agree = outcomes.windows(2).all(|pair| pair[0].scanned == pair[1].scanned);
        ensure!(agree, "the engines disagree on what is stored, after {}", load.title());
    }
    engines.iter().try_for_each(|engine| erase(&ground.join(engine)))
}

/// The data that reads share, or a place where everything is made anew.
fn room(load: Load) -> &'static str {
    if load == Load::RandomFill || load.base() == Base::Filled { "filled" } else { "own" }
}

/// A line for those who wait.
fn report(trial: &Trial, round: u32, outcome: &Outcome) -> Result<()> {
    let Trial { load, engine, value_bytes, .. } = trial;
    let Outcome { seconds, settle_seconds, .. } = outcome;
    writeln!(
        io::stderr(),
        "{value_bytes} B, round {}, {}, {engine}: {seconds:.2} s, settled after {settle_seconds:.2} s",
        round + 1,
        load.title(),
    )?;
    Ok(())
}

/// What must be known to read the table.
struct Conditions<'a> {
    arguments: &'a Arguments,
    value_bytes: u16,
}

impl fmt::Display for Conditions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (warm, cold) =
            (self.arguments.setting(Load::HotRead), self.arguments.setting(Load::ColdRead));
        write!(
            f,
            "{} keys of 16 B, values of {} B, {} cores, median of {}; memtable {} MiB, \
             block cache {} MiB (cold: {} MiB, page cache dropped by {}), compression {:?}. \
             A ratio above 1 says that the first engine is ahead: of times and bytes it is the inverse.",
            self.arguments.keys(),
            self.value_bytes,
            machine::cores(),
            self.arguments.rounds(),
            warm.memtable_bytes >> 20,
            warm.cache_bytes >> 20,
            cold.cache_bytes >> 20,
            machine::chill_name(),
            warm.compression,
        )
    }
}
