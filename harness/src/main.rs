//! The `schism` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(harness::cli::main())
}
