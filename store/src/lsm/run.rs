//! Tables that do not overlap, walked as one: a level, or the part of it that is merged.

use std::sync::Arc;

use bytes::Bytes;

use super::cursor::{Cursor, EntryRef};
use super::table::{Access, Table, TableCursor};
use crate::engine::EngineError;

/// A place in tables that do not overlap, in order of their keys.
pub(super) struct RunCursor {
    tables: Vec<Arc<Table>>,
    access: Access,
    /// Which of the tables comes after the one it stands in.
    next: usize,
    /// Opened when it is reached, so that a run of thousands of tables costs no more than one.
    cursor: Option<TableCursor>,
}

impl RunCursor {
    /// *Requires* tables in order of their keys, of which no two overlap.
    pub(super) fn new(tables: Vec<Arc<Table>>, access: Access) -> RunCursor {
        RunCursor { tables, access, next: 0, cursor: None }
    }

    /// Goes to the first entry at or after `from` of the next table, and on while there is none.
    fn enter(&mut self, from: &[u8]) -> Result<(), EngineError> {
        self.cursor = None;
        while let Some(table) = self.tables.get(self.next) {
            let mut cursor = table.cursor(self.access);
            self.next += 1;
            cursor.seek(from)?;
            if cursor.entry().is_some() {
                self.cursor = Some(cursor);
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Cursor for RunCursor {
    fn seek(&mut self, from: &[u8]) -> Result<(), EngineError> {
        self.next = self.tables.partition_point(|table| table.facts().largest < from);
        self.enter(from)
    }

    fn advance(&mut self) -> Result<(), EngineError> {
        let cursor = self.cursor.as_mut().expect("an advancing cursor stands at an entry");
        if let Err(error) = cursor.advance() {
            self.cursor = None;
            return Err(error);
        }
        if cursor.entry().is_none() { self.enter(b"") } else { Ok(()) }
    }

    fn entry(&self) -> Option<EntryRef<'_>> {
        self.cursor.as_ref().and_then(Cursor::entry)
    }

    fn value(&self) -> Option<Bytes> {
        self.cursor.as_ref().and_then(Cursor::value)
    }
}
