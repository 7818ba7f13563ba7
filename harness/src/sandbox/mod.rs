//! The place where a run lives: namespaces that end with it, whatever ends it.
//!
//! [`enter`] turns one process into three:
//!
//! ```text
//! outer ─────── the process the user started; waits, passes signals on, exits with the same code
//!   └─ init ─── PID 1 of the run's own PID namespace; reaps orphans
//!        └─ harness ── returns from `enter`, and starts every node below itself
//! ```
//!
//! Why three: when PID 1 of a PID namespace ends, the kernel kills every process in it, and the last
//! process out takes the mounts, links and filter rules with it. Nothing is registered outside, so
//! there is nothing to clean up, even after SIGKILL. PID 1 cannot be the harness itself: its reaping
//! would steal the exit statuses which the harness wants as evidence.
//!
//! Invariants: each of the three dies with its parent (`PR_SET_PDEATHSIG`), and the time between
//! `fork` and that call is covered too. A signal from the terminal reaches the harness exactly once:
//! init leads a session of its own, so that Ctrl-C hits the outer process alone, which passes it on.
//! (Price: Ctrl-Z stops the outer process only; the run goes on behind it.)
//!
//! All `unsafe` of this crate is in this module: forks in `warden`, the environment in
//! `mark_run`, the steps between fork and exec in [`birth`].
//!
//! Source: namespaces(7), `pid_namespaces(7)`, `user_namespaces(7)`, prctl(2).

pub mod birth;
pub mod namespaces;
mod refusal;
mod warden;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use refusal::remedy;
pub use refusal::{Host, SandboxError, Step};
pub(crate) use warden::in_child;

/// Environment variable every process of a run carries, so that leftovers could be found by it.
///
/// A value given from outside is kept. Only programs started later (the nodes) show a value set
/// here in `/proc/<pid>/environ`: the three processes of [`enter`] show what they were started with.
pub const RUN_VARIABLE: &str = "SCHISM_RUN";

/// Proof that this process lives in the sandbox, and what kind of sandbox it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// `namespaces (root)` or `namespaces (user)`.
    pub tier: String,
    /// The run's mark: the value of [`RUN_VARIABLE`].
    pub run: String,
    /// Whether `/proc` shows the run's own processes; refused in some containers, and tolerated.
    pub own_proc: bool,
}

/// Takes this process into a sandbox; returns in the harness, two forks below the caller.
///
/// *Requires*: to be the first thing in `main`, before any thread exists.
///
/// The caller's process never returns from here: it waits, passes SIGINT, SIGTERM and SIGHUP on,
/// and exits with the harness's code, or with 255 and a message if the harness died by a signal.
/// After an error the process may be half inside: say what was wrong, and exit.
pub fn enter() -> Result<Inside, SandboxError> {
    assert_single_threaded()?;
    let run = mark_run();
    let privilege = namespaces::Privilege::of_this_process();
    namespaces::unshare_run(privilege)?;
    let own_proc = warden::descend()?;
    let inside = Inside { tier: format!("namespaces ({privilege})"), run, own_proc };
    Ok(INSIDE.get_or_init(|| inside).clone())
}

static INSIDE: OnceLock<Inside> = OnceLock::new();

/// The sandbox of this process, if it has entered one. Whatever changes links or rules asks first:
/// outside, run by root, it would change the machine's own.
pub fn inside() -> Option<&'static Inside> {
    INSIDE.get()
}

/// A second thread would make `unshare` fail with a bare "invalid argument", and forks unsound.
pub(crate) fn assert_single_threaded() -> Result<(), SandboxError> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads == 1 { Ok(()) } else { Err(SandboxError::Threads(threads)) }
}

/// Sets [`RUN_VARIABLE`] unless the caller's environment has it.
#[expect(unsafe_code, reason = "std::env::set_var")]
fn mark_run() -> String {
    if let Ok(given) = std::env::var(RUN_VARIABLE) {
        return given;
    }
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let run = format!("{}-{}", std::process::id(), since_epoch.as_nanos());
    // SAFETY: no other thread exists (checked by `enter`), so nobody reads the environment now.
    unsafe { std::env::set_var(RUN_VARIABLE, &run) };
    run
}
