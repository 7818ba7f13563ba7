//! What a user sees while a run goes on: phase, elapsed time, operations a second, faults applied.
//!
//! On a terminal one line that rewrites itself; elsewhere (a CI log) a line every few seconds and at
//! each new phase. It goes to standard error, so that the verdict on standard output stays clean.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::recorder::{Recorder, Tally};

/// How often the line is rewritten on a terminal, and written elsewhere.
const REWRITE: Duration = Duration::from_millis(200);
const REPEAT: Duration = Duration::from_secs(5);

/// What a user sees while a run goes on.
pub struct Progress {
    terminal: bool,
    start: Instant,
    planned_faults: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: String,
    faults: usize,
    recorder: Option<Recorder>,
    last: Option<(Instant, u64)>,
}

impl Progress {
    /// Of a run with so many planned faults.
    pub fn new(planned_faults: usize) -> Arc<Progress> {
        Arc::new(Progress {
            terminal: std::io::stderr().is_terminal(),
            start: Instant::now(),
            planned_faults,
            state: Mutex::default(),
        })
    }

    /// Shows the line until the returned guard's task is aborted.
    pub async fn show(self: Arc<Progress>) {
        let pause = if self.terminal { REWRITE } else { REPEAT };
        loop {
            tokio::time::sleep(pause).await;
            self.write_line();
        }
    }

    /// A new phase begins.
    pub fn phase(&self, name: &str) {
        name.clone_into(&mut self.lock().phase);
        self.write_line();
    }

    /// A fault was applied.
    pub fn fault(&self) {
        self.lock().faults += 1;
    }

    /// Where operations are counted.
    pub fn follow(&self, recorder: Recorder) {
        self.lock().recorder = Some(recorder);
    }

    /// Something the user should know before the verdict.
    pub fn note(&self, text: &str) {
        write(&format!("{}note: {text}\n", self.clear()));
    }

    /// Leaves the terminal as it was.
    pub fn done(&self) {
        write(self.clear());
    }

    fn write_line(&self) {
        let line = self.lock().line(self.start, self.planned_faults);
        let end = if self.terminal { "" } else { "\n" };
        write(&format!("{}{line}{end}", self.clear()));
    }

    fn clear(&self) -> &'static str {
        if self.terminal { "\r\x1b[2K" } else { "" }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Operations that have ended, one way or another.
fn completed(tally: &Tally) -> u64 {
    tally.ok + tally.fail + tally.info
}

/// A progress line that cannot be written is no reason to lose a run.
fn write(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

impl State {
    /// `  4.2 s  faults       812 ops/s  3 of 9 faults`
    fn line(&mut self, start: Instant, planned_faults: usize) -> String {
        let now = Instant::now();
        let total = self.recorder.as_ref().map_or(0, |recorder| completed(&recorder.tally()));
        let (since, before) = self.last.unwrap_or((start, 0));
        let seconds = now.duration_since(since).as_secs_f64();
        let rate = if seconds > 0.0 { total.saturating_sub(before) as f64 / seconds } else { 0.0 };
        self.last = Some((now, total));
        let elapsed = now.duration_since(start).as_secs_f64();
        format!(
            "{elapsed:6.1} s  {:<12} {rate:8.0} ops/s {total:9} operations  {} of {planned_faults} faults",
            self.phase, self.faults
        )
    }
}
