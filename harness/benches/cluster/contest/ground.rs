//! Where servers stand: a directory that goes away, and addresses nobody else has.
//!
//! Every address 127.x.y.z is this machine. With a part for each process and each ground in it,
//! servers may keep their well-known ports, and nobody has to find a free one.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Where the servers of one cluster stand. It must outlive them.
pub(crate) struct Ground {
    directory: TempDir,
    /// The first three parts of its addresses.
    network: [u8; 3],
    /// Added to the last part: grounds of one process do not meet, up to 25 of them at a time.
    offset: u8,
}

/// Most servers on one ground, and one for the address that is none.
const SEATS: u8 = 10;
static GROUNDS: AtomicU8 = AtomicU8::new(0);

impl Ground {
    /// A new one, its directory inside `parent`.
    pub(crate) fn new(parent: &Path) -> Result<Ground> {
        let directory = tempfile::Builder::new().prefix("cluster-").tempdir_in(parent);
        let directory =
            directory.with_context(|| format!("failed to make room in {}", parent.display()))?;
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let offset = GROUNDS.fetch_add(1, Ordering::Relaxed) % 25 * SEATS;
        Ok(Ground { directory, network: [127, high, low], offset })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Of server `number`, from 1.
    pub(crate) fn address(&self, number: u8, port: u16) -> SocketAddr {
        assert!((1..SEATS).contains(&number), "a ground has no seat {number}");
        let [a, b, c] = self.network;
        (Ipv4Addr::new(a, b, c, self.offset + number), port).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_grounds_share_no_address_and_no_directory() {
        let parent = tempfile::tempdir().unwrap();
        let (one, other) =
            (Ground::new(parent.path()).unwrap(), Ground::new(parent.path()).unwrap());
        assert_ne!(one.address(1, 7000), other.address(1, 7000));
        assert_ne!(one.address(1, 7000), one.address(2, 7000));
        assert!(one.address(9, 7000).ip().is_loopback());
        let path = one.path().to_owned();
        assert_ne!(path, other.path());
        drop(one);
        assert!(!path.exists());
    }
}
