//! The thread that makes batches durable: all that wait, with one write and one sync.
//!
//! While one sync is under way the next group gathers; the slower the disk, the larger the groups,
//! and nobody waits for more than two syncs. (Group commit: DeWitt et al., SIGMOD 1984, §5.2.)
//!
//! Shape: `take -> append -> [sync] -> apply -> done* -> [rotate]`; a batch is visible before its
//! callback is called, and after it is as durable as promised.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::compactor::Frozen;
use super::directory::Directory;
use super::durable::Shared;
use super::format::put_record;
use super::log::{Recovered, Segment};
use super::queue::Taken;
use super::{Batch, Done, EngineError};
use crate::config::Sync;

/// The thread that makes batches durable.
pub(super) struct Committer {
    shared: Arc<Shared>,
    directory: Arc<Directory>,
    segment: Segment,
    next_sequence: u64,
    /// The last sequence known to be on the platter.
    synced: u64,
    /// When what is not on the platter must be; `None` while all is.
    sync_due: Option<Instant>,
    sync: Sync,
    memtable_bytes: usize,
    /// Holds one memtable: when the compactor is behind by two, writers wait here.
    full: SyncSender<Frozen>,
}

impl Committer {
    pub(super) fn new(
        shared: Arc<Shared>,
        directory: Arc<Directory>,
        Recovered { segment, next_sequence }: Recovered,
        (sync, memtable_bytes): (Sync, usize),
        full: SyncSender<Frozen>,
    ) -> Committer {
        Committer {
            shared,
            directory,
            segment,
            next_sequence,
            synced: next_sequence - 1,
            sync_due: None,
            sync,
            memtable_bytes,
            full,
        }
    }

    /// Commits until the queue ends, or something fails.
    pub(super) fn run(mut self) {
        if let Err(error) = self.commit_all() {
            tracing::error!(%error, "the engine takes no more writes");
            self.shared.queue.refuse_all(&format!("it broke: failed to {error}"));
        }
    }

    fn commit_all(&mut self) -> Result<(), EngineError> {
        let opened_with = self.next_sequence;
        loop {
            match self.shared.queue.take(self.sync_due) {
                Taken::Batches(group) => self.commit(group)?,
                Taken::Due => self.sync()?,
                Taken::Ended => break,
            }
        }
        if self.next_sequence > opened_with {
            self.mark_synced()?;
        }
        Ok(())
    }

    fn commit(&mut self, group: Vec<(Batch, Done)>) -> Result<(), EngineError> {
        let (batches, dones): (Vec<Batch>, Vec<Done>) = group.into_iter().unzip();
        if let Err(error) = self.write(&batches) {
            for done in dones {
                answer(done, Err(error.clone()));
            }
            return Err(error);
        }
        let memtable_bytes = self.shared.view.apply(batches.iter());
        for done in dones {
            answer(done, Ok(()));
        }
        if memtable_bytes >= self.memtable_bytes { self.rotate() } else { Ok(()) }
    }

    /// Makes `batches` as durable as promised.
    fn write(&mut self, batches: &[Batch]) -> Result<(), EngineError> {
        let mut records = Vec::new();
        for batch in batches {
            let entries = batch.entries.iter().map(|(key, value)| (&key[..], value.as_deref()));
            let salt = self.segment.salt();
            put_record(&mut records, salt, self.next_sequence, self.synced, entries);
            self.next_sequence += 1;
        }
        self.segment.append(&records)?;
        self.shared.statistics.count_group(batches.len());
        match self.sync {
            Sync::Always => self.sync(),
            Sync::Every(millis) => {
                let due = || Instant::now() + Duration::from_millis(millis);
                let due = *self.sync_due.get_or_insert_with(due);
                if due <= Instant::now() { self.sync() } else { Ok(()) }
            }
        }
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        if self.synced == self.next_sequence - 1 {
            return Ok(());
        }
        self.segment.sync()?;
        self.shared.statistics.count_sync();
        self.synced = self.next_sequence - 1;
        self.sync_due = None;
        Ok(())
    }

    /// Ends segment and memtable together, so that the table made of the one frees the other.
    fn rotate(&mut self) -> Result<(), EngineError> {
        self.sync()?;
        let number = self.segment.number() + 1;
        self.segment = Segment::create(&self.directory, number, self.next_sequence)?;
        let memtable = self.shared.view.freeze();
        let frozen = Frozen { memtable, next_log: number };
        self.full.send(frozen).map_err(|_| EngineError::Closed("the compactor broke".to_owned()))
    }

    /// Ends with an empty record, which says that all before it was synced: damage to the last
    /// batch can then not pass for a tear.
    fn mark_synced(&mut self) -> Result<(), EngineError> {
        self.sync()?;
        self.write(&[Batch::default()])?;
        self.sync()
    }
}

/// Calls `done`. Should it panic, that is its owner's loss: the others of its group are answered too.
fn answer(done: Done, result: Result<(), EngineError>) {
    if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
        tracing::error!("a callback of a write panicked");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{channel, sync_channel};

    use super::*;

    fn batch(key: &'static str) -> Batch {
        Batch { entries: vec![(key.into(), Some("value".into()))] }
    }

    #[test]
    fn after_a_failed_write_nothing_is_visible_and_nothing_more_is_taken() {
        let path = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(path.path()).unwrap());
        let segment = Segment::create(&directory, 1, 1).unwrap().unwritable();
        let shared = Arc::new(Shared::default());
        let recovered = Recovered { segment, next_sequence: 1 };
        let (full, _to_write) = sync_channel(1);
        let limits = (Sync::Always, 1 << 20);
        let committer = Committer::new(shared.clone(), directory, recovered, limits, full);

        let (told, answers) = channel();
        let tell = || {
            let told = told.clone();
            Box::new(move |answer| told.send(answer).unwrap()) as Done
        };
        shared.queue.push(batch("a"), tell());
        committer.run();
        let answer = answers.recv().unwrap();
        assert!(matches!(answer, Err(EngineError::Io { action: "write", .. })), "{answer:?}");
        shared.queue.push(batch("b"), tell());
        let answer = answers.recv().unwrap();
        assert!(matches!(answer, Err(EngineError::Closed(_))), "{answer:?}");
        assert_eq!(shared.view.get(b"a").unwrap(), None);
    }
}
