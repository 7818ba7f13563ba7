//! Leaving the machine's namespaces: the steps, in the one order that works.
//!
//! ```text
//! unshare(user? + net + mount + pid)  →  setgroups: deny  →  uid_map, gid_map  →  / private
//! ```
//!
//! With `CAP_SYS_ADMIN` and `CAP_NET_ADMIN` no user namespace is needed. Without, a user namespace
//! gives both inside it: the user becomes root *there*, while files made still belong to the user
//! outside, because that is the only identity mapped.
//!
//! Source: `user_namespaces(7)`, "Defining user and group ID mappings".

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::{SandboxError, Step};

const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// By which right namespaces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Root with the capabilities it usually has.
    Root,
    /// Anybody else, through a user namespace.
    User,
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Privilege::Root => "root",
            Privilege::User => "user",
        })
    }
}

impl Privilege {
    /// Decided by the effective user and capabilities: root in a container often lacks the latter.
    pub fn of_this_process() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let capable = effective_capabilities(&status).is_some_and(|set| {
            [CAP_NET_ADMIN, CAP_SYS_ADMIN].iter().all(|&bit| set >> bit & 1 == 1)
        });
        if geteuid().is_root() && capable { Privilege::Root } else { Privilege::User }
    }
}

/// The `CapEff` line of `/proc/self/status`.
fn effective_capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Leaves the machine's namespaces; the *next child* will be PID 1 of the new PID namespace.
///
/// *Requires*: a single thread.
pub fn unshare_run(privilege: Privilege) -> Result<(), SandboxError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let mut flags = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    if privilege == Privilege::User {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).map_err(|errno| SandboxError::refused(Step::Unshare, errno))?;
    if privilege == Privilege::User {
        map_identity(uid, gid)
            .map_err(|error| SandboxError::refused(Step::Map, errno_of(&error)))?;
    }
    // Mounts made inside must not travel to the machine.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|errno| SandboxError::refused(Step::Mount, errno))
}

/// Maps the one user and group we are to root inside. An ordinary user may map a group only after
/// giving up `setgroups`, else it could drop a group that denies it something.
fn map_identity(uid: u32, gid: u32) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// Mounts a `/proc` that shows the new PID namespace. *Requires*: to be in it.
///
/// Returns false where that is forbidden: a container hides parts of its `/proc`, and the kernel
/// lets nobody get around that by mounting another. The old one stays, and shows outer process ids.
pub fn mount_proc() -> bool {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>).is_ok()
}

/// A new, empty network namespace, held by nothing but the descriptor returned.
///
/// A thread made for it leaves for the new namespace and ends there, so no other thread changes its
/// place, and no file under `/run/netns` has to be cleaned up.
pub fn new_network() -> io::Result<OwnedFd> {
    let founder = || -> io::Result<OwnedFd> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Ok(File::open("/proc/thread-self/ns/net")?.into())
    };
    std::thread::Builder::new()
        .name("netns-founder".into())
        .spawn(founder)?
        .join()
        .map_err(|_| io::Error::other("the thread that makes a network namespace panicked"))?
}

pub(crate) fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_their_line_alone() {
        let status = "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n";
        assert_eq!(effective_capabilities(status), Some(0x1ff_ffff_ffff));
        assert_eq!(effective_capabilities("Name:\tx\n"), None);
    }
}
