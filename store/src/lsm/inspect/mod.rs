//! What lies in an engine's directory, told without an engine: for the reader with a node that will
//! not start.
//!
//! ```text
//! inspect   manifest, ends of every table, log from end to end   -> Inspection: what is there
//! verify    the same, and every block of every table             -> Verification: what is wrong
//! ```
//!
//! Each file is looked at by itself: what cannot be read is told with file, offset and reason, and the
//! rest goes on. The judgement at the end, whether a start would succeed, is made of the very steps a
//! start takes ([`restore`](super::restore), [`log`](super::log)), so that it is the start's own.
//!
//! Nothing is changed and no lock is held. An engine may be at work meanwhile: then files come and go
//! and the log grows under our eyes, so a problem counts only if a second look still shows it.
//!
//! Source: `fsck` and its split between looking and mending, McKusick and Kowalski, "Fsck: The UNIX
//! File System Check Program", 1986. Mending is left to the replicas.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::directory::{Directory, Listing};
use super::manifest::Manifest;
use super::restore::{self, load_manifest};
use super::vfs::Vfs;
use crate::engine::EngineError;

mod columns;
mod segments;
mod tables;
#[cfg(test)]
mod tests;
mod text;
mod verify;

pub use segments::{SegmentFacts, SegmentSummary};
pub use tables::{Facts, TableSummary};
pub use verify::{Keys, Problem, Progress, Tally, Verification, verify};

/// How often a directory in use is looked at, until a look finds nothing that the one before had not.
const LOOKS_MAX: usize = 5;

/// What lies in an engine's directory.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The directory.
    pub path: PathBuf,
    /// How many files of an engine lie there, its lock among them.
    pub files: usize,
    /// Whether an engine is at work in it.
    pub owner: Owner,
    /// The manifest; `None` where nothing was ever written, so that none is missing.
    pub manifest: Result<Option<ManifestSummary>, EngineError>,
    /// The tables that count, in read order; where no manifest says which do, all that lie there.
    pub tables: Vec<TableSummary>,
    /// The log segments a start would replay, in that order, among them the first that is missing.
    pub segments: Vec<SegmentSummary>,
    /// What the manifest does not name: the next start removes it.
    pub leftovers: Vec<Leftover>,
    /// Names no engine gives: they are left alone.
    pub strangers: Vec<String>,
    /// What would come of a start.
    pub start: Start,
}

/// Whether an engine is at work in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// None is.
    Nobody,
    /// Another process has the lock.
    Another,
    /// The lock cannot be tried.
    Unknown,
}

/// What a manifest says, but for its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestSummary {
    /// Length of its file.
    pub bytes: u64,
    /// The number the next table will have.
    pub next_table: u64,
    /// The oldest log segment with writes that no table has.
    pub oldest_log: u64,
}

/// A file that nobody needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its name in the directory.
    pub name: String,
    /// Its length; `None` where the system would not tell.
    pub bytes: Option<u64>,
}

/// What would come of a start.
#[derive(Clone, Debug)]
pub enum Start {
    /// An empty engine: nothing was ever written here.
    Fresh,
    /// An engine with all that was promised to be durable; reads of damaged tables fail.
    Succeeds,
    /// A refusal, as long as another process has the directory.
    InUse,
    /// This error.
    Fails(EngineError),
}

/// Looks at the directory `path`. Fails only where that is no directory, or cannot be listed.
pub fn inspect(vfs: Arc<dyn Vfs>, path: &Path) -> Result<Inspection, EngineError> {
    let directory = Directory::open_unlocked(vfs, path);
    let mut seen = look(&directory)?;
    let mut before = seen.told();
    for _ in 1..LOOKS_MAX {
        if seen.owner != Owner::Another || before.is_empty() {
            break;
        }
        seen = look(&directory)?;
        let now = seen.told();
        seen.forget_all_but(&before);
        if now.is_subset(&before) {
            break;
        }
        before = now;
    }
    Ok(seen)
}

impl Inspection {
    /// Whether anything here was made by an engine.
    pub fn is_engine(&self) -> bool {
        self.files > 0
    }

    /// What is wrong with manifest, tables and log, in the order in which a start meets it.
    pub fn damage(&self) -> impl Iterator<Item = &EngineError> {
        self.wrong(|_| true)
    }

    fn told(&self) -> BTreeSet<String> {
        self.damage().map(ToString::to_string).collect()
    }

    /// Forgets damage that was not told `before`: an engine at work was met in the middle of a step.
    fn forget_all_but(&mut self, before: &BTreeSet<String>) {
        let is_new = |damage: &mut EngineError| !before.contains(&damage.to_string());
        self.segments.retain_mut(|it| !(it.is_missing && it.damage.as_mut().is_some_and(is_new)));
        let segments = self.segments.iter_mut().map(|segment| &mut segment.damage);
        let tables = self.tables.iter_mut().map(|table| &mut table.damage);
        for damage in segments.chain(tables) {
            damage.take_if(is_new);
        }
        self.start = self.judge();
    }

    /// What of that a start fails for.
    fn refusals(&self) -> impl Iterator<Item = &EngineError> {
        self.wrong(|table| table.is_refused)
    }

    /// What is wrong, of tables with those that count.
    fn wrong(&self, counts: fn(&TableSummary) -> bool) -> impl Iterator<Item = &EngineError> {
        let tables = self.tables.iter().filter(move |table| counts(table));
        let tables = tables.filter_map(|table| table.damage.as_ref());
        let missing = self.segments.iter().filter(|segment| segment.is_missing);
        let others = self.segments.iter().filter(|segment| !segment.is_missing);
        let segments = missing.chain(others).filter_map(|segment| segment.damage.as_ref());
        self.manifest.as_ref().err().into_iter().chain(tables).chain(segments)
    }
}

fn look(directory: &Directory) -> Result<Inspection, EngineError> {
    let names = directory.vfs().list(directory.path());
    let names = names.map_err(EngineError::io("list", directory.path()))?;
    let listing = directory.list()?;
    let owner = owner(directory, &names);
    let count = names.len();
    let strangers = strangers(directory, names, &listing);
    let mut seen = Inspection {
        path: directory.path().to_owned(),
        files: count - strangers.len(),
        owner,
        manifest: Ok(None),
        tables: Vec::new(),
        segments: Vec::new(),
        leftovers: Vec::new(),
        strangers,
        start: Start::Fresh,
    };
    match load_manifest(directory) {
        Ok(Some(manifest)) => seen.follow(directory, &listing, &manifest),
        Ok(None) => match restore::is_unused(directory, &listing) {
            Ok(true) => {}
            Ok(false) => seen.guess(directory, &listing, restore::missing_manifest(directory)),
            Err(error) => seen.guess(directory, &listing, error),
        },
        Err(error) => seen.guess(directory, &listing, error),
    }
    seen.start = seen.judge();
    Ok(seen)
}

impl Inspection {
    /// Looks at what the manifest names.
    fn follow(&mut self, directory: &Directory, listing: &Listing, manifest: &Manifest) {
        self.tables = tables::named(directory, manifest);
        self.segments = segments::named(directory, manifest, listing);
        let leftovers = restore::leftovers(directory, manifest, listing);
        self.leftovers = leftovers.iter().map(|path| leftover(directory, path)).collect();
        self.manifest = Ok(Some(ManifestSummary {
            bytes: manifest.encode().len() as u64,
            next_table: manifest.next_table,
            oldest_log: manifest.oldest_log,
        }));
    }

    /// Looks at all that lies there, for want of a manifest. What of it is a leftover nobody knows.
    fn guess(&mut self, directory: &Directory, listing: &Listing, why: EngineError) {
        self.tables = tables::found(directory, listing);
        self.segments = segments::found(directory, &listing.logs);
        self.manifest = Err(why);
    }

    /// What a start makes of what was seen.
    fn judge(&self) -> Start {
        match (self.owner, &self.manifest, self.refusals().next()) {
            (Owner::Another, ..) => Start::InUse,
            (_, _, Some(first)) => Start::Fails(first.clone()),
            (_, Ok(None), None) => Start::Fresh,
            (_, _, None) => Start::Succeeds,
        }
    }
}

/// Tries the lock, if there is one, and gives it back at once.
fn owner(directory: &Directory, names: &[String]) -> Owner {
    let path = directory.lock();
    if !names.iter().any(|name| path.ends_with(name)) {
        return Owner::Nobody;
    }
    match directory.vfs().lock(&path) {
        Ok(Some(_given_back)) => Owner::Nobody,
        Ok(None) => Owner::Another,
        Err(_) => Owner::Unknown,
    }
}

fn strangers(directory: &Directory, names: Vec<String>, listing: &Listing) -> Vec<String> {
    let logs = listing.logs.iter().map(|&number| directory.log(number));
    let tables = listing.tables.iter().map(|&number| directory.table(number));
    let ours = logs.chain(tables).chain(listing.temporary.iter().cloned());
    let ours: std::collections::BTreeSet<PathBuf> =
        ours.chain([directory.lock(), directory.manifest()]).collect();
    names.into_iter().filter(|name| !ours.contains(&directory.path().join(name))).collect()
}

fn leftover(directory: &Directory, path: &Path) -> Leftover {
    Leftover { name: name_of(path), bytes: length(directory, path) }
}

/// Length of a file, if the system tells.
fn length(directory: &Directory, path: &Path) -> Option<u64> {
    directory.vfs().open(path).and_then(|file| file.len()).ok()
}

/// The name of a file in the directory.
fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A copy that keeps nothing else alive.
fn owned(key: &Bytes) -> Bytes {
    Bytes::copy_from_slice(key)
}
