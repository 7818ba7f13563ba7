//! Our engine beside RocksDB and fjall, under the same loads in the same run.
//!
//! ```text
//! cargo run --release -- --quick
//! cargo run --release --no-default-features -- --quick    (without RocksDB)
//! ```
//!
//! A workspace of its own, so that nobody who builds the store compiles RocksDB, which takes half
//! an hour, a C++ compiler and libclang. The loads are those of the benchmark `engine`, taken by
//! path; here are only the two engines to compare with, each given what `Setting` says and its own
//! defaults for the rest.

#[path = "../../engine/contest/mod.rs"]
mod contest;
mod fjall_peer;
#[cfg(feature = "rocksdb")]
mod rocksdb_peer;

/// Bits of filter for each key, as ours has.
const FILTER_BITS_PER_KEY: u8 = 10;

fn main() -> anyhow::Result<()> {
    contest::run(&[
        contest::ours::OURS,
        #[cfg(feature = "rocksdb")]
        rocksdb_peer::ROCKSDB,
        fjall_peer::FJALL,
    ])
}
