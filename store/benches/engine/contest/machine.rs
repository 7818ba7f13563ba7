//! What the system says of this process and its files, and what it is asked to forget.
//!
//! Bytes written are the kernel's count (`/proc/self/io`, `write_bytes`: pages made dirty), the
//! same for every engine; an engine's own count would leave out what it does not think of.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// Memory resident at most until now (or since [`forget_peak`]).
pub(crate) fn peak_resident_bytes() -> Result<u64> {
    Ok(proc_number("/proc/self/status", "VmHWM:")? << 10)
}

/// Memory resident now.
pub(crate) fn resident_bytes() -> Result<u64> {
    Ok(proc_number("/proc/self/status", "VmRSS:")? << 10)
}

/// Lets [`peak_resident_bytes`] begin again.
pub(crate) fn forget_peak() -> Result<()> {
    fs::write("/proc/self/clear_refs", "5").context("failed to reset the peak of memory")
}

/// Bytes this process made the system write, or will make it write.
pub(crate) fn written_bytes() -> Result<u64> {
    proc_number("/proc/self/io", "write_bytes:")
}

/// Cores this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bytes allocated to the files below `directory`.
pub(crate) fn disk_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for path in files(directory)? {
        bytes += fs::metadata(&path)?.blocks() * 512;
    }
    Ok(bytes)
}

/// Brings every file below `directory` into the page cache.
pub(crate) fn warm(directory: &Path) -> Result<()> {
    for path in files(directory)? {
        let mut file = File::open(&path).context("failed to warm the page cache")?;
        io::copy(&mut file, &mut io::sink()).context("failed to warm the page cache")?;
    }
    Ok(())
}

/// Drops the page cache, where this process may; else asks to drop what is of `directory`.
pub(crate) fn chill(directory: &Path) -> Result<()> {
    nix::unistd::sync();
    if may_drop_caches() {
        return fs::write(DROP_CACHES, "3").context("failed to drop the page cache");
    }
    advise(directory)
}

fn advise(directory: &Path) -> Result<()> {
    for path in files(directory)? {
        let file = File::open(&path)?;
        posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
            .with_context(|| format!("failed to drop {} from the page cache", path.display()))?;
    }
    Ok(())
}

/// How [`chill`] does it here.
pub(crate) fn chill_name() -> &'static str {
    if may_drop_caches() { DROP_CACHES } else { "posix_fadvise(DONTNEED)" }
}

fn may_drop_caches() -> bool {
    File::options().write(true).open(DROP_CACHES).is_ok()
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut unread = vec![directory.to_owned()];
    while let Some(directory) = unread.pop() {
        let entries = fs::read_dir(&directory)
            .with_context(|| format!("failed to read {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { unread.push(path) } else { files.push(path) }
        }
    }
    Ok(files)
}

/// The number after `label` in a file of `/proc`.
fn proc_number(file: &str, label: &str) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("failed to read {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    let number = number.with_context(|| format!("failed to find {label} in {file}"))?;
    number.parse().with_context(|| format!("failed to read {label} in {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_of_memory_and_of_files() {
        let resident = resident_bytes().unwrap();
        assert!(resident > 1 << 16 && peak_resident_bytes().unwrap() >= resident);
        assert!(written_bytes().is_ok());
        let directory = std::env::temp_dir().join(format!("machine-{}", std::process::id()));
        fs::create_dir_all(directory.join("below")).unwrap();
        fs::write(directory.join("below/file"), vec![1; 100_000]).unwrap();
        warm(&directory).unwrap();
        nix::unistd::sync();
        advise(&directory).unwrap();
        let bytes = disk_bytes(&directory).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        assert!((100_000..200_000).contains(&bytes), "{bytes}");
        assert!(proc_number("/proc/self/status", "Nothing:").is_err());
    }
}
