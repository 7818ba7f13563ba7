//! One load on one engine in a process of its own: both ends of it.
//!
//! ```text
//! parent: prepare, spawn `trial` ───────────────────> child: perform, print the outcome
//! parent: spawn `victim`, read `filled`, SIGKILL ───> child: fill, print `filled`, wait
//! ```

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum as _};

use super::arguments::Arguments;
use super::dataset::Dataset;
use super::load::{Base, Load};
use super::outcome::Outcome;
use super::peer::Contestant;
use super::work::Work;

/// What is to be measured.
#[derive(Args, Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) load: Load,
    pub(crate) engine: String,
    pub(crate) value_bytes: u16,
    pub(crate) directory: PathBuf,
}

/// What a victim says when the system has all of its puts.
const FILLED: &str = "filled";

impl Trial {
    /// Parent: makes what the load needs before it, then has a child perform it.
    pub(crate) fn run(&self) -> Result<Outcome> {
        self.prepare()?;
        let output = self.child("trial")?.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "the trial ended with {}", output.status);
        Outcome::find(&String::from_utf8_lossy(&output.stdout))
    }

    /// Child: performs the load, prints the outcome.
    pub(crate) fn perform(&self, arguments: &Arguments, all: &[Contestant]) -> Result<()> {
        let outcome = self.work(arguments).perform(self.contestant(all)?)?;
        writeln!(io::stdout(), "{}", outcome.line())?;
        Ok(())
    }

    /// Child: fills, says so, and waits for its end; that of its parent will do, too.
    pub(crate) fn perish(&self, arguments: &Arguments, all: &[Contestant]) -> Result<()> {
        let work = self.work(arguments);
        let peer = (self.contestant(all)?.open)(&self.directory, &work.setting)?;
        work.fill_half(&*peer)?;
        writeln!(io::stdout(), "{FILLED}")?;
        io::copy(&mut io::stdin(), &mut io::sink())?;
        bail!("nobody killed the victim")
    }

    fn prepare(&self) -> Result<()> {
        match self.load.base() {
            Base::Filled if self.directory.exists() => Ok(()),
            Base::Filled => Trial { load: Load::RandomFill, ..self.clone() }.run().map(drop),
            Base::Empty => erase(&self.directory),
            Base::Killed => {
                erase(&self.directory)?;
                self.kill_a_victim()
            }
        }
    }

    fn kill_a_victim(&self) -> Result<()> {
        let mut command = self.child("victim")?;
        let mut victim = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let said = BufReader::new(victim.stdout.take().context("a victim without output")?);
        let filled = said.lines().any(|line| line.is_ok_and(|line| line == FILLED));
        victim.kill().context("failed to kill the victim")?;
        victim.wait()?;
        ensure!(filled, "the victim ended before it had filled the directory");
        Ok(())
    }

    /// This program with this command line and, behind it, the part of a child.
    fn child(&self, part: &str) -> Result<process::Command> {
        let load = self.load.to_possible_value().context("a load without a name")?;
        let mut command = process::Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).args([part, load.get_name(), &self.engine]);
        command.arg(self.value_bytes.to_string()).arg(&self.directory);
        Ok(command)
    }

    fn work(&self, arguments: &Arguments) -> Work<'_> {
        Work {
            load: self.load,
            dataset: Dataset::new(arguments.keys(), usize::from(self.value_bytes)),
            setting: arguments.setting(self.load),
            directory: &self.directory,
        }
    }

    fn contestant<'a>(&self, all: &'a [Contestant]) -> Result<&'a Contestant> {
        let found = all.iter().find(|contestant| contestant.name == self.engine);
        found.with_context(|| format!("no engine `{}`", self.engine))
    }
}

/// Removes a directory, which may be absent.
pub(crate) fn erase(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}
