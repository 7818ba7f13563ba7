//! The state letters of a process's threads, read from `/proc`.
//!
//! Where the sandbox could not mount a `/proc` of its own, the directories there bear outer ids. Then
//! the process is found by the last number of its `NSpid` line, which is its id in the innermost
//! namespace, among those that share our PID namespace.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{Pid, getpid};

/// One letter for each thread of `pid`, main thread first.
pub(super) fn states(pid: Pid) -> io::Result<String> {
    let process = directory_of(pid)?;
    let mut threads: Vec<u32> = fs::read_dir(process.join("task"))?
        .filter_map(|thread| thread.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    threads.sort_unstable();
    // A thread that ended between the two reads has no state any more.
    let read = |id: &u32| fs::read_to_string(process.join(format!("task/{id}/stat"))).ok();
    let states: String = threads.iter().filter_map(read).filter_map(|s| state_of(&s)).collect();
    if states.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(states) }
}

/// The letter after the program's name, which stands in parentheses and may itself contain any.
fn state_of(stat: &str) -> Option<char> {
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

fn directory_of(pid: Pid) -> io::Result<PathBuf> {
    let ours = fs::read_link("/proc/self")?;
    if ours == Path::new(&getpid().to_string()) {
        return Ok(format!("/proc/{pid}").into());
    }
    let namespace = fs::read_link("/proc/self/ns/pid")?;
    fs::read_dir("/proc")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| fs::read_link(path.join("ns/pid")).is_ok_and(|theirs| theirs == namespace))
        .find(|path| {
            let status = fs::read_to_string(path.join("status")).unwrap_or_default();
            innermost_id(&status) == Some(pid.as_raw())
        })
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn innermost_id(status: &str) -> Option<i32> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_named_like_a_state_does_not_confuse() {
        assert_eq!(state_of("42 (a) R (b)) T 1 42 42"), Some('T'));
        assert_eq!(state_of("garbage"), None);
    }

    #[test]
    fn the_innermost_id_is_the_last() {
        assert_eq!(innermost_id("Name:\tx\nNSpid:\t31337\t12\t3\n"), Some(3));
    }

    #[test]
    fn a_running_process_shows_a_letter_for_each_thread() {
        let states = states(getpid()).unwrap();
        assert!(!states.is_empty() && !states.contains('T'), "{states}");
    }
}
