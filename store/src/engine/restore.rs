//! Starting on a directory: read the manifest, remove what it does not name, open the tables it does,
//! replay the log.
//!
//! A directory without a manifest is new, or its first start was cut off; with anything more in it
//! than that could leave, the manifest was lost, and that is damage.

use std::sync::Arc;

use super::EngineError;
use super::directory::{Directory, Listing, remove};
use super::log::{self, Recovered, Segment};
use super::manifest::Manifest;
use super::table::Table;
use super::view::State;

/// Everything the directory holds, after removing what its manifest does not name.
pub(super) fn restore(directory: &Directory) -> Result<(Manifest, State, Recovered), EngineError> {
    let listing = directory.list()?;
    let Some(manifest) = Manifest::load(directory)? else {
        return begin(directory, &listing);
    };
    remove_leftovers(directory, &manifest, &listing)?;
    let mut state = State::default();
    for &number in &manifest.tables {
        state.tables.push(Arc::new(Table::open(directory.table(number), number)?));
    }
    let newest = listing.logs.last().copied().unwrap_or(0).max(manifest.oldest_log);
    let logs: Vec<u64> = (manifest.oldest_log..=newest).collect();
    let apply = |(key, value): (&[u8], Option<&[u8]>)| state.active.put(key, value);
    let recovered = log::recover(directory, &logs, apply)?;
    Ok((manifest, state, recovered))
}

/// A directory never used, or left in the middle of this very function. The manifest comes last: once
/// it is there, a missing segment is damage.
fn begin(
    directory: &Directory,
    listing: &Listing,
) -> Result<(Manifest, State, Recovered), EngineError> {
    let manifest = Manifest::fresh();
    let mut unused = listing.tables.is_empty();
    for &number in &listing.logs {
        unused &= number == manifest.oldest_log && log::is_unused(directory, number)?;
    }
    if !unused {
        return Err(EngineError::damaged(&directory.manifest(), 0, "the manifest is missing"));
    }
    let segment = Segment::create(directory, manifest.oldest_log, 1)?;
    manifest.store(directory)?;
    Ok((manifest, State::default(), Recovered { segment, next_sequence: 1 }))
}

fn remove_leftovers(
    directory: &Directory,
    manifest: &Manifest,
    listing: &Listing,
) -> Result<(), EngineError> {
    let logs = listing.logs.iter().filter(|&&number| number < manifest.oldest_log);
    let tables = listing.tables.iter().filter(|number| !manifest.tables.contains(number));
    let logs = logs.map(|&number| directory.log(number));
    let tables = tables.map(|&number| directory.table(number));
    for path in logs.chain(tables).chain(listing.temporary.iter().cloned()) {
        tracing::info!(path = %path.display(), "a leftover is removed");
        remove(&path)?;
    }
    Ok(())
}
