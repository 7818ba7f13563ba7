//! The `schism` command: what a user types, and what the shell gets back.
//!
//! Exit codes, as users of Jepsen know them: 0 valid, 1 invalid, 2 unknown, 254 wrong usage,
//! 255 the harness failed. Of several histories the worst verdict counts.

mod check;
mod doctor;
mod node;
mod run;
mod store;

use std::io::{self, Write};
use std::panic::catch_unwind;
use std::path::PathBuf;

use anyhow::Context;
use checker::Verdict;
use clap::{Parser, Subcommand};

use crate::suite::SuiteError;

/// Wrong usage: nothing was run.
pub const WRONG_USAGE: u8 = 254;
/// The harness failed: nothing was judged.
pub const HARNESS_FAILED: u8 = 255;

/// Break a real cluster, and judge what its clients saw.
///
/// Without a command, runs the default suite: five store processes in their own network namespaces
/// are cut off, killed and paused while clients work, and the recorded history is judged.
#[derive(Debug, Parser)]
#[command(name = "schism", version, after_help = EXIT_CODES, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 valid, 1 invalid, 2 unknown, 254 wrong usage, 255 the harness failed.

Examples:
  schism                                run the default suite
  schism run ci/suites/smoke.yaml --seed 7
  schism demo                           find a stale read in a few seconds
  schism check history.jsonl            judge a recorded history, without a cluster
  schism node                           one store node on 127.0.0.1:6379, for redis-cli
  schism store inspect schism-data      what that node keeps, and whether it is sound";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a suite: a file, or the name of an embedded one (see `schism suites`)
    Run(run::RunArguments),
    /// Find a violation in a few seconds: one replica may answer alone, and a cut shows what it costs
    Demo(run::DemoArguments),
    /// Carry out the plan of an earlier run again: the same faults at the same times, the same draws
    Replay(run::ReplayArguments),
    /// Judge recorded histories (files, or run directories) without a cluster
    Check(check::CheckArguments),
    /// Render the report of a run again from what it left behind
    Report(check::ReportArguments),
    /// List the embedded suites
    Suites,
    /// Probe what this machine allows, and say how to mend what it does not
    Doctor,
    /// Run one node of the store
    Node(node::NodeArguments),
    /// Look into a node's data directory, and find what is damaged in it
    Store(store::StoreArguments),
}

/// What went wrong, and what the shell gets back for it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// The user asked for something that cannot be.
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Failure {
        Failure { code: WRONG_USAGE, error: error.into() }
    }

    /// The harness could not do what was asked.
    pub(crate) fn harness(error: impl Into<anyhow::Error>) -> Failure {
        Failure { code: HARNESS_FAILED, error: error.into() }
    }
}

/// Does what the command line asks, and returns the exit code. A panic is a failure of the harness
/// as any other: it has said what it was, and a verdict it is not.
///
/// *Requires* a process with one thread: a run enters its namespaces first.
pub fn main() -> u8 {
    guarded(obey)
}

fn guarded(work: fn() -> u8) -> u8 {
    catch_unwind(work).unwrap_or(HARNESS_FAILED)
}

fn obey() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers; everything else is wrong usage.
            let code = if error.use_stderr() { WRONG_USAGE } else { 0 };
            let _ = error.print();
            return code;
        }
    };
    let done = match arguments.command {
        None => run::run(&run::RunArguments::default()),
        Some(Command::Run(arguments)) => run::run(&arguments),
        Some(Command::Demo(arguments)) => run::demo(&arguments),
        Some(Command::Replay(arguments)) => run::replay(&arguments),
        Some(Command::Check(arguments)) => check::check(&arguments),
        Some(Command::Report(arguments)) => check::report(&arguments),
        Some(Command::Suites) => suites(),
        Some(Command::Doctor) => doctor::doctor(),
        Some(Command::Node(arguments)) => node::node(&arguments),
        Some(Command::Store(arguments)) => store::store(&arguments),
    };
    done.unwrap_or_else(|failure| {
        say_error(&failure.to_string());
        failure.code
    })
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.error.downcast_ref::<SuiteError>() {
            // It draws itself, with the line.
            Some(drawn) => write!(f, "{drawn}"),
            None => write!(f, "error: {}", told_once(&self.error)),
        }
    }
}

/// An error and its causes, without those whose words it has used already.
fn told_once(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told.as_str() {
        "" => cause,
        told_so_far if told_so_far.contains(&cause) => told,
        _ => format!("{told}: {cause}"),
    })
}

/// The exit code of a verdict.
pub(crate) fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Valid => 0,
        Verdict::Invalid => 1,
        Verdict::Unknown => 2,
    }
}

fn suites() -> Result<u8, Failure> {
    for embedded in crate::suite::EMBEDDED {
        let about = crate::suite::Suite::parse(embedded.name, embedded.text)
            .map(|suite| suite.about)
            .unwrap_or_default();
        say(&format!("{:<14} {about}", embedded.name))?;
    }
    Ok(0)
}

/// A line on standard output. A reader who has seen enough (`| head`) is no failure.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        said => said.context("failed to write to standard output").map_err(Failure::harness),
    }
}

/// A line on standard error. Where nobody listens, the exit code must do.
pub(crate) fn say_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Where runs are kept.
fn default_runs() -> PathBuf {
    PathBuf::from("runs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let full = || io::Error::other("no space");
        let error = anyhow::Error::new(full()).context("write h: no space").context("it stopped");
        assert_eq!(Failure::harness(error).to_string(), "error: it stopped: write h: no space");
        let error = anyhow::Error::new(full()).context("failed to write h");
        assert_eq!(Failure::harness(error).to_string(), "error: failed to write h: no space");
    }

    #[test]
    fn a_panic_is_a_failure_of_the_harness() {
        assert_eq!(guarded(|| panic!("this panic is part of a test")), HARNESS_FAILED);
        assert_eq!(guarded(|| 1), 1);
    }
}
