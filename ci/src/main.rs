//! `cargo ci`: every check of the project, in order of cost.
//!
//! `cargo ci` runs all; `cargo ci tidy clippy` runs those named.

use std::path::Path;
use std::process::ExitCode;

use ci::gate::{STEPS, Step};

#[expect(clippy::print_stderr, reason = "a command that reports to people")]
fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.iter().any(|word| word == "--help" || word == "-h") {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        eprintln!(
            "cargo ci runs every check: {}\ncargo ci NAME… runs those named",
            known.join(", ")
        );
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = asked.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        eprintln!("there is no check `{unknown}`; there are: {}", known.join(", "));
        return ExitCode::from(254);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let chosen = |step: &&Step| asked.is_empty() || asked.iter().any(|name| name == step.name);
    for step in STEPS.iter().filter(chosen) {
        eprintln!("ci: {}", step.name);
        if let Err(why) = step.run(root) {
            eprintln!("ci: {} failed: {why}", step.name);
            return ExitCode::FAILURE;
        }
    }
    eprintln!("ci: all is well");
    ExitCode::SUCCESS
}
