//! The tables of a directory, by what their ends and the manifest say of them.

use std::sync::Arc;

use bytes::Bytes;

use super::super::directory::{Directory, Listing};
use super::super::manifest::Manifest;
use super::super::restore::open_table;
use super::super::table::{Shared, Table, TableFacts};
use super::owned;
use crate::engine::EngineError;

/// What is known of a table.
#[derive(Clone, Debug)]
pub struct TableSummary {
    /// Its number.
    pub number: u64,
    /// The level it stands on; `None` where no manifest says.
    pub level: Option<usize>,
    /// What the manifest says of it, or without one the table itself.
    pub facts: Option<Facts>,
    /// What is wrong with it, as far as its ends tell.
    pub damage: Option<EngineError>,
    /// Whether a start fails for that; if not, it goes on with the table's keys in quarantine.
    pub is_refused: bool,
}

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Length of its file.
    pub bytes: u64,
    /// How many keys it knows, tombstones included.
    pub entries: u64,
    /// How many of them were removed.
    pub tombstones: u64,
    /// Its first key.
    pub smallest: Bytes,
    /// Its last key.
    pub largest: Bytes,
}

impl From<&TableFacts> for Facts {
    fn from(facts: &TableFacts) -> Facts {
        Facts {
            bytes: facts.bytes,
            entries: facts.entries,
            tombstones: facts.tombstones,
            smallest: owned(&facts.smallest),
            largest: owned(&facts.largest),
        }
    }
}

/// The tables that a manifest names, in read order.
pub(super) fn named(directory: &Directory, manifest: &Manifest) -> Vec<TableSummary> {
    let look = |(level, facts): (usize, &TableFacts)| {
        let opened = open_table(directory, facts, &alone());
        let is_refused = opened.is_err();
        let damage = opened.map_or_else(Some, |table| table.damage().cloned());
        let (number, level, facts) = (facts.number, Some(level), Some(facts.into()));
        TableSummary { number, level, facts, damage, is_refused }
    };
    manifest.levels.iter().map(look).collect()
}

/// All tables that lie there, newest first, for want of a manifest.
pub(super) fn found(directory: &Directory, listing: &Listing) -> Vec<TableSummary> {
    let look = |&number: &u64| {
        let opened = open(directory, number, alone());
        let facts = opened.as_ref().ok().map(|table| Facts::from(table.facts()));
        let is_refused = opened.is_err();
        TableSummary { number, level: None, facts, damage: opened.err(), is_refused }
    };
    listing.tables.iter().rev().map(look).collect()
}

/// Opens a table by its own word.
pub(super) fn open(
    directory: &Directory,
    number: u64,
    shared: Arc<Shared>,
) -> Result<Table, EngineError> {
    Table::open(&**directory.vfs(), directory.table(number), number, shared)
}

/// What a table shares with none: nothing cached, a quarantine of its own.
pub(super) fn alone() -> Arc<Shared> {
    Arc::new(Shared::new(0, 0))
}
