//! How batches become durable: all that wait, with one write and one sync.
//!
//! Whoever holds the writer leads: it takes every batch that waits, its own among them, appends them to
//! the log as one, syncs if that was promised, applies them to the memtable and answers. A thread that
//! commits its own batch so needs no other thread; those who come meanwhile sleep until they are
//! answered, or woken to lead the next group. (Group commit: DeWitt et al., SIGMOD 1984, §5.2; leaders
//! and followers as in LevelDB's writers.)
//!
//! Batches left with a callback are led by a thread of the engine, or by a *guest*: a thread that left
//! some and has others to serve, so that it must not wait. It leads only where nobody does, nothing holds
//! writers back and no batch must be synced; it neither syncs nor begins a segment, but leaves that to
//! the thread of the engine, which then leads until it is done.
//!
//! Where a sync is promised, threads just answered are about to come back with more. A leader that
//! finds fewer of them than there were in the last group lets them run for a moment: one sync for eight
//! costs what one sync for one does. (PostgreSQL's `commit_siblings` waits for the same reason.)
//!
//! Where none is promised, or one within an interval, no writer ever waits for the disk to take what
//! was written, but for the header of a segment. A sync runs beside the writers ([`Tree::sync_log`],
//! called by a thread of the engine when it is due): it needs the files of the log and not the writer,
//! and proves what was appended before it began, however far the log has come when it is done
//! ([`Platter`](super::log::Platter)). A full segment ends without a sync too, and the next one syncs
//! it first: `synced` must not be said of a record with an unsynced one before it. Waiting for one that
//! is under way would hold up every writer for nothing that any of them was promised. Only an orderly
//! end waits: it says of all that it is synced.
//!
//! ```text
//! always    append | sync | apply, answer       the leader's own sync, the writer held
//! every     append | apply, answer              and beside it, at most an interval later: sync
//! never     append | apply, answer              synced at an orderly end
//! ```
//!
//! When a sync fails, whoever runs it, the engine takes no more writes: a leader that appends meanwhile
//! is refused before it applies and answers.
//!
//! Shape: `hold back -> take -> append -> [sync] -> apply -> done* -> [rotate]`; a batch is visible
//! before its callback is called, and after it is as durable as promised.

use std::mem;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::format::put_record;
use super::log::{Platter, Recovered, Segment};
use super::memtable::Memtable;
use super::pressure::Flow;
use super::queue::{Waiting, answer};
use super::state::{Frozen, State};
use super::tree::Tree;
use crate::config::Sync;
use crate::engine::{Batch, Done, EngineError};

/// The end of the log, and what is known of it.
pub(super) struct Writer {
    segment: Segment,
    next_sequence: u64,
    /// Whether the log says that all of it is on the platter, in a record or header after all that was
    /// written.
    is_marked: bool,
    /// Batches of the group before.
    last_group: usize,
    /// Segment or memtable are full, and the guest who filled them did not wait for the next.
    is_full: bool,
    /// The records of a group, kept for its memory.
    records: Vec<u8>,
}

impl Writer {
    pub(super) fn new(recovered: Recovered) -> Writer {
        let Recovered { segment, next_sequence, is_marked } = recovered;
        Writer {
            segment,
            next_sequence,
            is_marked,
            last_group: 0,
            is_full: false,
            records: Vec::new(),
        }
    }

    /// What of the log is on the platter: at a start, all of it.
    pub(super) fn platter(&self) -> Platter {
        Platter::new(self.next_sequence - 1, self.segment.file().clone())
    }

    /// Appends the records of `batches`, as one write; each says what was on the platter just before.
    /// What is then not on the platter is to be on its way there when it is `due`.
    fn append(
        &mut self,
        batches: &[Batch],
        platter: &Platter,
        due: Option<Instant>,
    ) -> Result<(), EngineError> {
        let synced = platter.synced()?;
        // What one great group took is given back: it would come on top of what all others take.
        self.records.clear();
        self.records.shrink_to(RECORDS_BYTES_KEPT);
        for (batch, sequence) in batches.iter().zip(self.next_sequence..) {
            let entries = batch.entries.iter().map(|(key, value)| (&key[..], value.as_deref()));
            put_record(&mut self.records, self.segment.salt(), sequence, synced, entries);
        }
        // Counted here: should a record above be too long and panic, the next follows the last written.
        self.next_sequence += batches.len() as u64;
        self.is_marked = false;
        self.segment.append(&self.records)?;
        platter.append(self.next_sequence - 1, due)
    }
}

/// Who leads a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leader {
    /// One that may wait for the disk.
    Thread,
    /// One that must not.
    Guest,
}

/// Where a thread that commits finds the answer to its own batch.
type Answer = Arc<Mutex<Option<Result<(), EngineError>>>>;

/// How often a leader lets others run first: a few microseconds each, on a machine that has others to
/// run, and nothing on one that has none.
const GATHER_YIELDS: usize = 32;

/// How much of the memory of a group's records is kept for the next.
const RECORDS_BYTES_KEPT: usize = 4 << 20;

/// A segment of the log ends when it is so many times larger than a full memtable.
const LOG_TO_MEMTABLE: u64 = 4;

/// How long a writer waits for room before it looks whether the engine broke meanwhile.
const PATIENCE: Duration = Duration::from_millis(100);

impl Tree {
    /// Makes `batch` durable as promised, and visible.
    pub fn commit(&self, batch: Batch) -> Result<(), EngineError> {
        match self.try_writer() {
            Some(mut writer) => self.commit_waiting(&mut writer, Some(batch)),
            None => self.commit_in_turn(batch),
        }
    }

    /// Somebody leads: `batch` waits until it is answered, or this thread is woken to lead.
    fn commit_in_turn(&self, batch: Batch) -> Result<(), EngineError> {
        let answer = Answer::default();
        let (told, owner) = (answer.clone(), thread::current());
        let asleep = owner.clone();
        let done = move |result| {
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            asleep.unpark();
        };
        let added = self.queue.add(Waiting { batch, done: Box::new(done), owner: Some(owner) });
        added.map_err(|(why, _)| why)?;
        loop {
            let answered = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(result) = answered {
                return result;
            }
            match self.try_writer() {
                Some(mut writer) => self.lead(&mut writer),
                None => thread::park(),
            }
        }
    }

    /// Ends the memtable, unless it is empty; it then waits to be flushed.
    pub fn freeze(&self) -> Result<(), EngineError> {
        let mut writer = self.writer();
        if self.view.current().active.is_empty() {
            return Ok(());
        }
        let rotated = self.rotate(&mut writer);
        rotated.inspect_err(|error| self.break_off(error))
    }

    /// Commits everything that waits; a failure ends the engine, and is told to those who wait.
    pub(super) fn lead(&self, writer: &mut Writer) {
        // Its own batch, if it has one, waits with the others, and is told by its callback.
        let _told = self.commit_waiting(writer, None);
    }

    /// Commits what waits, where that needs no waiting. Letting go of the writer wakes the thread of the
    /// engine if anything is left; if somebody else holds it, that one will.
    pub(super) fn lead_as_guest(&self) {
        if self.options.sync == Sync::Always {
            return self.queue.hand_over();
        }
        let Some(mut writer) = self.try_writer() else { return };
        let is_free = self.options.bounds.flow(self.view.load()) == Flow::Free;
        if is_free && !writer.is_full {
            let (waiting, _) = self.queue.take();
            let _told = self.commit_taken(&mut writer, waiting, None, Leader::Guest);
        }
    }

    /// The same, with the leader's own batch after those that wait; what became of that.
    fn commit_waiting(&self, writer: &mut Writer, own: Option<Batch>) -> Result<(), EngineError> {
        self.hold_back();
        if self.options.sync == Sync::Always {
            self.gather(writer.last_group.saturating_sub(usize::from(own.is_some())));
        }
        if mem::take(&mut writer.is_full)
            && let Err(error) = self.rotate(writer)
        {
            self.break_off(&error);
        }
        let (waiting, ended) = self.queue.take();
        let (own, told) = match ended {
            Some(reason) => (None, Err(EngineError::Closed(reason))),
            None => (own, Ok(())),
        };
        self.commit_taken(writer, waiting, own, Leader::Thread).and(told)
    }

    fn commit_taken(
        &self,
        writer: &mut Writer,
        waiting: Vec<Waiting>,
        own: Option<Batch>,
        leader: Leader,
    ) -> Result<(), EngineError> {
        let waiting = waiting.into_iter().map(|one| (one.batch, one.done));
        let (mut batches, dones): (Vec<Batch>, Vec<Done>) = waiting.unzip();
        batches.extend(own);
        writer.last_group = batches.len();
        if batches.is_empty() {
            return Ok(());
        }
        let committed = self.commit_group(writer, &batches, dones, leader);
        committed.inspect_err(|error| self.break_off(error))
    }

    /// Lets those run who are about to bring more.
    fn gather(&self, expected: usize) {
        for _ in 0..GATHER_YIELDS {
            if self.queue.len() >= expected {
                break;
            }
            thread::yield_now();
        }
    }

    /// *Requires* `dones` of the first of `batches`.
    fn commit_group(
        &self,
        writer: &mut Writer,
        batches: &[Batch],
        dones: Vec<Done>,
        leader: Leader,
    ) -> Result<(), EngineError> {
        let first = writer.next_sequence;
        let written = self.write(writer, batches);
        let bytes = match &written {
            Ok(()) => self.view.current().active.apply((first..).zip(batches)),
            Err(_) => 0,
        };
        for done in dones {
            answer(done, written.clone());
        }
        written?;
        if self.is_full(bytes, writer) {
            match leader {
                Leader::Guest => {
                    writer.is_full = true;
                    self.queue.nudge();
                }
                // What was committed stays so: it is the next write that is refused.
                Leader::Thread => {
                    let _ = self.rotate(writer).inspect_err(|error| self.break_off(error));
                }
            }
        }
        Ok(())
    }

    /// A few keys written over and over fill the log, and no memtable.
    fn is_full(&self, memtable_bytes: usize, writer: &Writer) -> bool {
        let segment_bytes_max = LOG_TO_MEMTABLE.saturating_mul(self.options.memtable_bytes as u64);
        memtable_bytes >= self.options.memtable_bytes || writer.segment.bytes() >= segment_bytes_max
    }

    /// Makes `batches` as durable as promised.
    fn write(&self, writer: &mut Writer, batches: &[Batch]) -> Result<(), EngineError> {
        let due = match self.options.sync {
            Sync::Every(millis) => Some(Instant::now() + Duration::from_millis(millis)),
            Sync::Always | Sync::Never => None,
        };
        writer.append(batches, &self.platter, due)?;
        self.counters.count_group(batches, writer.records.len());
        if self.options.sync == Sync::Always { self.sync_log() } else { Ok(()) }
    }

    /// Puts on the platter what was written before, in whichever segments it is. Waits for the disk and
    /// for no writer, and no writer waits for it. If it fails, no further write is acknowledged: who
    /// appends asks how far the log is synced, and is told why nobody knows.
    pub fn sync_log(&self) -> Result<(), EngineError> {
        let was_needed = self.platter.sync()?;
        self.counters.syncs.fetch_add(u64::from(was_needed), Relaxed);
        Ok(())
    }

    /// Ends segment and memtable together, so that the table made of the one frees the other.
    pub(super) fn rotate(&self, writer: &mut Writer) -> Result<(), EngineError> {
        self.end_segment(writer)?;
        let number = writer.segment.number() + 1;
        let synced = self.platter.synced()?;
        let next = Segment::create(&self.directory, number, writer.next_sequence, synced);
        writer.segment = next.inspect_err(|_| writer.segment.give_up())?;
        self.platter.go_on_in(writer.segment.file().clone());
        let active = Arc::new(Memtable::after(writer.next_sequence - 1));
        self.view.edit(|state| {
            let full = Frozen { memtable: state.active.clone(), next_log: number };
            let frozen = std::iter::once(full).chain(state.frozen.iter().cloned()).collect();
            State { active, frozen, levels: state.levels.clone() }
        });
        Ok(())
    }

    /// The segment takes no more; where every write is synced, its end is too.
    fn end_segment(&self, writer: &mut Writer) -> Result<(), EngineError> {
        if self.options.sync != Sync::Always {
            return writer.segment.trim();
        }
        self.sync_log()?;
        writer.segment.finish()
    }

    /// Ends the log with an empty record, which says that all before it was synced: damage to the last
    /// batch can then not pass for a tear. Waits for a sync under way, the writer held. Nothing where
    /// it says so already: starts and ends without a write between them leave it as it is.
    pub(super) fn mark_synced(&self, writer: &mut Writer) -> Result<(), EngineError> {
        if writer.is_marked {
            return Ok(());
        }
        self.sync_log()?;
        writer.append(&[Batch::default()], &self.platter, None)?;
        self.sync_log()?;
        writer.segment.finish()?;
        writer.is_marked = true;
        Ok(())
    }

    /// Waits while memory or the tables no read should have to ask are over their bounds.
    fn hold_back(&self) {
        let flow = || self.options.bounds.flow(self.view.load());
        if flow() == Flow::Free {
            return;
        }
        let begun = Instant::now();
        loop {
            let seen = self.view.generation();
            match flow() {
                Flow::Free => break,
                Flow::Slow(delay) => {
                    // Once: delayed is not stopped.
                    thread::sleep(delay);
                    break;
                }
                Flow::Stop if self.queue.ended().is_some() => break,
                Flow::Stop => self.view.wait(seen, PATIENCE),
            }
        }
        self.counters.count_stall(begun.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::options::Options;
    use super::super::pressure::{Bound, Bounds};
    use super::super::vfs::ModelDisk;
    use super::*;

    /// Longer than any write takes; reached only when one is never begun.
    const DEADLINE: Duration = Duration::from_secs(20);

    fn put(tree: &Tree, key: &'static str) {
        let entries = vec![(key.into(), Some("value".into()))];
        tree.commit(Batch { entries }).unwrap();
    }

    #[test]
    fn writers_that_wait_for_a_flush_do_not_keep_what_was_answered_before_from_being_synced() {
        let bounds = Bounds { frozen: Bound { slow: 0, stop: 1 }, ..Bounds::default() };
        let options = Options { sync: Sync::Every(0), bounds, ..Options::default() };
        let tree = Tree::open(Arc::new(ModelDisk::new()), Path::new("d"), options).unwrap();
        put(&tree, "a");
        tree.freeze().unwrap();
        thread::scope(|scope| {
            // A full memtable stops it, and it holds the writer while it waits.
            scope.spawn(|| put(&tree, "b"));
            let deadline = Instant::now() + DEADLINE;
            while tree.try_writer().is_some() {
                assert!(Instant::now() < deadline, "nobody holds the writer");
                thread::yield_now();
            }
            tree.sync_log().unwrap();
            assert_eq!((tree.statistics().writes, tree.platter.synced().unwrap()), (1, 1));
            assert!(tree.flush_one().unwrap());
        });
        assert_eq!((tree.statistics().writes, tree.platter.synced().unwrap()), (2, 1));
    }
}
