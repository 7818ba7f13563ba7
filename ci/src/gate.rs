//! What must pass before a change lands, in order of cost.

use std::path::Path;
use std::process::Command;

use crate::tidy::tidy;

/// One check.
#[derive(Debug)]
pub struct Step {
    /// What users call it.
    pub name: &'static str,
    act: Act,
}

#[derive(Debug)]
enum Act {
    /// A `cargo` command, with these variables in its environment.
    Cargo(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// The rules of this project.
    Tidy,
}

/// Every check, in order of cost.
pub const STEPS: &[Step] = &[
    Step { name: "fmt", act: Act::Cargo(&["fmt", "--all", "--check"], &[]) },
    Step { name: "tidy", act: Act::Tidy },
    Step {
        name: "clippy",
        act: Act::Cargo(
            &["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"],
            &[],
        ),
    },
    Step {
        name: "docs",
        act: Act::Cargo(
            &["doc", "--workspace", "--no-deps", "--quiet"],
            &[("RUSTDOCFLAGS", "--deny warnings")],
        ),
    },
    // A snapshot that differs fails; it is never written here.
    Step { name: "tests", act: Act::Cargo(&["test", "--workspace"], &[("INSTA_UPDATE", "no")]) },
    Step { name: "smoke", act: Act::Cargo(&["run", "--release", "--quiet"], &[]) },
];

impl Step {
    /// Runs it in the workspace at `root`; says why it failed.
    pub fn run(&self, root: &Path) -> Result<(), String> {
        match &self.act {
            Act::Tidy => match tidy(root).map_err(|error| format!("{error:#}"))? {
                complaints if complaints.is_empty() => Ok(()),
                complaints => Err(format!("\n  {}", complaints.join("\n  "))),
            },
            Act::Cargo(arguments, variables) => {
                let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                let status = Command::new(cargo)
                    .args(*arguments)
                    .envs(variables.iter().copied())
                    .current_dir(root)
                    .status()
                    .map_err(|error| format!("cargo could not be started: {error}"))?;
                if status.success() { Ok(()) } else { Err(status.to_string()) }
            }
        }
    }
}
