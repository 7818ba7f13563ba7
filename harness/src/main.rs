//! The `schism` command.

use std::process::ExitCode;

/// For the nodes: what one thread takes there another frees, a message at a time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(harness::cli::main())
}
