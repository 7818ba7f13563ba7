//! The rules of this project that no other tool checks.
//!
//! - Who may import whom: the arrows of ARCHITECTURE.md, read from the manifests.
//! - What a file owes its reader: it opens by saying what it is, and holds one noun (400 lines
//!   without tests are a second one), under a name that says something.
//! - What a crate must not know: the checker has no clock, no async and no randomness.
//! - What is declared is used; a test is run or it is not there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::manifest::names;

/// Who may import whom.
const EDGES: &[(&str, &[&str])] = &[
    ("store", &[]),
    ("checker", &[]),
    ("workloads", &["checker", "store"]),
    ("results", &["checker"]),
    ("harness", &["checker", "store", "workloads", "results"]),
    ("ci", &[]),
];

/// Who may import whom for its tests besides: the store's simulation is judged by the checker that
/// judges real runs. What they ship never meets.
const TEST_EDGES: &[(&str, &str)] = &[("store", "checker")];

/// Lines without tests from which on a file holds a second noun.
const LINES_MAX: usize = 400;

/// Names of files that hold a noun not found yet.
const NAMELESS: &[&str] =
    &["utils.rs", "util.rs", "common.rs", "helpers.rs", "types.rs", "misc.rs"];

/// What the checker's own code must not mention.
const UNKNOWN_TO_CHECKER: &[&str] = &["std::time", "tokio", "rand::", "SystemTime", "thread_rng"];

/// Every complaint about the workspace at `root`, in the order of files.
pub fn tidy(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    let mut used = BTreeSet::new();
    for (krate, _) in EDGES {
        let folder = root.join(krate);
        let manifest = read(&folder.join("Cargo.toml"))?;
        let mut sources = Vec::new();
        collect(&folder, &mut sources)?;
        let mut text = String::new();
        for path in &sources {
            let source = read(path)?;
            let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
            complaints.extend(file_complaints(&name, &source));
            text.push_str(&source);
        }
        complaints.extend(edge_complaints(krate, &manifest));
        complaints.extend(unused(krate, &manifest, &text));
        for section in ["dependencies", "dev-dependencies"] {
            used.extend(names(&manifest, section));
        }
    }
    let workspace = read(&root.join("Cargo.toml"))?;
    for name in names(&workspace, "workspace.dependencies") {
        if !used.contains(&name) && EDGES.iter().all(|(krate, _)| *krate != name) {
            complaints.push(format!("Cargo.toml: no crate uses `{name}`"));
        }
    }
    Ok(complaints)
}

/// Imports of our own crates that the house does not know.
fn edge_complaints(krate: &str, manifest: &str) -> Vec<String> {
    let allowed = EDGES.iter().find(|(name, _)| *name == krate).map_or(&[][..], |(_, to)| to);
    let forbidden = |name: &String| {
        EDGES.iter().any(|(krate, _)| krate == name) && !allowed.contains(&name.as_str())
    };
    let in_tests = names(manifest, "dev-dependencies").into_iter();
    let in_tests = in_tests.filter(|name| !TEST_EDGES.contains(&(krate, name.as_str())));
    names(manifest, "dependencies")
        .into_iter()
        .chain(in_tests)
        .filter(forbidden)
        .map(|name| format!("{krate}/Cargo.toml: {krate} must not import {name}"))
        .collect()
}

/// Dependencies that a crate declares and never names.
fn unused(krate: &str, manifest: &str, text: &str) -> Vec<String> {
    let declared = ["dependencies", "dev-dependencies"].map(|section| names(manifest, section));
    declared
        .into_iter()
        .flatten()
        .filter(|name| !names_crate(text, &name.replace('-', "_")))
        .map(|name| format!("{krate}/Cargo.toml: `{name}` is declared and never used"))
        .collect()
}

/// Whether `text` takes anything from the crate `name`: not from one whose name merely ends so.
fn names_crate(text: &str, name: &str) -> bool {
    let path = format!("{name}::");
    text.match_indices(&path).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// What one source file owes its reader.
fn file_complaints(name: &str, source: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !source.starts_with("//!") {
        complaints.push(format!("{name}: does not open by saying what it is"));
    }
    if NAMELESS.iter().any(|nameless| name.ends_with(&format!("/{nameless}"))) {
        complaints.push(format!("{name}: holds a noun not found yet"));
    }
    let own = source.lines().take_while(|line| *line != "#[cfg(test)]");
    let is_test = name.contains("/tests/") || name.ends_with("/tests.rs");
    let (lines, knows) = own.fold((0, None), |(lines, knows), line| {
        let told = UNKNOWN_TO_CHECKER.iter().find(|word| line.contains(**word));
        let told = told.filter(|_| !line.trim_start().starts_with("//"));
        (lines + 1, knows.or(told))
    });
    if lines > LINES_MAX && !is_test {
        complaints.push(format!("{name}: {lines} lines without tests, over {LINES_MAX}"));
    }
    if let Some(word) = knows
        && name.starts_with("checker/src")
        && !is_test
    {
        complaints.push(format!("{name}: the checker must not know `{word}`"));
    }
    let ignore = concat!("#[", "ignore");
    if source.contains(ignore) {
        complaints.push(format!("{name}: a test is run or it is not there: no {ignore}]"));
    }
    complaints
}

/// Every source file below `folder`, in order of path.
fn collect(folder: &Path, sources: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("failed to read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("ci lies in the workspace");
        let complaints = tidy(root).expect("the workspace can be read");
        assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
    }

    #[test]
    fn a_leaf_must_not_import_another() {
        let manifest = "[dependencies]\nstore.workspace = true\n";
        assert_eq!(
            edge_complaints("checker", manifest),
            ["checker/Cargo.toml: checker must not import store"]
        );
        assert!(edge_complaints("workloads", manifest).is_empty());
    }

    #[test]
    fn only_the_tests_of_the_store_may_import_the_checker() {
        let tests = "[dev-dependencies]\nchecker.workspace = true\n";
        assert!(edge_complaints("store", tests).is_empty());
        let ships = "[dependencies]\nchecker.workspace = true\n";
        assert_eq!(edge_complaints("store", ships).len(), 1);
        let other = "[dev-dependencies]\nstore.workspace = true\n";
        assert_eq!(edge_complaints("checker", other).len(), 1);
    }

    #[test]
    fn a_file_that_says_nothing_of_itself_or_too_much_is_named() {
        assert_eq!(file_complaints("store/src/ring.rs", "use x;").len(), 1);
        let long = format!("//! A file.\n{}", "let a = 1;\n".repeat(LINES_MAX));
        assert_eq!(file_complaints("store/src/ring.rs", &long).len(), 1);
        let tested = format!("//! A file.\n#[cfg(test)]\n{}", "let a = 1;\n".repeat(LINES_MAX));
        assert!(file_complaints("store/src/ring.rs", &tested).is_empty());
        assert_eq!(file_complaints("store/src/utils.rs", "//! A file.").len(), 1);
    }

    #[test]
    fn a_checker_with_a_clock_is_named() {
        let source = "//! A file.\nuse std::time::Instant;\n";
        assert_eq!(file_complaints("checker/src/history.rs", source).len(), 1);
        assert!(file_complaints("harness/src/run.rs", source).is_empty());
    }

    #[test]
    fn a_dependency_without_a_use_is_named() {
        let manifest = "[dependencies]\nserde.workspace = true\ntokio-util.workspace = true\n";
        let complaints = unused("x", manifest, "use tokio_util::codec;");
        assert_eq!(complaints, ["x/Cargo.toml: `serde` is declared and never used"]);
        let manifest = "[dependencies]\ntracing.workspace = true\n";
        assert_eq!(unused("x", manifest, "// tracing\nuse not_tracing::fmt;").len(), 1);
        assert!(unused("x", manifest, "tracing::info!(\"so\")").is_empty());
    }
}
