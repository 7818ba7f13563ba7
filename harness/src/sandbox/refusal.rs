//! What a machine may refuse, in words a user can act on.
//!
//! The kernel says "operation not permitted" for a dozen different reasons. [`remedy`] reads the few
//! settings that tell them apart and answers with the one command that helps. It is a pure function
//! of [`Host`], so that machines we do not have can be tested.

use std::fmt;
use std::path::Path;

use nix::errno::Errno;
use thiserror::Error;

/// What was being done when the machine refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `unshare`: new user, network, mount and PID namespaces.
    Unshare,
    /// Writing the user and group maps of the new user namespace.
    Map,
    /// Making all mounts private, or mounting `/proc`.
    Mount,
    /// Starting the init process or the harness below it.
    Fork,
    /// Making a bridge.
    Bridge,
    /// Making a pair of virtual cables.
    Veth,
    /// Loading a packet filter for a bridge.
    Filter,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Unshare => "make namespaces for the run",
            Step::Map => "map this user into the run's user namespace",
            Step::Mount => "make the run's mounts its own",
            Step::Fork => "start a process in the run's namespaces",
            Step::Bridge => "make a network bridge",
            Step::Veth => "make a virtual network cable",
            Step::Filter => "load a packet filter for the bridge",
        })
    }
}

/// Why a sandbox could not be entered.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// A bug of the caller: threads exist already.
    #[error(
        "failed to enter the sandbox: {0} threads are running, and a process can only be taken into \
         namespaces while it has one (the sandbox must be entered first thing in main)"
    )]
    Threads(usize),
    /// The machine refused.
    #[error("failed to {step}: {}\n  remedy: {remedy}", errno.desc())]
    Refused {
        /// What was refused.
        step: Step,
        /// With which error.
        errno: Errno,
        /// What the user can do.
        remedy: String,
    },
}

impl SandboxError {
    /// A refusal, with the remedy that fits this machine.
    pub fn refused(step: Step, errno: Errno) -> Self {
        let remedy = remedy(&Host::of_this_machine(), step, errno);
        SandboxError::Refused { step, errno, remedy }
    }
}

/// The settings of a machine that decide about namespaces; `None` where the kernel has no such one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu ≥ 23.10).
    pub apparmor_restricts: Option<u64>,
    /// `kernel.unprivileged_userns_clone` (Debian, Arch with a hardened kernel).
    pub unprivileged_clone: Option<u64>,
    /// `user.max_user_namespaces`.
    pub user_namespaces_max: Option<u64>,
    /// Whether this looks like the inside of a container.
    pub container: bool,
}

impl Host {
    /// Reads the settings of this machine.
    pub fn of_this_machine() -> Self {
        let read = |name: &str| -> Option<u64> {
            std::fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
        };
        Host {
            apparmor_restricts: read("kernel/apparmor_restrict_unprivileged_userns"),
            unprivileged_clone: read("kernel/unprivileged_userns_clone"),
            user_namespaces_max: read("user/max_user_namespaces"),
            container: ["/.dockerenv", "/run/.containerenv"].iter().any(|p| Path::new(p).exists()),
        }
    }
}

/// The one thing to do about a refusal, for people.
pub(crate) fn remedy(host: &Host, step: Step, errno: Errno) -> String {
    match step {
        Step::Bridge => module_remedy("bridge"),
        Step::Veth => module_remedy("veth"),
        Step::Filter => module_remedy("nf_tables"),
        Step::Fork if errno == Errno::EAGAIN => {
            "the process limit is reached; raise it with `ulimit -u`, or end other processes".into()
        }
        _ => namespace_remedy(host, errno),
    }
}

fn module_remedy(module: &str) -> String {
    format!(
        "the kernel lacks `{module}`, or may not load it for an ordinary user; \
         load it once with `sudo modprobe {module}`"
    )
}

/// First what leaves no doubt, then where we are, then what is merely likely.
fn namespace_remedy(host: &Host, errno: Errno) -> String {
    let remedy = if errno == Errno::ENOSPC || host.user_namespaces_max == Some(0) {
        "a limit of namespaces is reached; raise them with `sudo sysctl -w \
         user.max_user_namespaces=10000 user.max_net_namespaces=10000 \
         user.max_pid_namespaces=10000 user.max_mnt_namespaces=10000`"
    } else if host.unprivileged_clone == Some(0) {
        "allow user namespaces with `sudo sysctl -w kernel.unprivileged_userns_clone=1`, or run as \
         root"
    } else if host.container {
        "the container forbids namespaces; start it with `docker run --privileged`, or with \
         `--security-opt seccomp=unconfined --security-opt apparmor=unconfined \
         --security-opt systempaths=unconfined`"
    } else if host.apparmor_restricts == Some(1) {
        "AppArmor keeps user namespaces from ordinary users (Ubuntu 24.04 and later); allow them \
         with `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or run as root"
    } else {
        "run as root, or ask who runs this machine to allow user namespaces"
    };
    remedy.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ubuntu_is_told_of_apparmor_and_not_of_docker() {
        let ubuntu = Host { apparmor_restricts: Some(1), ..Host::default() };
        let said = remedy(&ubuntu, Step::Unshare, Errno::EPERM);
        assert!(said.contains("kernel.apparmor_restrict_unprivileged_userns=0"), "{said}");
        assert!(!said.contains("docker"), "{said}");
    }

    #[test]
    fn a_container_outranks_the_restriction_of_the_machine_below_it() {
        let host = Host { apparmor_restricts: Some(1), container: true, ..Host::default() };
        let said = remedy(&host, Step::Unshare, Errno::EPERM);
        assert!(said.contains("--privileged"), "{said}");
    }

    #[test]
    fn a_limit_reached_is_named_even_in_a_container() {
        let none_allowed = Host { user_namespaces_max: Some(0), ..Host::default() };
        let container = Host { container: true, ..Host::default() };
        for (host, errno) in [(none_allowed, Errno::EPERM), (container, Errno::ENOSPC)] {
            let said = remedy(&host, Step::Unshare, errno);
            assert!(said.contains("user.max_user_namespaces"), "{said}");
        }
    }

    #[test]
    fn a_missing_module_is_named() {
        for (step, module) in
            [(Step::Bridge, "bridge"), (Step::Veth, "veth"), (Step::Filter, "nf_tables")]
        {
            let said = remedy(&Host::default(), step, Errno::EOPNOTSUPP);
            assert!(said.contains(&format!("modprobe {module}")), "{said}");
        }
    }

    #[test]
    fn a_refusal_reads_as_a_sentence_with_a_remedy() {
        let said = SandboxError::refused(Step::Unshare, Errno::EPERM).to_string();
        assert!(
            said.starts_with("failed to make namespaces for the run: Operation not permitted\n"),
            "{said}"
        );
        assert!(said.contains("remedy: "), "{said}");
    }
}
