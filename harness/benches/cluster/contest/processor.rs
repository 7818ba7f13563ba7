//! Processor time of processes, as the kernel counts it: all threads, user and system.
//!
//! Where clients and servers share the cores, it says more than the rate who is the dearer.
//! Source: proc(5), fields 14 and 15 of `stat`, in hundredths of a second.

use anyhow::{Context, Result};

/// Microseconds the processes took since they were born.
pub(crate) fn micros(pids: impl IntoIterator<Item = u32>) -> Result<f64> {
    let mut ticks = 0;
    for pid in pids {
        let file = format!("/proc/{pid}/stat");
        let stat =
            std::fs::read_to_string(&file).with_context(|| format!("failed to read {file}"))?;
        ticks += parse(&stat).with_context(|| format!("failed to read {file}: {stat}"))?;
    }
    Ok(ticks as f64 * 1e4)
}

/// Ticks of user and system. The name in field 2 may hold anything, but ends at the last `)`.
fn parse(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_are_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 17 0 0 20 0";
        assert_eq!(parse(stat), Some(267));
        assert_eq!(parse("42 (a) S 1 2 3"), None);
    }

    #[test]
    fn our_own_time_can_be_read_and_that_of_nobody_cannot() {
        assert!(micros([std::process::id()]).is_ok());
        assert!(micros([u32::MAX]).is_err());
    }
}
