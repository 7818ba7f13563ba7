//! What this machine allows, found by trying, and what to do where it refuses.
//!
//! Settings lie: a machine may allow user namespaces and then deny every right inside them, a kernel
//! may have a module and not load it. So each probe does the real thing, in a child process made for
//! it, in namespaces that end with the child; nothing stays behind.
//!
//! ```text
//! child:       namespaces
//! grandchild:  └─ PID namespace ─ own /proc ─ bridge ─ virtual cable ─ packet filter
//! ```
//!
//! They send what they found through a pipe, a line a probe, in this order. A probe which never came
//! to be tried is reported as such, never left out: silence would read as health.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{getpid, pipe2};
use serde::{Deserialize, Serialize};

use crate::fabric::{FabricError, Filter, try_link_kinds};
use crate::sandbox::namespaces::{Privilege, mount_proc, unshare_run};
use crate::sandbox::{Host, Step, assert_single_threaded, in_child, remedy};

/// One thing tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What was tried, in a word or two.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It works; a word on how.
    Ok(String),
    /// It does not.
    Failed {
        /// What the machine said.
        why: String,
        /// What the user can do.
        remedy: String,
    },
}

/// The probes, in the order in which they are tried and reported.
const NAMES: [&str; 6] =
    ["namespaces", "PID namespace", "own /proc", "bridge", "virtual cable", "packet filter"];

/// Tries all a run needs, and concludes with the tier of this machine as the last probe, `tier`.
///
/// *Requires*: a single thread, like [`crate::sandbox::enter`], and to be called outside it.
pub fn probe() -> Vec<Probe> {
    let privilege = Privilege::of_this_process();
    let found = match assert_single_threaded() {
        Ok(()) => try_all(privilege).unwrap_or_else(|error| {
            vec![failed(0, &error, "this should work anywhere: please report it".into())]
        }),
        Err(bug) => vec![failed(0, &bug, "please report it".into())],
    };
    conclude(found, privilege)
}

/// Whether a run can have namespaces here; what it falls back to is not the doctor's to decide.
pub fn is_healthy(probes: &[Probe]) -> bool {
    probes.iter().all(|probe| matches!(probe.outcome, Outcome::Ok(_)))
}

/// Adds the probes that were not reached, and the tier.
fn conclude(mut probes: Vec<Probe>, privilege: Privilege) -> Vec<Probe> {
    let broken = |probe: &&Probe| matches!(probe.outcome, Outcome::Failed { .. });
    let missing: Vec<&str> =
        probes.iter().filter(broken).map(|probe| probe.name.as_str()).collect();
    let tier = if missing.is_empty() && probes.len() == NAMES.len() {
        Outcome::Ok(format!("namespaces ({privilege})"))
    } else {
        Outcome::Failed {
            why: format!("no run in namespaces without: {}", missing.join(", ")),
            remedy: "mend the first probe that failed, then ask again".into(),
        }
    };
    for &name in &NAMES[probes.len()..] {
        let why = "not tried: an earlier probe failed".to_owned();
        let outcome = Outcome::Failed { why, remedy: "see the first probe that failed".into() };
        probes.push(Probe { name: name.into(), outcome });
    }
    probes.push(Probe { name: "tier".into(), outcome: tier });
    probes
}

fn try_all(privilege: Privilege) -> io::Result<Vec<Probe>> {
    let (listen, speak) = pipe2(OFlag::O_CLOEXEC)?;
    // A few hundred bytes, far less than a pipe holds: the child never waits for us to read.
    let mut speak = File::from(speak);
    in_child(|| walk(privilege, &mut speak))?;
    drop(speak);
    let lines = BufReader::new(File::from(listen)).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// In the child, and below it in the grandchild.
fn walk(privilege: Privilege, speak: &mut File) {
    let mut tell = |probe: Probe| {
        // Should the pipe fail, the parent reports the rest as not tried.
        let line = serde_json::to_string(&probe).unwrap_or_default();
        drop(writeln!(speak, "{line}"));
    };
    if let Err(refused) = unshare_run(privilege) {
        let said = refused.to_string();
        let (why, what_to_do) = said.split_once("\n  remedy: ").unwrap_or((&said, ""));
        return tell(failed(0, &why, what_to_do.to_owned()));
    }
    tell(worked(0, &format!("as {privilege}")));
    let forked = in_child(|| {
        tell(try_pid_namespace());
        tell(worked(2, if mount_proc() { "mounted" } else { "refused, but not needed" }));
        let [bridge, cable] = try_link_kinds();
        tell(judge(3, bridge, Step::Bridge));
        tell(judge(4, cable, Step::Veth));
        tell(judge(5, Filter::load().map(drop), Step::Filter));
    });
    if let Err(errno) = forked {
        tell(failed(1, &errno, remedy(&Host::of_this_machine(), Step::Fork, errno)));
    }
}

fn try_pid_namespace() -> Probe {
    match getpid().as_raw() {
        1 => worked(1, "this is process 1 of it"),
        other => {
            let why = format!("process {other} of it, where 1 was expected");
            failed(1, &why, remedy(&Host::of_this_machine(), Step::Fork, Errno::EPERM))
        }
    }
}

fn judge(position: usize, attempt: Result<(), FabricError>, step: Step) -> Probe {
    match attempt {
        Ok(()) => worked(position, "works"),
        Err(error) => {
            let said = error.to_string();
            let why = said.lines().next().unwrap_or_default();
            failed(position, &why, remedy(&Host::of_this_machine(), step, error.errno()))
        }
    }
}

fn worked(position: usize, how: &str) -> Probe {
    Probe { name: NAMES[position].into(), outcome: Outcome::Ok(how.into()) }
}

fn failed(position: usize, why: &dyn std::fmt::Display, remedy: String) -> Probe {
    let outcome = Outcome::Failed { why: why.to_string(), remedy };
    Probe { name: NAMES[position].into(), outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_is_not_healthy() {
        let probes = conclude(vec![failed(0, &"refused", "run as root".into())], Privilege::User);
        assert_eq!(probes.len(), NAMES.len() + 1);
        assert!(!is_healthy(&probes));
        let Outcome::Failed { why, .. } = &probes[5].outcome else { panic!("{probes:?}") };
        assert!(why.starts_with("not tried"), "{why}");
        let Outcome::Failed { why, .. } = &probes[6].outcome else { panic!("{probes:?}") };
        assert!(why.ends_with("without: namespaces"), "{why}");
    }

    #[test]
    fn one_missing_part_decides_the_tier_and_is_named_there() {
        let mut found: Vec<Probe> = (0..5).map(|position| worked(position, "works")).collect();
        found.push(failed(5, &"refused", "modprobe".into()));
        let probes = conclude(found, Privilege::Root);
        let Outcome::Failed { why, .. } = &probes.last().unwrap().outcome else {
            panic!("{probes:?}")
        };
        assert!(why.ends_with("without: packet filter"), "{why}");
    }

    #[test]
    fn all_parts_together_make_the_tier() {
        let found = (0..6).map(|position| worked(position, "works")).collect();
        let probes = conclude(found, Privilege::User);
        assert!(is_healthy(&probes));
        assert_eq!(probes.last().unwrap().outcome, Outcome::Ok("namespaces (user)".into()));
    }

    #[test]
    fn a_missing_kernel_part_comes_with_the_command_that_loads_it() {
        let refused = FabricError::Filter {
            doing: "load a packet filter for the bridge",
            source: io::Error::from_raw_os_error(Errno::EOPNOTSUPP as i32),
        };
        let Outcome::Failed { why, remedy } = judge(5, Err(refused), Step::Filter).outcome else {
            panic!("judged healthy")
        };
        assert!(why.starts_with("failed to load a packet filter for the bridge"), "{why}");
        assert!(remedy.contains("modprobe nf_tables"), "{remedy}");
    }
}
