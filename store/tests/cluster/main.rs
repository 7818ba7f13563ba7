//! Whole clusters in one process, on loopback: what clients see while nodes come and go.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod absence;
mod convergence;
mod fleet;
mod partition;
mod quorums;
mod repair;
mod siblings;
mod tombstones;
mod wire;
