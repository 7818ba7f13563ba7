//! Tests as readable scripts: commands, and below each what it printed.
//!
//! ```text
//! # A line of prose, kept as it is.
//! > command and arguments
//! what the command prints
//! ```
//!
//! A script is replayed, and the transcript must equal the file. `REWRITE_SCRIPTS=1 cargo test` writes
//! transcripts over the files, to be read with care before they are kept.
//! Source of the idea: the data-driven tests of CockroachDB and of etcd's raft.

use std::fs;
use std::path::PathBuf;

/// Replays `testdata/<name>`, where `run` returns what a command prints.
pub(crate) fn replay(name: &str, mut run: impl FnMut(&str, &[&str]) -> String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let script = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()));
    let mut transcript = String::new();
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            let words: Vec<&str> = command.split_whitespace().collect();
            let (verb, arguments) = words.split_first().expect("a command has a verb");
            let printed = run(verb, arguments);
            transcript.extend([line, "\n", printed.as_str()]);
            if !printed.is_empty() && !printed.ends_with('\n') {
                transcript.push('\n');
            }
        } else if line.is_empty() || line.starts_with('#') {
            transcript.extend([line, "\n"]);
        }
    }
    assert!(script.contains("\n> ") || script.starts_with("> "), "{name} has no command");
    if std::env::var_os("REWRITE_SCRIPTS").is_some() {
        fs::write(&path, &transcript).expect("testdata can be written");
        return;
    }
    assert!(script == transcript, "{name} went otherwise:\n{}", differing(&script, &transcript));
}

/// The first line that differs, with what led up to it.
fn differing(script: &str, transcript: &str) -> String {
    let same = script.lines().zip(transcript.lines()).take_while(|(a, b)| a == b).count();
    let before: Vec<&str> = script.lines().take(same).skip(same.saturating_sub(5)).collect();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    format!("{}\n- {}\n+ {}", before.join("\n"), line(script), line(transcript))
}
