//! Merging tables, so that a read asks few of them and overwritten values go.
//!
//! What to merge is the picker's decision; here it is done: inputs are walked as one, newest first, and
//! what is left of each key goes into new tables. Readers are not in the way: they hold the state they
//! began with.
//!
//! A tombstone goes when nothing below the output may hold its key. A value that the layer above calls
//! dead (a [`Reaper`]'s decision: all replicas have seen that it was deleted) becomes a tombstone, lest
//! an older value of its key come back from below.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::cursor::Cursor;
use super::levels::{LEVELS, Levels};
use super::merge::Merge;
use super::pace::Need;
use super::picker::{Kind, Task, pick, rewrite};
use super::run::RunCursor;
use super::table::{Access, Table, TableWriter};
use super::tree::Tree;
use crate::engine::EngineError;

/// Decides, for the layer that gave values their meaning, which of them nobody needs any more.
pub trait Reaper: Send + Sync {
    /// Whether `value` of `key` may go: nothing that any replica still holds could need it.
    fn is_dead(&self, key: &[u8], value: &[u8]) -> bool;
}

/// A merge was cut short because the engine ends.
struct Abandoned;

impl Tree {
    /// Carries out one task, if one is due; whether there was one. *Requires* that no other thread is
    /// in here.
    pub fn compact_one(&self) -> Result<bool, EngineError> {
        let held = self.shared.quarantine.held();
        let levels = self.view.current().levels.clone();
        let Some(task) = self.due(&levels, &held) else { return Ok(false) };
        match task.kind {
            Kind::Move => self.move_down(&levels, &task)?,
            Kind::Merge => match self.merge(&levels, &task) {
                Ok(()) => {}
                // Its block is in quarantine now: the next task leaves that table alone.
                Err(error) if self.shared.quarantine.held() != held => {
                    tracing::error!(%error, "a table is damaged; it is left out of merges");
                }
                Err(error) => return Err(error),
            },
        }
        Ok(true)
    }

    /// Whether nothing waits to be flushed or merged: until the next write nothing happens any more.
    pub fn is_settled(&self) -> bool {
        let state = self.view.current();
        let held = self.shared.quarantine.held();
        state.frozen.is_empty() && self.due(&state.levels, &held).is_none()
    }

    fn due(&self, levels: &Levels<Arc<Table>>, held: &BTreeSet<u64>) -> Option<Task> {
        let task = rewrite(levels, &self.shared.quarantine.released());
        task.or_else(|| pick(levels, &self.options.shape, held))
    }

    /// Nothing below overlaps: the tables are there already, only called otherwise.
    fn move_down(&self, levels: &Levels<Arc<Table>>, task: &Task) -> Result<(), EngineError> {
        let tables = inputs(levels, task);
        self.counters.moves.fetch_add(tables.len() as u64, Relaxed);
        self.publish_merge(&task.edit(tables.into_iter().map(|(_, table)| table).collect()))
    }

    fn merge(&self, levels: &Levels<Arc<Table>>, task: &Task) -> Result<(), EngineError> {
        let inputs = inputs(levels, task);
        let mut outputs =
            Outputs { tree: self, task, writer: None, begun: Vec::new(), done: Vec::new() };
        let written = outputs.write(sources(&inputs));
        let Outputs { begun, done, .. } = outputs;
        if !matches!(written, Ok(Ok(()))) {
            for number in begun {
                self.discard(&self.directory.table(number));
            }
            return written.map(|_| ());
        }
        self.counters.merges.fetch_add(1, Relaxed);
        let bytes = done.iter().map(|table| table.facts().bytes).sum::<u64>();
        self.counters.merged_bytes.fetch_add(bytes, Relaxed);
        self.publish_merge(&task.edit(done))?;
        for (_, table) in inputs {
            table.cool();
            self.discard(table.path());
            self.shared.quarantine.forget_table(table.facts().number);
        }
        Ok(())
    }

    /// Waits as the pace of merges demands, unless writers wait for merges, or the engine ends.
    fn keep_pace(&self, bytes: u64) {
        let need = if self.is_level0_urgent() { Need::Urgent } else { Need::Background };
        let until = Instant::now() + self.pace().spend(self.opened.elapsed(), bytes, need);
        while !self.is_ending() && !self.is_level0_urgent() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
    }

    fn is_level0_urgent(&self) -> bool {
        self.view.current().levels.level(0).len() > 2 * self.options.shape.level0_trigger
    }
}

/// The tables a merge writes.
struct Outputs<'a> {
    tree: &'a Tree,
    task: &'a Task,
    writer: Option<TableWriter>,
    /// Numbers of all that were begun; to be removed again if the merge fails.
    begun: Vec<u64>,
    done: Vec<Arc<Table>>,
}

impl Outputs<'_> {
    fn write(&mut self, mut entries: Merge<'_>) -> Result<Result<(), Abandoned>, EngineError> {
        entries.seek(b"")?;
        while let Some((key, value)) = entries.entry() {
            if self.tree.is_ending() {
                return Ok(Err(Abandoned));
            }
            let reaper = self.tree.options.reaper.as_deref();
            let value = value.filter(|value| !reaper.is_some_and(|it| it.is_dead(key, value)));
            if value.is_some() || !self.task.is_bottom {
                self.add(key, value)?;
            }
            entries.advance()?;
        }
        self.finish()?;
        Ok(Ok(()))
    }

    fn add(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), EngineError> {
        if self.writer.is_none() {
            let compression = self.tree.compression_of(self.task.output_level, self.task.is_bottom);
            let (number, writer) = self.tree.create_table(compression)?;
            self.begun.push(number);
            self.writer = Some(writer);
        }
        let writer = self.writer.as_mut().expect("it was made above");
        writer.add(key, value)?;
        // Inside level 0 the product stands for its inputs, and must be one table as each of them is.
        if self.task.output_level > 0
            && writer.bytes_written() >= self.tree.options.shape.table_bytes
        {
            self.finish()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let table = self.tree.finish_table(writer)?;
        self.tree.keep_pace(table.facts().bytes);
        self.done.push(table);
        Ok(())
    }
}

/// The tables a task names, with their levels, in the order of the levels: newest first.
fn inputs(levels: &Levels<Arc<Table>>, task: &Task) -> Vec<(usize, Arc<Table>)> {
    let named: BTreeSet<u64> = task.inputs.iter().map(|(_, number)| *number).collect();
    let all = (0..LEVELS)
        .flat_map(|level| levels.level(level).iter().map(move |table| (level, table.clone())));
    all.filter(|(_, table)| named.contains(&table.facts().number)).collect()
}

/// The inputs of one merge, newest first: each table of level 0, then each level as one.
fn sources(inputs: &[(usize, Arc<Table>)]) -> Merge<'static> {
    let mut runs: Vec<(usize, Vec<Arc<Table>>)> = Vec::new();
    for (level, table) in inputs {
        match runs.last_mut() {
            Some((last, run)) if *last == *level && *level > 0 => run.push(table.clone()),
            _ => runs.push((*level, vec![table.clone()])),
        }
    }
    let cursor = |(_, run)| Box::new(RunCursor::new(run, Access::Merge)) as Box<dyn Cursor + Send>;
    Merge::new(runs.into_iter().map(cursor).collect())
}
