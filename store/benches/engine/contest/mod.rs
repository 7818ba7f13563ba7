//! The same loads on several engines, each behind [`Peer`].
//!
//! ```text
//! compare: for each value size, round, load, engine (order rotated)
//!    └─ Trial ── a child process ── Work on a Peer ── Outcome, one line ──> Tally ──> Markdown
//! ```
//!
//! Every trial is a process of its own: peak memory is that of one engine under one load, no cache
//! is warmed by another, and a kill is a real one. Engines take turns load by load, so that what
//! the machine does meanwhile troubles all alike.
//!
//! Source of the loads: RocksDB's and LevelDB's `db_bench`; Cooper et al., "Benchmarking Cloud
//! Serving Systems with YCSB", SoCC 2010.

mod arguments;
mod bulk;
mod client;
mod compare;
mod dataset;
mod load;
mod machine;
pub(crate) mod ours;
mod outcome;
pub(crate) mod peer;
mod random;
mod tail;
mod tally;
mod trial;
mod work;

use anyhow::Result;
use clap::Parser as _;

use arguments::{Arguments, Command};
use peer::Contestant;

/// Does what the command line asks, with these engines; the first is the one compared to.
pub(crate) fn run(contestants: &[Contestant]) -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Command::Trial(trial)) => trial.perform(&arguments, contestants),
        Some(Command::Victim(trial)) => trial.perish(&arguments, contestants),
        None if let Some(every_ms) = arguments.tail => tail::run(&arguments, every_ms),
        None if arguments.bulk() => bulk::run(&arguments, contestants),
        None => compare::run(&arguments, contestants),
    }
}
