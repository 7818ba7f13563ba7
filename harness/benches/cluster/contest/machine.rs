//! What must be known to read the tables: the machine, and who ran on it in which version.

use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result};

use super::system::System;

/// The versions of what is installed; none: it is not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    etcd: Option<String>,
    redis: Option<String>,
    redis_benchmark: Option<String>,
}

impl Versions {
    /// Asks the programs themselves.
    pub(crate) fn find() -> Result<Versions> {
        Ok(Versions {
            etcd: version("etcd")?,
            redis: version("redis-server")?,
            redis_benchmark: version("redis-benchmark")?,
        })
    }

    /// Of a system.
    pub(crate) fn of(&self, system: System) -> Option<&str> {
        match system {
            System::OursRegister | System::OursLww => Some(env!("CARGO_PKG_VERSION")),
            System::Etcd => self.etcd.as_deref(),
            System::Redis => self.redis.as_deref(),
        }
    }

    /// Of the client of the second part.
    pub(crate) fn redis_benchmark(&self) -> Option<&str> {
        self.redis_benchmark.as_deref()
    }
}

/// The machine, and those who take part.
pub(crate) fn describe(versions: &Versions, systems: &[System]) -> Result<String> {
    let cores = std::thread::available_parallelism().context("failed to count cores")?;
    let release = "/proc/sys/kernel/osrelease";
    let kernel = std::fs::read_to_string(release).context("failed to read the kernel's version")?;
    let load = std::fs::read_to_string("/proc/loadavg").context("failed to read the load")?;
    let load = load.split(' ').next().unwrap_or_default();
    let named =
        |system: &System| versions.of(*system).map(|version| format!("{system} ({version})"));
    let named: Vec<String> = systems.iter().filter_map(named).collect();
    Ok(format!(
        "{cores} cores, which clients and servers share (load average before: {load}); Linux {}. {}.",
        kernel.trim(),
        named.join("; ")
    ))
}

/// The number in the first line of what `program --version` says.
fn version(program: &str) -> Result<Option<String>> {
    match Command::new(program).arg("--version").output() {
        Ok(output) => Ok(Some(number(&String::from_utf8_lossy(&output.stdout)))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to start {program}")),
    }
}

/// The first word with a digit in front, or behind `v=`.
fn number(text: &str) -> String {
    let words = text.split_whitespace().map(|word| word.strip_prefix("v=").unwrap_or(word));
    let mut numbers = words.filter(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    numbers.next().unwrap_or("unknown version").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        assert_eq!(number("etcd Version: 3.4.23\nGit SHA: Not provided\n"), "3.4.23");
        assert_eq!(number("Redis server v=7.0.15 sha=00000000:0 bits=64"), "7.0.15");
        assert_eq!(number("redis-benchmark 7.0.15\n"), "7.0.15");
        assert_eq!(number("hello"), "unknown version");
    }

    #[test]
    fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(version("no-such-program-anywhere").unwrap(), None);
    }
}
