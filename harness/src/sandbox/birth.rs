//! What a node does between `fork` and `exec`: join its network, and swear to die with the harness.
//!
//! Only system calls happen there, on values made before the fork: the child of a process with many
//! threads may not allocate or lock.
//!
//! `PR_SET_PDEATHSIG` watches the parent *thread*, not the process: whoever spawns a prepared
//! command must do so from a thread that lives as long as the node may. See
//! [`crate::process`], which keeps one for this.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid};

/// Prepares `command` so that its process lives in the network namespace `network`, leads a process
/// group of its own, and is killed when the spawning thread ends.
#[expect(unsafe_code, reason = "CommandExt::pre_exec")]
pub fn into_network(command: &mut Command, network: OwnedFd) {
    let harness = getpid();
    command.process_group(0);
    let vow = move || -> io::Result<()> {
        setns(&network, CloneFlags::CLONE_NEWNET)?;
        set_pdeathsig(Signal::SIGKILL)?;
        // If the harness died before the vow, the kernel will not tell us: we have another parent.
        if getppid() == harness { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: the closure makes three system calls and allocates nothing: an `io::Error` made from
    // an error number is a plain value.
    unsafe { command.pre_exec(vow) };
}
