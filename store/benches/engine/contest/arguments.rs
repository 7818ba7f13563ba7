//! The command line.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

use super::load::Load;
use super::peer::{Compression, Contestant, Setting};
use super::trial::Trial;

/// The same loads on several engines, and a table of what each took.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// Pairs stored.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    keys: u64,
    /// Sizes of values, a table for each.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1024])]
    pub(crate) value_bytes: Vec<u16>,
    /// Rounds, of which each cell is the median.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// A small run: 50000 pairs, one round.
    #[arg(long)]
    quick: bool,
    /// These loads only.
    #[arg(long, value_name = "LOAD", value_delimiter = ',')]
    only: Vec<Load>,
    /// These engines only.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    engine: Vec<String>,
    /// Where a directory for the data is made, and removed again; not in memory, please.
    #[arg(long, value_name = "DIRECTORY", default_value_os_t = std::env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// How blocks are compressed.
    #[arg(long, value_enum, default_value_t = Compression::None)]
    pub(crate) compression: Compression,
    /// Block cache; of the cold reads it is 8 MiB.
    #[arg(long, value_name = "MIB", default_value_t = 128)]
    cache_mib: u16,
    /// Instead: fills one engine (ours) with data twenty times its memory, and watches that.
    #[arg(long)]
    ten_gigabytes: bool,
    /// The same with as many gigabytes.
    #[arg(long, value_name = "N")]
    gigabytes: Option<f64>,
    /// Instead: puts at a steady rate, ours synced every so many milliseconds, and how late the worst
    /// are.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tail: Option<u64>,
    /// For how long under each mode.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tail_seconds: u64,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
    /// What a child process is to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What a child process is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Performs one load, and prints its outcome.
    #[command(hide = true)]
    Trial(Trial),
    /// Puts half of the keys, says so, and waits to be killed.
    #[command(hide = true)]
    Victim(Trial),
}

const QUICK_KEYS: u64 = 50_000;
const MEMTABLE_BYTES: usize = 64 << 20;
const COLD_CACHE_BYTES: usize = 8 << 20;

impl Arguments {
    pub(crate) fn keys(&self) -> u64 {
        if self.quick { QUICK_KEYS } else { self.keys }
    }

    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { 1 } else { self.rounds }
    }

    /// In the order of the table.
    pub(crate) fn loads(&self) -> Vec<Load> {
        let all = <Load as clap::ValueEnum>::value_variants().iter().copied();
        all.filter(|load| self.only.is_empty() || self.only.contains(load)).collect()
    }

    /// Those of `all` that take part.
    pub(crate) fn engines(&self, all: &[Contestant]) -> Result<Vec<Contestant>> {
        let names: Vec<&str> = all.iter().map(|contestant| contestant.name).collect();
        for name in &self.engine {
            ensure!(names.contains(&name.as_str()), "no engine `{name}` among {names:?}");
        }
        let asked = |name: &str| self.engine.is_empty() || self.engine.iter().any(|it| it == name);
        Ok(all.iter().copied().filter(|contestant| asked(contestant.name)).collect())
    }

    /// What every engine is given under `load`.
    pub(crate) fn setting(&self, load: Load) -> Setting {
        let cache_bytes = usize::from(self.cache_mib) << 20;
        Setting {
            synced: load.synced(),
            memtable_bytes: MEMTABLE_BYTES,
            cache_bytes: if load == Load::ColdRead { COLD_CACHE_BYTES } else { cache_bytes },
            compression: self.compression,
        }
    }

    /// The same where it is the worst puts that are looked at.
    pub(crate) fn setting_of_tail(&self) -> Setting {
        self.setting(Load::RandomFill)
    }

    /// Whether one engine is to be filled beyond its memory.
    pub(crate) fn bulk(&self) -> bool {
        self.ten_gigabytes || self.gigabytes.is_some()
    }

    /// By how much.
    pub(crate) fn bulk_bytes(&self) -> u64 {
        (self.gigabytes.unwrap_or(10.0) * 1e9) as u64
    }
}
