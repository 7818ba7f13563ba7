//! From a full memtable to a table of level 0.
//!
//! ```text
//! table written and synced -> manifest names it -> readers see it -> its log segments go
//! ```
//!
//! A crash before the second step leaves a table nobody names, one after it segments nobody needs; the
//! next start removes either.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::levels::{Edit, Place};
use super::state::Frozen;
use super::tree::Tree;
use crate::engine::EngineError;

impl Tree {
    /// Writes the oldest full memtable as a table; whether there was one. *Requires* that no other
    /// thread is in here.
    pub fn flush_one(&self) -> Result<bool, EngineError> {
        let Some(oldest) = self.view.current().frozen.last().cloned() else { return Ok(false) };
        let added = self.write_memtable(&oldest)?;
        let freed = self.publish_flush(&added, &oldest)?;
        self.platter.forget_below(freed.end);
        for number in freed {
            self.discard(&self.directory.log(number));
        }
        Ok(true)
    }

    /// Nothing where the memtable holds nothing.
    fn write_memtable(
        &self,
        frozen: &Frozen,
    ) -> Result<Edit<Arc<super::table::Table>>, EngineError> {
        let mut edit = Edit { removed: Vec::new(), added: Vec::new() };
        if frozen.memtable.is_empty() {
            return Ok(edit);
        }
        let (_, mut writer) = self.create_table(self.options.compression)?;
        frozen.memtable.visit(|(key, value)| writer.add(key, value))?;
        let table = self.finish_table(writer)?;
        self.counters.flushes.fetch_add(1, Relaxed);
        self.counters.flushed_bytes.fetch_add(table.facts().bytes, Relaxed);
        edit.added.push((Place::Newest, table));
        Ok(edit)
    }
}
