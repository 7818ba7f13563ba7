//! The two processes that stand between the user and the harness, and die with either.
//!
//! Both the outer process and init do the same small work ([`tend`]): wait for a signal; if it says
//! that a child ended, reap; else pass it to the one child that matters. Signals are blocked and
//! asked for (`sigwait`), not handled, so there is no code that runs at a bad moment, and PID 1, which
//! the kernel shields from signals it has no handler for, receives them all the same.
//!
//! Two races are closed here. A parent that dies between `fork` and `PR_SET_PDEATHSIG` would leave
//! its child alone. Init cannot find that out by `getppid`, which is 0 in a new PID namespace either
//! way; so the parent holds one end of a pipe, the *lifeline*, whose end of file tells. The harness
//! needs no such thing: when init is gone, the kernel has already killed all below it.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2, read, setsid};

use super::namespaces::mount_proc;
use super::{SandboxError, Step};

/// Exit code when there is none to pass on.
const DIED_BY_SIGNAL: i32 = 255;

/// Forks twice. Returns in the grandchild, the harness, whether it has a `/proc` of its own; outer
/// process and init stay behind and never return.
///
/// *Requires*: a single thread, and a PID namespace already unshared.
pub(super) fn descend() -> Result<bool, SandboxError> {
    let refused = |errno| SandboxError::refused(Step::Fork, errno);
    let before = watched().thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(refused)?;
    let (lifeline, parent_end) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(refused)?;
    if let Some(init) = fork_single_threaded().map_err(refused)? {
        drop(lifeline);
        let code = tend(init, "the sandbox");
        drop(parent_end);
        std::process::exit(code);
    }
    drop(parent_end);
    become_init(&lifeline).map_err(refused)?;
    drop(lifeline);
    let own_proc = mount_proc();
    if let Some(harness) = fork_single_threaded().map_err(refused)? {
        std::process::exit(tend(harness, "the harness"));
    }
    set_pdeathsig(Signal::SIGKILL).map_err(refused)?;
    before.thread_set_mask().map_err(refused)?;
    Ok(own_proc)
}

/// The signals a warden asks for: those it passes on, and the news of a child.
fn watched() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD].into_iter().collect()
}

/// The child's id in the parent, `None` in the child.
#[expect(unsafe_code, reason = "fork(2)")]
fn fork_single_threaded() -> nix::Result<Option<Pid>> {
    // SAFETY: the process has one thread (checked by `enter`), so the child's memory is whole: no
    // lock is held by a thread that does not exist any more.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Runs `work` in a child process made for it, and waits for its end. Whatever the work does to its
/// process, such as leaving for other namespaces, ends with it.
///
/// *Requires*: a single thread.
pub(crate) fn in_child(work: impl FnOnce()) -> nix::Result<WaitStatus> {
    if let Some(child) = fork_single_threaded()? {
        return waitpid(child, None);
    }
    // The child must not go on with its caller's work, not even by a panic.
    let done = catch_unwind(AssertUnwindSafe(work));
    std::process::exit(i32::from(done.is_err()));
}

/// Ties this process to its parent, and frees it from the terminal's job control.
fn become_init(lifeline: &OwnedFd) -> nix::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if read(lifeline, &mut [0]) != Err(Errno::EAGAIN) {
        // End of file: the parent died before it could take us along.
        std::process::exit(DIED_BY_SIGNAL);
    }
    setsid().map(drop)
}

/// Waits until `ward` ends, reaping whoever else does and passing signals on; returns the exit code.
fn tend(ward: Pid, called: &str) -> i32 {
    let watched = watched();
    loop {
        match watched.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = reap(ward, called) {
                    return code;
                }
            }
            // The ward may be gone already; its SIGCHLD is then on the way.
            Ok(signal) => drop(kill(ward, signal)),
            Err(_interrupted) => {}
        }
    }
}

/// Reaps every child that has ended (one SIGCHLD may stand for many); the code if one is `ward`.
fn reap(ward: Pid, called: &str) -> Option<i32> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) if pid == ward => code = Some(status),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == ward => {
                // Nobody is left to tell if standard error is closed.
                drop(writeln!(io::stderr(), "schism: {called} was killed by {signal}"));
                code = Some(DIED_BY_SIGNAL);
            }
            Ok(WaitStatus::StillAlive) | Err(_) => return code,
            Ok(_somebody_else) => {}
        }
    }
}
