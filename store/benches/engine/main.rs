//! How fast the engine is: the loads of `contest`, run on ours alone.
//!
//! ```text
//! cargo bench -p store --bench engine -- --quick
//! ```
//!
//! `store/benches/peers` runs the very same loads on RocksDB and fjall beside ours, and prints
//! ratios. It is a workspace of its own, so that nobody who builds the store compiles RocksDB; it
//! takes `contest` by path, so that the loads are written once.
//!
//! Cargo compiles a benchmark without a harness as a test, too, though nothing calls its tests;
//! `store/tests/contest.rs` does.

#![cfg_attr(test, allow(dead_code, unused_imports, reason = "tests are compiled, not called"))]

mod contest;

fn main() -> anyhow::Result<()> {
    contest::run(&[contest::ours::OURS])
}
