//! The history as it is made: one JSON line an event, in real-time order.
//!
//! One lock decides the order. The clock is read while it is held, so times never decrease along the
//! file, and a line stands before another exactly when its event was recorded first. What the checkers
//! conclude rests on two rules the callers keep: an invocation is recorded *before* its first byte is
//! sent, a completion *before* its worker goes on. So an operation really ended before another began
//! whenever the file says so; where the file shows an overlap, there may have been none.
//!
//! Lines gather in a buffer, written when it is full, after each act of the nemesis, and at the end.
//! An error of the file is an error of the harness, never of the store: it stops the run, and every
//! later record repeats it.
//!
//! Departure: nothing is synced before [`Recorder::finish`]; a machine that loses power in the middle
//! of a run has lost that run.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use checker::{Event, Function, Kind, Process};

use crate::clock::Clock;

/// Lines are handed to the file in pieces of about this size.
const BUFFER_BYTES: usize = 64 * 1024;

/// Appends events to a history file. Clones append to the same file.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    path: PathBuf,
    /// A plain mutex: it is held for less than a microsecond, never across an await.
    tape: Mutex<Tape>,
    /// Beside the lock, so that a progress display never makes a worker wait.
    counters: Counters,
}

/// What the lock guards: the order of lines.
struct Tape {
    file: File,
    /// Whole lines not yet in the file.
    buffer: Vec<u8>,
    /// The highest client process seen, plus one.
    processes: u32,
    /// Why nothing can be recorded any more.
    closed: Option<Closed>,
}

#[derive(Clone, Copy)]
enum Closed {
    Finished,
    Broken(std::io::ErrorKind),
}

#[derive(Default)]
struct Counters {
    invoked: AtomicU64,
    ok: AtomicU64,
    fail: AtomicU64,
    info: AtomicU64,
    faults: AtomicU64,
}

/// How many events of each kind were recorded so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Invocations of clients.
    pub invoked: u64,
    /// Completions that happened.
    pub ok: u64,
    /// Completions that did not happen.
    pub fail: u64,
    /// Completions that may have happened.
    pub info: u64,
    /// Faults that took effect.
    pub faults: u64,
}

/// Why an event could not be recorded. The run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The file could not be made, written or synced.
    #[error("{what} the history {}: {source}", path.display())]
    File {
        /// `create`, `write` or `sync`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The history was finished before.
    #[error("record an event: the history {} is finished", path.display())]
    Finished {
        /// The file.
        path: PathBuf,
    },
}

impl Recorder {
    /// Makes the file at `path`, which must not exist yet.
    pub fn create(path: &Path, clock: Clock) -> Result<Recorder, RecorderError> {
        let file = File::create_new(path).map_err(|source| RecorderError::File {
            what: "create",
            path: path.to_owned(),
            source,
        })?;
        Ok(Recorder::over(file, path, clock))
    }

    /// Appends to `file`, of which `path` is only the name.
    pub(crate) fn over(file: File, path: &Path, clock: Clock) -> Recorder {
        let buffer = Vec::with_capacity(BUFFER_BYTES + 4096);
        let tape = Mutex::new(Tape { file, buffer, processes: 0, closed: None });
        let (path, counters) = (path.to_owned(), Counters::default());
        Recorder { shared: Arc::new(Shared { clock, path, tape, counters }) }
    }

    /// Appends `event`, and sets its time: now, taken under the lock that orders the lines.
    pub fn record(&self, event: &mut Event) -> Result<(), RecorderError> {
        let appended = {
            let mut tape = self.lock();
            event.time = self.shared.clock.now();
            tape.append(event)
        };
        appended.map_err(|closed| self.error("write", closed))?;
        self.shared.counters.count(event);
        Ok(())
    }

    /// Writes and syncs what was recorded. No event may follow.
    pub fn finish(&self) -> Result<Tally, RecorderError> {
        let mut tape = self.lock();
        tape.flush().map_err(|closed| self.error("write", closed))?;
        tape.file.sync_all().map_err(|source| RecorderError::File {
            what: "sync",
            path: self.shared.path.clone(),
            source,
        })?;
        tape.closed = Some(Closed::Finished);
        Ok(self.tally())
    }

    /// The counts so far. Each is exact; together they may straddle an event.
    pub fn tally(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { invoked, ok, fail, info, faults } = &self.shared.counters;
        Tally {
            invoked: read(invoked),
            ok: read(ok),
            fail: read(fail),
            info: read(info),
            faults: read(faults),
        }
    }

    /// A process number above all those recorded so far.
    pub fn fresh_process(&self) -> u32 {
        self.lock().processes
    }

    /// The timebase of the run.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tape> {
        // Nothing panics between two consistent states of a tape, so a poisoned one is whole.
        self.shared.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, what: &'static str, closed: Closed) -> RecorderError {
        let path = self.shared.path.clone();
        match closed {
            Closed::Finished => RecorderError::Finished { path },
            Closed::Broken(kind) => RecorderError::File { what, path, source: kind.into() },
        }
    }
}

impl Tape {
    fn append(&mut self, event: &Event) -> Result<(), Closed> {
        if let Some(closed) = self.closed {
            return Err(closed);
        }
        serde_json::to_writer(&mut self.buffer, event)
            .expect("an event has text keys only, and memory takes every byte");
        self.buffer.push(b'\n');
        match event.process {
            Process::Client(process) => self.processes = self.processes.max(process + 1),
            // Rare, and what one wants to read of a run that ended badly.
            Process::Nemesis => return self.flush(),
        }
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Closed> {
        if let Some(closed) = self.closed {
            return Err(closed);
        }
        self.file.write_all(&self.buffer).map_err(|error| {
            let broken = Closed::Broken(error.kind());
            self.closed = Some(broken);
            broken
        })?;
        self.buffer.clear();
        Ok(())
    }
}

impl Counters {
    fn count(&self, event: &Event) {
        let counter = match (event.process, event.kind) {
            (Process::Client(_), Kind::Invoke) => &self.invoked,
            (Process::Client(_), Kind::Ok) => &self.ok,
            (Process::Client(_), Kind::Fail) => &self.fail,
            (Process::Client(_), Kind::Info) => &self.info,
            (Process::Nemesis, Kind::Info) if is_begin(&event.f) => &self.faults,
            (Process::Nemesis, _) => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn is_begin(f: &Function) -> bool {
    matches!(f, Function::Other(name) if name == "begin")
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use checker::{History, Value};

    use super::*;

    fn event(process: u32, kind: Kind) -> Event {
        Event {
            time: 0,
            process: Process::Client(process),
            kind,
            f: Function::Write,
            key: Some("register:0".into()),
            value: Value::Int(1),
            node: Some("n1".into()),
            version: None,
            error: None,
        }
    }

    fn act(kind: Kind, f: &str) -> Event {
        let note = [("fault".to_owned(), 1.into()), ("kind".to_owned(), "kill".into())];
        Event {
            process: Process::Nemesis,
            f: Function::Other(f.into()),
            key: None,
            value: Value::Note(note.into()),
            node: None,
            ..event(0, kind)
        }
    }

    fn fresh() -> (tempfile::TempDir, PathBuf, Recorder) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        let recorder = Recorder::create(&path, Clock::start()).unwrap();
        (dir, path, recorder)
    }

    fn read(path: &Path) -> Vec<Event> {
        let history = History::parse(BufReader::new(File::open(path).unwrap())).unwrap();
        history.events().to_vec()
    }

    #[test]
    fn what_was_recorded_by_many_threads_reads_back_in_order_of_time() {
        let (_dir, path, recorder) = fresh();
        std::thread::scope(|scope| {
            for process in 0..4 {
                let recorder = recorder.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        for kind in [Kind::Invoke, Kind::Ok] {
                            recorder.record(&mut event(process, kind)).unwrap();
                        }
                    }
                });
            }
        });
        let tally = recorder.finish().unwrap();
        assert_eq!(tally, Tally { invoked: 4000, ok: 4000, ..Tally::default() });
        let events = read(&path);
        assert_eq!(events.len(), 8000);
        assert!(events.is_sorted_by_key(|event| event.time));
    }

    #[test]
    fn a_recorded_event_carries_the_time_written_in_the_file() {
        let (_dir, path, recorder) = fresh();
        let mut first = event(0, Kind::Invoke);
        recorder.record(&mut first).unwrap();
        recorder.finish().unwrap();
        assert_eq!(read(&path), [first]);
    }

    #[test]
    fn an_act_of_the_nemesis_is_in_the_file_at_once_and_counts_when_it_took_effect() {
        let (_dir, path, recorder) = fresh();
        for (kind, f) in [
            (Kind::Invoke, "begin"),
            (Kind::Info, "begin"),
            (Kind::Invoke, "end"),
            (Kind::Info, "end"),
        ] {
            recorder.record(&mut act(kind, f)).unwrap();
        }
        assert_eq!(read(&path).len(), 4);
        assert_eq!(recorder.tally(), Tally { faults: 1, ..Tally::default() });
    }

    #[test]
    fn a_fresh_process_is_above_every_recorded_one() {
        let (_dir, _path, recorder) = fresh();
        assert_eq!(recorder.fresh_process(), 0);
        recorder.record(&mut event(41, Kind::Invoke)).unwrap();
        recorder.record(&mut event(3, Kind::Invoke)).unwrap();
        assert_eq!(recorder.fresh_process(), 42);
    }

    #[test]
    fn a_history_is_never_overwritten_and_takes_no_event_after_its_end() {
        let (_dir, path, recorder) = fresh();
        let again = Recorder::create(&path, Clock::start()).err().unwrap();
        assert!(again.to_string().starts_with("create the history"), "{again}");
        recorder.finish().unwrap();
        let late = recorder.record(&mut event(0, Kind::Invoke));
        assert!(matches!(late, Err(RecorderError::Finished { .. })));
    }

    #[test]
    fn a_full_disk_stops_the_run_and_stays_an_error() {
        let path = Path::new("/dev/full");
        let file = File::options().write(true).open(path).unwrap();
        let recorder = Recorder::over(file, path, Clock::start());
        let first = recorder.record(&mut act(Kind::Info, "begin")).unwrap_err();
        assert!(first.to_string().starts_with("write the history /dev/full"), "{first}");
        assert!(recorder.record(&mut event(0, Kind::Invoke)).is_err());
        assert!(recorder.finish().is_err());
        assert_eq!(recorder.tally(), Tally::default());
    }
}
