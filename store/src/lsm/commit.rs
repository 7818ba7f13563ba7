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
//! Where none is promised, a full segment ends without a sync too: no writer ever waits for the disk to
//! take what was written, but for the header of a segment. Whoever syncs after all, at an orderly end,
//! syncs those segments first: `synced` must not be said of a record with an unsynced one before it.
//!
//! Shape: `hold back -> take -> append -> [sync] -> apply -> done* -> [rotate]`; a batch is visible
//! before its callback is called, and after it is as durable as promised.

use std::mem;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::format::put_record;
use super::log::{Recovered, Segment};
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
    /// The last sequence known to be on the platter.
    synced: u64,
    /// Whether the log says so, in a record or header after all that was written.
    is_marked: bool,
    /// When what is not on the platter must be; `None` while all is, or where nobody promised.
    sync_due: Option<Instant>,
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
            synced: next_sequence - 1,
            is_marked,
            sync_due: None,
            last_group: 0,
            is_full: false,
            records: Vec::new(),
        }
    }

    /// When somebody must sync, if nobody writes until then.
    pub(super) fn sync_due(&self) -> Option<Instant> {
        self.sync_due
    }

    /// Appends the records of `batches`, as one write.
    fn append(&mut self, batches: &[Batch]) -> Result<(), EngineError> {
        // What one great group took is given back: it would come on top of what all others take.
        self.records.clear();
        self.records.shrink_to(RECORDS_BYTES_KEPT);
        for (batch, sequence) in batches.iter().zip(self.next_sequence..) {
            let entries = batch.entries.iter().map(|(key, value)| (&key[..], value.as_deref()));
            put_record(&mut self.records, self.segment.salt(), sequence, self.synced, entries);
        }
        // Counted here: should a record above be too long and panic, the next follows the last written.
        self.next_sequence += batches.len() as u64;
        self.is_marked = false;
        self.segment.append(&self.records)
    }

    fn is_synced(&self) -> bool {
        self.synced == self.next_sequence - 1
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
        self.hold_back(writer);
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
        let written = self.write(writer, batches, leader);
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

    /// Makes `batches` as durable as promised; what a guest does not sync though it is due, the thread of
    /// the engine, which the same moment wakes, does.
    fn write(
        &self,
        writer: &mut Writer,
        batches: &[Batch],
        leader: Leader,
    ) -> Result<(), EngineError> {
        writer.append(batches)?;
        self.counters.count_group(batches, writer.records.len());
        match self.options.sync {
            Sync::Always => self.sync(writer),
            Sync::Never => Ok(()),
            Sync::Every(millis) => {
                let now = Instant::now();
                let Some(due) = writer.sync_due else {
                    writer.sync_due = Some(now + Duration::from_millis(millis));
                    self.queue.nudge();
                    return Ok(());
                };
                let is_mine = leader == Leader::Thread && due <= now;
                if is_mine { self.sync(writer) } else { Ok(()) }
            }
        }
    }

    /// Puts what was written on the platter, in this segment and in those that ended without a sync.
    pub(super) fn sync(&self, writer: &mut Writer) -> Result<(), EngineError> {
        writer.sync_due = None;
        if writer.is_synced() {
            return Ok(());
        }
        self.behind.sync()?;
        writer.segment.sync()?;
        self.counters.syncs.fetch_add(1, Relaxed);
        writer.synced = writer.next_sequence - 1;
        Ok(())
    }

    /// Ends segment and memtable together, so that the table made of the one frees the other.
    pub(super) fn rotate(&self, writer: &mut Writer) -> Result<(), EngineError> {
        self.end_segment(writer)?;
        let number = writer.segment.number() + 1;
        let next = Segment::create(&self.directory, number, writer.next_sequence, writer.synced);
        let next = next.inspect_err(|_| writer.segment.give_up())?;
        let ended = mem::replace(&mut writer.segment, next);
        if !writer.is_synced() {
            // Before the memtable can be flushed, which forgets it.
            self.behind.add(ended);
        }
        let active = Arc::new(Memtable::after(writer.next_sequence - 1));
        self.view.edit(|state| {
            let full = Frozen { memtable: state.active.clone(), next_log: number };
            let frozen = std::iter::once(full).chain(state.frozen.iter().cloned()).collect();
            State { active, frozen, levels: state.levels.clone() }
        });
        Ok(())
    }

    /// The segment takes no more; if a sync was promised of anything in it, it is on the platter.
    fn end_segment(&self, writer: &mut Writer) -> Result<(), EngineError> {
        if self.options.sync == Sync::Never {
            return writer.segment.trim();
        }
        self.sync(writer)?;
        writer.segment.finish()
    }

    /// Ends the log with an empty record, which says that all before it was synced: damage to the last
    /// batch can then not pass for a tear. Nothing where it says so already: starts and ends without a
    /// write between them leave it as it is.
    pub(super) fn mark_synced(&self, writer: &mut Writer) -> Result<(), EngineError> {
        if writer.is_marked {
            return Ok(());
        }
        self.sync(writer)?;
        writer.append(&[Batch::default()])?;
        self.sync(writer)?;
        writer.segment.finish()?;
        writer.is_marked = true;
        Ok(())
    }

    /// Waits while memory or the tables no read should have to ask are over their bounds.
    fn hold_back(&self, writer: &mut Writer) {
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
                Flow::Stop => {
                    let patience = self.sync_if_due(writer);
                    self.view.wait(seen, patience);
                }
            }
        }
        self.counters.count_stall(begun.elapsed());
    }

    /// Keeps the interval for what was answered before, as nobody else can while the writer is held;
    /// how long there is nothing to do.
    fn sync_if_due(&self, writer: &mut Writer) -> Duration {
        let Some(due) = writer.sync_due else { return PATIENCE };
        let left = due.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return left.min(PATIENCE);
        }
        if let Err(error) = self.sync(writer) {
            self.break_off(&error);
        }
        PATIENCE
    }
}
