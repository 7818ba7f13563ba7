//! How fast a cluster answers, beside etcd and Redis: `contest`, and what it is asked for.
//!
//! ```text
//! cargo bench -p harness --bench cluster -- --quick
//! ```
//!
//! Cargo compiles a benchmark without a harness as a test, too, though nothing calls its tests;
//! `harness/tests/contest.rs` does.

#![cfg_attr(test, allow(dead_code, unused_imports, reason = "tests are compiled, not called"))]

mod contest;

fn main() -> anyhow::Result<()> {
    contest::run()
}
