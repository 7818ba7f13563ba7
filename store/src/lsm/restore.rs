//! Starting on a directory: read the manifest, open the tables it names, replay the log; then remove
//! what it does not name.
//!
//! A damaged table costs its own keys; a missing one ends the start. A directory without a manifest is
//! new, or its first start was cut off; with anything more in it than that could leave, the manifest
//! was lost, and that is damage.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::directory::{Directory, Listing};
use super::levels::Levels;
use super::log::{self, Recovered, Segment};
use super::manifest::Manifest;
use super::memtable::Memtable;
use super::state::State;
use super::table::{Shared, Table, TableFacts};
use crate::engine::EngineError;

/// Longer than any manifest: a million tables.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;

/// Everything a directory holds.
pub(super) struct Restored {
    pub(super) manifest: Manifest,
    pub(super) state: State,
    pub(super) recovered: Recovered,
}

/// Everything the directory holds, after removing what its manifest does not name.
pub(super) fn restore(
    directory: &Directory,
    shared: &Arc<Shared>,
) -> Result<Restored, EngineError> {
    let listing = directory.list()?;
    let Some(manifest) = load_manifest(directory)? else {
        return begin(directory, &listing);
    };
    // A process that was killed leaves names that are seen and not durable: the manifest's, the last
    // segment's. What is written and removed from now on must not be outlived by what it rests on.
    directory.sync()?;
    let levels = open_tables(directory, &manifest, shared)?;
    let logs = segments(directory, &manifest, &listing)?;
    let active = Memtable::default();
    let recovered = log::recover(directory, &logs, |sequence, entry| active.put(sequence, entry))?;
    let active = Arc::new(active.visible_at(recovered.next_sequence - 1));
    // Not before all that the manifest names is known to be there: it may be one of another day, and
    // what it does not name all there is.
    for path in leftovers(directory, &manifest, &listing) {
        tracing::info!(path = %path.display(), "a leftover is removed");
        directory.remove(&path)?;
    }
    let state = State { active, frozen: Vec::new(), levels: Arc::new(levels) };
    Ok(Restored { manifest, state, recovered })
}

/// Reads the manifest; `None` where there is none.
pub(super) fn load_manifest(directory: &Directory) -> Result<Option<Manifest>, EngineError> {
    let path = directory.manifest();
    let Some(bytes) = directory.read(&path, MANIFEST_BYTES_MAX)? else { return Ok(None) };
    let damaged = || EngineError::damaged(&path, 0, "this is no whole manifest of this version");
    Manifest::decode(&bytes).map(Some).ok_or_else(damaged)
}

/// A directory never used, or left in the middle of this very function. The manifest comes last: once
/// it is there, a missing segment is damage.
fn begin(directory: &Directory, listing: &Listing) -> Result<Restored, EngineError> {
    let manifest = Manifest::fresh();
    if !is_unused(directory, listing)? {
        return Err(missing_manifest(directory));
    }
    let segment = Segment::create(directory, manifest.oldest_log, 1, 0)?;
    directory.publish(&directory.manifest(), &manifest.encode())?;
    let active = Arc::new(Memtable::default());
    let state = State { active, frozen: Vec::new(), levels: Arc::new(Levels::new()) };
    let recovered = Recovered { segment, next_sequence: 1, is_marked: true };
    Ok(Restored { manifest, state, recovered })
}

/// The error for a directory that must have had one.
pub(super) fn missing_manifest(directory: &Directory) -> EngineError {
    EngineError::damaged(&directory.manifest(), 0, "the manifest is missing")
}

/// Whether a directory without a manifest holds no more than a start that was cut off can leave.
pub(super) fn is_unused(directory: &Directory, listing: &Listing) -> Result<bool, EngineError> {
    let mut unused = listing.tables.is_empty();
    for &number in &listing.logs {
        unused &= number == Manifest::fresh().oldest_log && log::is_unused(directory, number)?;
    }
    Ok(unused)
}

fn open_tables(
    directory: &Directory,
    manifest: &Manifest,
    shared: &Arc<Shared>,
) -> Result<Levels<Arc<Table>>, EngineError> {
    manifest.levels.try_map(|facts| {
        let table = open_table(directory, facts, shared)?;
        if let Some(error) = table.damage() {
            tracing::error!(%error, "a table is damaged; its keys wait for repair");
        }
        Ok(Arc::new(table))
    })
}

/// Opens a table that the manifest names; if its ends are damaged, as one that cannot be read.
pub(super) fn open_table(
    directory: &Directory,
    facts: &TableFacts,
    shared: &Arc<Shared>,
) -> Result<Table, EngineError> {
    let path = directory.table(facts.number);
    Table::open_named(&**directory.vfs(), path, facts, shared.clone())
}

/// The segments to replay: from the manifest's oldest on, without a gap. Nothing is counted through, so
/// that a file with an absurd number in its name costs no more than any other.
pub(super) fn segments(
    directory: &Directory,
    manifest: &Manifest,
    listing: &Listing,
) -> Result<Vec<u64>, EngineError> {
    let named = listing.logs.iter().copied().filter(|&number| number >= manifest.oldest_log);
    let found: Vec<u64> = named.collect();
    let gap = found.iter().zip(manifest.oldest_log..).find(|(found, due)| *found != due);
    let missing = gap.map(|(_, due)| due).or(found.is_empty().then_some(manifest.oldest_log));
    let damaged = |due| EngineError::damaged(&directory.log(due), 0, "the segment is missing");
    missing.map_or(Ok(found), |due| Err(damaged(due)))
}

/// What lies in the directory, and the manifest does not name.
pub(super) fn leftovers(
    directory: &Directory,
    manifest: &Manifest,
    listing: &Listing,
) -> Vec<PathBuf> {
    let named: BTreeSet<u64> = manifest.levels.iter().map(|(_, table)| table.number).collect();
    let logs = listing.logs.iter().filter(|&&number| number < manifest.oldest_log);
    let tables = listing.tables.iter().filter(|number| !named.contains(number));
    let logs = logs.map(|&number| directory.log(number));
    let tables = tables.map(|&number| directory.table(number));
    logs.chain(tables).chain(listing.temporary.iter().cloned()).collect()
}
