//! Whole clusters in one process, on loopback: what clients see while nodes come and go.

mod absence;
mod convergence;
mod fleet;
mod partition;
mod quorums;
mod siblings;
mod wire;
