//! What this process takes of its machine, under the names every Prometheus client gives it.
//!
//! Read when it is asked for. What the system does not tell is left out: a zero would be a lie.
//! Sources: proc(5), getrusage(2); Prometheus, "Writing client libraries", process metrics.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;

use super::{Metric, Section, Unit};

/// What this process takes of its machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Memory that is in RAM now.
    pub resident_bytes: Option<u64>,
    /// Memory that is mapped.
    pub virtual_bytes: Option<u64>,
    /// Descriptors open.
    pub open_files: Option<usize>,
    /// Descriptors it may open.
    pub max_files: Option<u64>,
    /// Time on processors, in user and system mode.
    pub cpu: Option<Duration>,
}

impl Process {
    /// As it is now.
    pub fn read() -> Process {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok();
        Process {
            resident_bytes: bytes(&status, "VmRSS:"),
            virtual_bytes: bytes(&status, "VmSize:"),
            // The listing itself takes one.
            open_files: fs::read_dir("/proc/self/fd").ok().map(|open| open.count() - 1),
            max_files: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
            cpu: usage.map(|it| lasting(it.user_time()) + lasting(it.system_time())),
        }
    }

    /// As metrics.
    pub fn metrics(&self) -> Vec<Metric> {
        let resident = self.resident_bytes.map(|bytes| {
            Metric::gauge("process_resident_memory", "Memory of this process that is in RAM.")
                .unit(Unit::Bytes)
                .reads(bytes)
                .shown(Section::Memory, "used_memory_rss")
        });
        let mapped = self.virtual_bytes.map(|bytes| {
            Metric::gauge("process_virtual_memory", "Memory mapped, whether or not it is used.")
                .unit(Unit::Bytes)
                .reads(bytes)
        });
        let open = self.open_files.map(|open| {
            let help = "Descriptors open: connections, tables, segments of the log.";
            let metric = Metric::gauge("process_open_fds", help).reads(open);
            metric.shown(Section::Server, "process_open_files")
        });
        let limit = self.max_files.map(|limit| {
            Metric::gauge("process_max_fds", "Descriptors this process may open.").reads(limit)
        });
        let cpu = self.cpu.map(|cpu| {
            let help = "Time on processors, in user and system mode, of all threads.";
            Metric::counter("process_cpu", help).unit(Unit::Seconds).reads(cpu)
        });
        [resident, mapped, open, limit, cpu].into_iter().flatten().collect()
    }
}

/// A field of proc(5)'s `status`, which counts in units of 1024 bytes.
fn bytes(status: &str, field: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(field))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn lasting(time: TimeVal) -> Duration {
    Duration::from_secs(time.tv_sec().unsigned_abs())
        + Duration::from_micros(time.tv_usec().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_bytes() {
        let status = "Name:\tschism\nVmSize:\t   20 kB\nVmRSS:\t    3 kB\nVmSwap:\t0\n";
        assert_eq!([bytes(status, "VmSize:"), bytes(status, "VmRSS:")], [Some(20_480), Some(3072)]);
        assert_eq!([bytes(status, "VmSwap:"), bytes(status, "VmPeak:")], [None, None]);
    }

    #[test]
    fn this_process_has_taken_something_of_everything() {
        let held: Vec<fs::File> = (0..32).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let Process { resident_bytes, virtual_bytes, open_files, max_files, cpu } = Process::read();
        assert!(resident_bytes > Some(0) && virtual_bytes >= resident_bytes);
        assert!(open_files > Some(held.len()), "{open_files:?}");
        assert!(max_files.is_some_and(|limit| limit > open_files.unwrap() as u64));
        assert!(cpu.is_some());
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        assert_eq!(Process::default().metrics(), []);
        assert_eq!(Process { max_files: Some(1), ..Process::default() }.metrics().len(), 1);
    }
}
