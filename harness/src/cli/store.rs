//! `schism store`: what lies in a node's data directory, and whether it is as it was written.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use store::lsm::vfs::SystemDisk;
use store::lsm::{Inspection, Progress, Start, inspect, verify};

use super::{Failure, HARNESS_FAILED, say};

/// How often the progress of a verification is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(100);
/// Something was found that is not as it was written.
const DAMAGED: u8 = 1;

/// `schism store`
#[derive(Debug, Args)]
#[command(after_help = WHERE)]
pub(crate) struct StoreArguments {
    #[command(subcommand)]
    command: StoreCommand,
}

const WHERE: &str = "\
Both read only: nothing is changed, no lock is held, and a node may be at work meanwhile. Damage is
told with file and byte, and the rest is read all the same.

DIR is the data directory of a node: ./schism-data for `schism node`, and
runs/<suite>/<run>/nodes/<node>/data for a node of a run.

Examples:
  schism store inspect schism-data
  schism store verify runs/smoke/latest/nodes/n1/data";

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Tell what lies in a data directory, and whether its engine would start
    #[command(after_help = INSPECT)]
    Inspect(DirectoryArguments),
    /// Read every block of every table and every record of the log, and tell what is damaged
    #[command(after_help = VERIFY)]
    Verify(DirectoryArguments),
}

const INSPECT: &str = "\
From the newest to the oldest, a read asks: what was replayed from the log, then the tables, level by
level. `removed` counts tombstones: keys known to be gone. Keys are stored as \"d\" keyspace 0x00 key
(data), \"h\" node 0x00 number (hints for a node that was away) and \"m\" name (the node's own notes).
The log is read from end to end; of tables only the ends. `schism store verify` reads all: so does a
node before it serves, and ends where a key cannot be read, though its engine has started.

Exit codes: 0 nothing looked at is damaged, 1 something is, or cannot be read, 254 there is no such
directory or no data in it, 255 the directory cannot be listed.";

const VERIFY: &str = "\
A damaged block is told with the keys it may have held: those are what other replicas must give back.
A torn record at the end of the log is no damage: a crash leaves one, and nobody was promised it.

Exit codes: 0 all is sound, 1 damage was found, 254 there is no such directory or no data in it,
255 something cannot be read, and what could be is sound.";

#[derive(Debug, Args)]
struct DirectoryArguments {
    /// A node's data directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Does what the command line asks.
pub(crate) fn store(arguments: &StoreArguments) -> Result<u8, Failure> {
    match &arguments.command {
        StoreCommand::Inspect(arguments) => look(arguments),
        StoreCommand::Verify(arguments) => read_all(arguments),
    }
}

fn look(arguments: &DirectoryArguments) -> Result<u8, Failure> {
    require_directory(arguments)?;
    let seen =
        inspect(Arc::new(SystemDisk), &arguments.directory).map_err(|error| failed(&error))?;
    require_engine(&seen)?;
    say(&seen.to_string())?;
    let is_damaged = seen.damage().next().is_some() || matches!(seen.start, Start::Fails(_));
    Ok(if is_damaged { DAMAGED } else { 0 })
}

fn read_all(arguments: &DirectoryArguments) -> Result<u8, Failure> {
    require_directory(arguments)?;
    let mut drawn = Drawn::new();
    let mut draw = |progress| drawn.draw(progress);
    let seen = verify(Arc::new(SystemDisk), &arguments.directory, &mut draw);
    drawn.wipe();
    let seen = seen.map_err(|error| failed(&error))?;
    require_engine(&seen.inspection)?;
    say(&seen.to_string())?;
    Ok(match (seen.is_sound(), seen.is_damaged()) {
        (true, _) => 0,
        (_, true) => DAMAGED,
        _ => HARNESS_FAILED,
    })
}

/// Fails where the user meant something else.
fn require_directory(arguments: &DirectoryArguments) -> Result<(), Failure> {
    let path = arguments.directory.display();
    match std::fs::metadata(&arguments.directory) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Failure::usage(anyhow!("{path} is no directory"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::usage(anyhow!("there is no directory {path}")))
        }
        Err(error) => Err(Failure::harness(anyhow!("failed to look at {path}: {error}"))),
    }
}

fn require_engine(seen: &Inspection) -> Result<(), Failure> {
    if seen.is_engine() {
        return Ok(());
    }
    let path = seen.path.display();
    let hint = "it holds neither MANIFEST nor LOCK, nor a log or table";
    Err(Failure::usage(anyhow!("{path} is not the data directory of a node: {hint}")))
}

fn failed(error: &store::engine::EngineError) -> Failure {
    Failure::harness(anyhow!("failed to {error}"))
}

/// A line on a terminal that is drawn over itself.
struct Drawn {
    is_wanted: bool,
    last: Option<Instant>,
}

impl Drawn {
    fn new() -> Drawn {
        Drawn { is_wanted: std::io::stderr().is_terminal(), last: None }
    }

    fn draw(&mut self, progress: Progress) {
        if !self.is_wanted || self.last.is_some_and(|last| last.elapsed() < DRAWN_EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        let Progress { tables_done, tables, bytes_done, bytes } = progress;
        let (done, all) = (bytes_done / 1_000_000, bytes / 1_000_000);
        let line = format!("reading: {tables_done} of {tables} tables, {done} of {all} MB");
        // Nobody misses a progress that cannot be shown.
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K{line}");
    }

    fn wipe(&self) {
        if self.last.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}
