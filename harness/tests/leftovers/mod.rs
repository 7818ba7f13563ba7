//! Counting what a run left behind: processes, namespaces, mounts and links.
//!
//! A run is known by the value of `SCHISM_RUN` in its environment, which the test gives it. Take a
//! [`Machine`] before, and ask [`await_nothing_left`] after: it waits, because the kernel tears down
//! namespaces a moment after their last process, and reports what it still saw at its deadline.
//!
//! Other runs may live at the same time. So a namespace counts only if it is new and held by a
//! process with the run's mark, or by one without any mark that descends from this test or has lost
//! its parent, as what is left behind has. Everything is read from `/proc`; no tool is needed.

#![allow(dead_code, reason = "each test program uses its own part of this module")]
#![allow(clippy::unwrap_used, reason = "only tests use this, and a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const RUN_VARIABLE: &str = "SCHISM_RUN=";

/// What a machine holds that a run might add to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// `net:[4026531840]` and the like, of all processes and their open files: who holds each.
    namespaces: BTreeMap<String, BTreeSet<u32>>,
    mounts: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl Machine {
    /// As it is now, as far as this user may see.
    pub(crate) fn now() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let links = fs::read_to_string("/proc/self/net/dev").unwrap();
        let name = |line: &str| Some(line.split_once(':')?.0.trim().to_owned());
        Machine {
            namespaces: namespaces(),
            mounts: mounts.lines().map(str::to_owned).collect(),
            links: links.lines().filter_map(name).collect(),
        }
    }

    /// What is here and was not in `before`, for people; empty if nothing.
    fn grown_since(&self, before: &Machine, run: &str) -> Vec<String> {
        let ours = |holder: &u32| match run_of(*holder) {
            Some(its) => its == run,
            None => is_stray(*holder),
        };
        let namespaces = self
            .namespaces
            .iter()
            .filter(|(name, holders)| {
                !before.namespaces.contains_key(*name) && holders.iter().any(ours)
            })
            .map(|(name, holders)| format!("namespace {name} of {holders:?}"));
        let mounts = self.mounts.difference(&before.mounts).map(|mount| format!("mount {mount}"));
        let links = self.links.difference(&before.links).map(|link| format!("link {link}"));
        namespaces.chain(mounts).chain(links).collect()
    }
}

/// The processes of a run: id, parent, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Survivor {
    /// As seen from here.
    pub(crate) pid: u32,
    /// Its parent.
    pub(crate) parent: u32,
    /// Its arguments.
    pub(crate) command: String,
}

/// All living processes that carry the run's mark, ascending by id.
pub(crate) fn processes_of(run: &str) -> Vec<Survivor> {
    let mut found: Vec<Survivor> = pids()
        .filter(|&pid| run_of(pid).is_some_and(|its| its == run))
        .filter_map(|pid| {
            let parent = parent_if_alive(pid)?;
            let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            Some(Survivor { pid, parent, command: command.replace('\0', " ") })
        })
        .collect();
    found.sort_by_key(|survivor| survivor.pid);
    found
}

/// Waits until nothing of `run` is left that was not there `before`.
pub(crate) fn await_nothing_left(
    run: &str,
    before: &Machine,
    within: Duration,
) -> Result<(), String> {
    let deadline = Instant::now() + within;
    loop {
        let processes = processes_of(run);
        let grown = Machine::now().grown_since(before, run);
        if processes.is_empty() && grown.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("after {within:?} run {run} left {processes:?} and {grown:?}"));
        }
        std::thread::yield_now();
    }
}

fn pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The parent of a process, unless that is dead. The dead hold nothing but their exit status, until
/// their parent takes it; if that was killed as well, until the machine's own init gets round to it.
fn parent_if_alive(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let (state, parent) = (fields.next()?, fields.next()?);
    if state == "Z" { None } else { parent.parse().ok() }
}

/// The mark of a process, if it has one and we may read it.
fn run_of(pid: u32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|&byte| byte == 0).find_map(|variable| {
        String::from_utf8_lossy(variable).strip_prefix(RUN_VARIABLE).map(str::to_owned)
    })
}

/// Whether a process without a mark may be a leftover of this test: its child, or an orphan.
fn is_stray(pid: u32) -> bool {
    let own = std::process::id();
    let ancestors = std::iter::successors(parent_of(pid), |&parent| parent_of(parent));
    parent_of(pid) == Some(1) || ancestors.into_iter().any(|ancestor| ancestor == own)
}

/// The parent of a process, while it lives.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().filter(|&parent| parent != 0)
}

fn namespaces() -> BTreeMap<String, BTreeSet<u32>> {
    let mut holders: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for pid in pids().filter(|&pid| parent_if_alive(pid).is_some()) {
        for folder in ["ns", "fd"] {
            let links = links_in(&PathBuf::from(format!("/proc/{pid}/{folder}")));
            for name in links.into_iter().filter(|link| link.contains(":[") && is_namespace(link)) {
                holders.entry(name).or_default().insert(pid);
            }
        }
    }
    holders
}

fn links_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(|entry| Some(fs::read_link(entry.ok()?.path()).ok()?.to_str()?.to_owned()))
        .collect()
}

fn is_namespace(link: &str) -> bool {
    ["net:", "mnt:", "pid:", "user:"].iter().any(|kind| link.starts_with(kind))
}
