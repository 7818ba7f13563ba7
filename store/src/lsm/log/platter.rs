//! What of the log is on the platter, and which files hold what is not: shared by who writes and who
//! syncs.
//!
//! ```text
//! writer   append .......... append .... append .. rotate .... append      (the page cache takes it)
//! syncer        begin: files, claim | sync, sync, ... | end: claim holds
//! ```
//!
//! What a sync must reach is fixed when it begins, under one lock: how far the log is ([`Reach`]), and
//! the files that hold it, oldest first. Those are the segment being written and any that ended since
//! the last sync. Then the lock is free, and nobody who writes waits for the disk. Files are synced in
//! the order in which they were written, and the claim holds when all of them are.
//!
//! A segment may end while it is synced. It then stays in the list, though it was synced: what was
//! appended to it since the sync began may not have been. So of the files of a sync only those are let
//! go of that had ended when it began. Cut to its length meanwhile it loses room, and no record. And a
//! segment may be forgotten, and its name removed, since a table holds what it held: the sync still has
//! its handle, and what it proves of that file nobody asks any more.
//!
//! Files are kept open, for it is by the handle that a file was written through that the system is sure
//! to tell of a write that failed meanwhile.
//! Source: Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::reach::{Claim, Reach, Turn};
use super::segment::SegmentFile;
use crate::engine::EngineError;

/// What of the log is on the platter.
#[derive(Debug)]
pub(in super::super) struct Platter {
    /// A lock of its own, never held while the disk works: who leads asks and appends, who syncs begins
    /// and ends, who flushes forgets; and a leader may hold the writer while it waits for that flush.
    state: Mutex<State>,
    /// Tells that a sync ended, that one became due, or that the engine ends.
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    reach: Reach,
    /// Files with records that are not known to be on the platter, oldest first; the last is being
    /// written.
    files: Vec<Arc<SegmentFile>>,
    /// Why a sync failed, if one did: told to all who come after it.
    failure: Option<EngineError>,
}

impl Platter {
    /// A log on the platter up to sequence `synced`, which goes on in `file`.
    pub(in super::super) fn new(synced: u64, file: Arc<SegmentFile>) -> Platter {
        let state = State { reach: Reach::of(synced), files: vec![file], failure: None };
        Platter { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The last sequence on the platter, with all before it: for those who write it down. Fails once a
    /// sync has: nobody may build on what was written then.
    pub(in super::super) fn synced(&self) -> Result<u64, EngineError> {
        self.lock().sound().map(|state| state.reach.synced())
    }

    /// Says that the system took all up to `last`, and when a sync must begin for it, if that was
    /// promised. Fails if a sync did meanwhile: then it must not be acknowledged.
    pub(in super::super) fn append(
        &self,
        last: u64,
        due: Option<Instant>,
    ) -> Result<(), EngineError> {
        let mut state = self.lock();
        if state.sound()?.reach.append(last, due) {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Says that what is appended from now on is in `file`.
    pub(in super::super) fn go_on_in(&self, file: Arc<SegmentFile>) {
        let mut state = self.lock();
        let is_synced = state.reach.is_synced();
        let ended = if is_synced { mem::take(&mut state.files) } else { Vec::new() };
        state.files.push(file);
        drop(state);
        drop(ended);
    }

    /// Forgets files of segments below `number`: tables hold what they held, or they are on the
    /// platter.
    pub(in super::super) fn forget_below(&self, number: u64) {
        let mut state = self.lock();
        let kept = state.files.partition_point(|file| file.number() < number);
        let gone: Vec<_> = state.files.drain(..kept).collect();
        drop(state);
        // The last handle of each, perhaps, and closing it may take the system a while.
        drop(gone);
    }

    /// Puts what was appended before on the platter; whether there was anything to do. Waits for a sync
    /// that is under way: it may have begun too early.
    pub(in super::super) fn sync(&self) -> Result<bool, EngineError> {
        let begun = self.begin()?;
        let was_needed = begun.is_some();
        begun.map_or(Ok(()), UnderWay::run)?;
        Ok(was_needed)
    }

    fn begin(&self) -> Result<Option<UnderWay<'_>>, EngineError> {
        let mut state = self.lock();
        loop {
            match state.reach.begin() {
                Turn::Done => return Ok(None),
                Turn::Failed => return state.sound().map(|_| None),
                Turn::Sync(claim) => {
                    let (claim, files) = (Some(claim), state.files.clone());
                    return Ok(Some(UnderWay { platter: self, claim, files }));
                }
                Turn::Wait => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn end(&self, claim: Claim, synced: Result<(), EngineError>) {
        let mut state = self.lock();
        state.reach.end(claim, synced.is_ok());
        state.failure = synced.err();
        self.changed.notify_all();
    }

    /// Waits until a sync is due; `false` once it `is_over`, which [`Platter::nudge`] must tell of.
    pub(in super::super) fn wait_until_due(&self, is_over: impl Fn() -> bool) -> bool {
        let mut state = self.lock();
        while !is_over() {
            let now = Instant::now();
            let left = state.reach.due().map(|due| due.saturating_duration_since(now));
            state = match left {
                Some(left) if left.is_zero() => return true,
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        false
    }

    /// Tells those who wait to look again.
    pub(in super::super) fn nudge(&self) {
        // Locked, lest it come between a look and the wait.
        drop(self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Itself, unless a sync failed.
    fn sound(&mut self) -> Result<&mut State, EngineError> {
        self.failure.clone().map_or(Ok(self), Err)
    }
}

/// A sync under way. Let go of before it came back, as by a panic, it has failed.
struct UnderWay<'a> {
    platter: &'a Platter,
    /// `None` only once it ended.
    claim: Option<Claim>,
    /// Everything that the claim speaks of lies in these, or in tables; *shape*: one at least.
    files: Vec<Arc<SegmentFile>>,
}

impl UnderWay<'_> {
    fn run(mut self) -> Result<(), EngineError> {
        let synced = self.files.iter().try_for_each(|file| file.sync());
        let claim = self.claim.take().expect("it ends once");
        self.platter.end(claim, synced.clone());
        synced?;
        let last = self.files.last().expect("the segment being written is among them");
        self.platter.forget_below(last.number());
        Ok(())
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            let lost = EngineError::Closed("a sync of the log did not come back".to_owned());
            self.platter.end(claim, Err(lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::super::directory::Directory;
    use super::super::super::format::put_record;
    use super::super::super::vfs::{ModelDisk, Vfs};
    use super::super::Segment;
    use super::*;

    /// Longer than any wake takes; reached only when none comes.
    const DEADLINE: Duration = Duration::from_secs(20);

    /// A log with nothing but headers, and no writer around it.
    struct Log {
        disk: ModelDisk,
        directory: Directory,
        segment: Segment,
        platter: Arc<Platter>,
        last: u64,
    }

    impl Log {
        fn new() -> Log {
            let disk = ModelDisk::new();
            let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
            let directory = Directory::open(vfs, Path::new("d")).unwrap();
            let segment = Segment::create(&directory, 1, 1, 0).unwrap();
            let platter = Arc::new(Platter::new(0, segment.file().clone()));
            Log { disk, directory, segment, platter, last: 0 }
        }

        fn append(&mut self) {
            let mut record = Vec::new();
            let entry = std::iter::once((&b"key"[..], Some(&b"value"[..])));
            put_record(&mut record, self.segment.salt(), self.last + 1, 0, entry);
            self.segment.append(&record).unwrap();
            self.last += 1;
            self.platter.append(self.last, None).unwrap();
        }

        fn rotate(&mut self) {
            self.segment.trim().unwrap();
            let (number, synced) = (self.segment.number() + 1, self.platter.synced().unwrap());
            let first = self.last + 1;
            self.segment = Segment::create(&self.directory, number, first, synced).unwrap();
            self.platter.go_on_in(self.segment.file().clone());
        }

        /// Syncs; how many files.
        fn synced_files(&self) -> u64 {
            let before = self.disk.operations();
            self.platter.sync().unwrap();
            self.disk.operations() - before
        }

        fn files(&self) -> Vec<u64> {
            self.platter.lock().files.iter().map(|file| file.number()).collect()
        }
    }

    #[test]
    fn a_segment_that_ended_is_synced_once_unless_it_was_flushed_before() {
        let mut log = Log::new();
        for _ in 0..3 {
            log.append();
            log.rotate();
        }
        assert_eq!(log.files(), [1, 2, 3, 4]);
        log.platter.forget_below(2);
        assert_eq!((log.synced_files(), log.platter.synced().unwrap()), (3, 3));
        assert_eq!((log.synced_files(), log.files()), (0, vec![4]));
    }

    #[test]
    fn a_segment_that_ended_while_it_was_synced_is_synced_again() {
        let mut log = Log::new();
        log.append();
        let platter = log.platter.clone();
        let sync = platter.begin().unwrap().expect("something was appended");
        log.append();
        log.rotate();
        log.append();
        sync.run().unwrap();
        assert_eq!((log.platter.synced().unwrap(), log.files()), (1, vec![1, 2]));
        assert_eq!((log.synced_files(), log.platter.synced().unwrap()), (2, 3));
        assert_eq!(log.files(), [2]);
    }

    #[test]
    fn a_segment_that_ended_synced_is_not_synced_again() {
        let mut log = Log::new();
        log.append();
        assert_eq!(log.synced_files(), 1);
        log.rotate();
        assert_eq!(log.files(), [2]);
    }

    #[test]
    fn whichever_file_cannot_be_synced_nothing_is_called_synced_from_then_on() {
        for failing in 0..3 {
            let mut log = Log::new();
            for _ in 0..2 {
                log.append();
                log.rotate();
            }
            log.append();
            log.disk.fail_operation(log.disk.operations() + failing, ErrorKind::Other);
            let failed = log.platter.sync().unwrap_err();
            assert!(matches!(failed, EngineError::Io { action: "sync", .. }), "{failed}");
            let operations = log.disk.operations();
            for again in [
                log.platter.sync().map(drop),
                log.platter.synced().map(drop),
                log.platter.append(4, Some(Instant::now())),
            ] {
                let why = again.unwrap_err().to_string();
                assert_eq!(why, failed.to_string());
            }
            assert_eq!(log.disk.operations(), operations, "the disk is not asked again");
        }
    }

    #[test]
    fn a_sync_that_does_not_come_back_has_failed() {
        let mut log = Log::new();
        log.append();
        drop(log.platter.begin().unwrap());
        assert!(matches!(log.platter.synced(), Err(EngineError::Closed(_))));
    }

    /// What one who waits for a sync to be due is told, once it sleeps and `act` was done.
    fn told(platter: &Arc<Platter>, act: impl FnOnce(&AtomicBool)) -> bool {
        let is_over = Arc::new(AtomicBool::new(false));
        let ((look, looks), (tell, told)) = (mpsc::channel(), mpsc::channel());
        let (waiter, over) = (platter.clone(), is_over.clone());
        std::thread::spawn(move || {
            let is_over = || {
                let _ = look.send(());
                over.load(Ordering::SeqCst)
            };
            tell.send(waiter.wait_until_due(is_over))
        });
        looks.recv_timeout(DEADLINE).expect("it looks whether all is over");
        // It looked under this lock, and lets go of it only to sleep.
        drop(platter.lock());
        act(&is_over);
        told.recv_timeout(DEADLINE).expect("it is woken")
    }

    #[test]
    fn who_waits_for_a_sync_to_be_due_is_woken_by_the_write_that_makes_it_so_and_by_the_end() {
        let platter = Log::new().platter;
        assert!(told(&platter, |_| platter.append(1, Some(Instant::now())).unwrap()));
        platter.sync().unwrap();
        assert!(!told(&platter, |is_over| {
            is_over.store(true, Ordering::SeqCst);
            platter.nudge();
        }));
    }
}
