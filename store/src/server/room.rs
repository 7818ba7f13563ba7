//! How many clients there is room for, given the files this process may open.
//!
//! A connection is a file, and so is a table: clients who took the last of them would make the engine
//! fail to open its next segment, and a failed engine takes no more writes. So they get what is left
//! after a reserve for the engine and the other nodes. (Redis lowers `maxclients` for the same reason.)

use super::Limits;

/// Files for the engine, the other nodes and whatever a library opens.
const RESERVE: usize = 128;

impl Limits {
    /// The default, lowered to what this process may open.
    pub fn with_room() -> Limits {
        let limits = Limits::default();
        // Where the system does not say, it sets no limit that we could read.
        let files = std::fs::read_to_string("/proc/self/limits").ok().and_then(|it| files(&it));
        let connections = files.map_or(limits.connections, |it| limits.connections.min(left(it)));
        Limits { connections, ..limits }
    }
}

/// What `files` leave to clients: at least half of them, however few they are.
fn left(files: usize) -> usize {
    files.saturating_sub(RESERVE).max(files / 2)
}

/// The soft limit of open files, from the words of proc(5).
fn files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_the_engine_does_not_need() {
        assert_eq!([10_128, 1024, 256, 100, 2].map(left), [10_000, 896, 128, 50, 1]);
    }

    #[test]
    fn the_soft_limit_is_found_among_the_others() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max core file size        0                    unlimited            bytes     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(files(limits), Some(1024));
        assert_eq!(files(&limits.replace("1024 ", "unlimited ")), None);
        assert!(Limits::with_room().connections <= Limits::default().connections);
    }
}
