//! The command line.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use super::cell::{Cell, Mix};
use super::durability::Durability;
use super::machine::Versions;
use super::system::System;

/// The same load on clusters of ours, of etcd and of Redis, and a table of what each took.
#[derive(Debug, Parser)]
#[command(name = "cluster")]
pub(crate) struct Arguments {
    /// Rounds, of which each figure is the median.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each load is measured.
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    seconds: f64,
    /// Keys that are there, and asked for evenly.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1000..))]
    keys: u64,
    /// Size of every value.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(40..=8192))]
    pub(crate) value_bytes: u16,
    /// Numbers of clients, a row for each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64], value_parser = clap::value_parser!(u16).range(1..=1024))]
    clients: Vec<u16>,
    /// Spread the clients of ours over its nodes, each of which coordinates. Without it they are at one
    /// node, as those of etcd are at the leader and those of Redis at the primary.
    #[arg(long)]
    pub(crate) spread: bool,
    /// A small run: 2000 keys, one round, a fifth of a second for each load.
    #[arg(long)]
    quick: bool,
    /// This part only.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// These mixes of reads and writes only.
    #[arg(long, value_name = "MIX", value_delimiter = ',')]
    mix: Vec<Mix>,
    /// This durability only: `1s` or `always`.
    #[arg(long, value_name = "SYNC", value_delimiter = ',')]
    sync: Vec<Durability>,
    /// These systems only.
    #[arg(long, value_name = "SYSTEM", value_delimiter = ',')]
    system: Vec<System>,
    /// Where a directory for the data is made, and removed again; not in memory, please.
    #[arg(long, value_name = "DIRECTORY", default_value_os_t = std::env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A part of the contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Three servers each, asked by our load generator.
    Cluster,
    /// One server each, asked by `redis-benchmark`.
    Single,
}

const QUICK_KEYS: u64 = 2000;
const QUICK_SECONDS: f64 = 0.2;

impl Arguments {
    pub(crate) fn keys(&self) -> u64 {
        if self.quick { QUICK_KEYS } else { self.keys }
    }

    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds as usize }
    }

    /// How long each load is measured.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(if self.quick { QUICK_SECONDS } else { self.seconds })
    }

    /// How long each load runs before that.
    pub(crate) fn warm_up(&self) -> Duration {
        self.length() / 3
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        chosen(Part::value_variants(), &self.only)
    }

    pub(crate) fn durabilities(&self) -> Vec<Durability> {
        chosen(&Durability::ALL, &self.sync)
    }

    /// The rows of the tables.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let mixes = chosen(Mix::value_variants(), &self.mix);
        let row = |mix| self.clients.iter().map(move |&clients| Cell { mix, clients });
        mixes.into_iter().flat_map(row).collect()
    }

    /// Those who take part, as far as they are here.
    pub(crate) fn systems(&self, versions: &Versions) -> Result<Vec<System>> {
        let mut systems = chosen(System::value_variants(), &self.system);
        for (system, package) in systems.iter().filter_map(|it| Some((*it, it.package()?))) {
            if versions.of(system).is_none() {
                writeln!(io::stderr(), "skipped: {system} is not installed (Debian: {package})")?;
            }
        }
        systems.retain(|system| system.package().is_none() || versions.of(*system).is_some());
        ensure!(!systems.is_empty(), "nobody is left to take part");
        Ok(systems)
    }
}

/// Those of `all` that were asked for; without a wish, all of them.
fn chosen<T: Copy + PartialEq>(all: &[T], asked: &[T]) -> Vec<T> {
    all.iter().copied().filter(|it| asked.is_empty() || asked.contains(it)).collect()
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    let allowed = (0.05..=3600.0).contains(&seconds);
    if allowed { Ok(seconds) } else { Err("from 0.05 to 3600".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_chooses_rows_in_the_order_of_the_table() {
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        let all = parse("cluster --bench").unwrap();
        assert_eq!(all.cells().len(), 9);
        assert_eq!(all.durabilities(), Durability::ALL);
        assert_eq!(all.parts(), [Part::Cluster, Part::Single]);
        let some = parse("cluster --quick --mix get,set --clients 4,2 --only single --sync always");
        let some = some.unwrap();
        let rows: Vec<String> = some.cells().iter().map(Cell::to_string).collect();
        assert_eq!(rows, ["set, 4 clients", "set, 2 clients", "get, 4 clients", "get, 2 clients"]);
        assert_eq!(some.parts(), [Part::Single]);
        assert_eq!(some.durabilities(), [Durability::Always]);
        for wrong in ["--seconds nan", "--seconds 0", "--clients 0", "--sync 2s", "--mix all"] {
            assert!(parse(&format!("cluster {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_is_not_installed_takes_no_part() {
        let arguments = Arguments::parse_from(["cluster"]);
        let systems = arguments.systems(&Versions::default()).unwrap();
        assert_eq!(systems, [System::OursRegister, System::OursLww]);
        let arguments = Arguments::parse_from(["cluster", "--system", "etcd"]);
        assert!(arguments.systems(&Versions::default()).is_err());
    }
}
