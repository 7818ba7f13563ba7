//! What a new user does wrong, and what they are told: a clear message, and the exit code.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn schism(arguments: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_schism"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("CARGO")
        .env("SCHISM_RUN", "cli-test")
        .output()
        .expect("the binary can be started")
}

/// The exit code, and standard error.
fn refused(arguments: &[&str], directory: &Path) -> (Option<i32>, String) {
    let output = schism(arguments, directory);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().expect("a scratch directory")
}

const SUITE: &str = include_str!("../../ci/suites/smoke.yaml");

#[test]
fn an_unknown_command_is_wrong_usage() {
    let (code, text) = refused(&["brake"], scratch().path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("unrecognized subcommand 'brake'"), "{text}");
}

#[test]
fn help_teaches_and_is_no_error() {
    let output = schism(&["--help"], scratch().path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0));
    for word in ["run", "demo", "replay", "check", "doctor", "Exit codes", "Examples"] {
        assert!(text.contains(word), "no `{word}` in:\n{text}");
    }
}

#[test]
fn help_on_running_names_every_fault() {
    let output = schism(&["run", "--help"], scratch().path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for fault in ["partition", "kill", "pause", "wipe"] {
        assert!(text.contains(&format!("  {fault} ")), "no `{fault}` in:\n{text}");
    }
}

#[test]
fn a_suite_that_is_not_there_is_named_with_those_there_are() {
    let (code, text) = refused(&["run", "smok"], scratch().path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("smok") && text.contains("smoke, sloppy-handoff"), "{text}");
}

#[test]
fn a_wrong_node_name_is_shown_where_it_stands() {
    let scratch = scratch();
    let text = SUITE.replacen("- kill: {", "- kill: { nodes: [n7],", 1);
    std::fs::write(scratch.path().join("mine.yaml"), text).expect("a suite");
    let (code, text) = refused(&["run", "mine.yaml"], scratch.path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("mine.yaml:27:"), "{text}");
    assert!(text.contains("there is no node `n7`"), "{text}");
    assert!(text.contains("n1, n2, n3, n4, n5"), "{text}");
}

#[test]
fn broken_yaml_is_shown_where_it_breaks_and_nothing_is_left() {
    let scratch = scratch();
    std::fs::write(scratch.path().join("mine.yaml"), "suite: [oops\n").expect("a suite");
    let (code, text) = refused(&["run", "mine.yaml"], scratch.path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("mine.yaml:"), "{text}");
    assert!(!scratch.path().join("runs").exists(), "a run directory was made for nothing");
}

#[test]
fn a_directory_that_cannot_be_made_is_named_before_anything_starts() {
    let scratch = scratch();
    std::fs::write(scratch.path().join("runs"), "a file in the way").expect("a file");
    let (code, text) = refused(&["run", "smoke"], scratch.path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("runs"), "{text}");
}

#[test]
fn the_same_seed_prints_the_same_plan() {
    let scratch = scratch();
    let plan = |seed: &str| {
        schism(&["run", "smoke", "--plan-only", "--seed", seed], scratch.path()).stdout
    };
    assert_eq!(plan("5"), plan("5"));
    assert_ne!(plan("5"), plan("6"));
}

#[test]
fn a_history_that_is_none_is_refused_with_its_line() {
    let scratch = scratch();
    let event = r#"{"time":1,"process":0,"type":"invoke","f":"read","key":"register:0"}"#;
    std::fs::write(scratch.path().join("h.jsonl"), format!("{event}\n{{oops\n")).expect("a file");
    let (code, text) = refused(&["check", "h.jsonl"], scratch.path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("h.jsonl") && text.contains("line 2"), "{text}");
    let (code, text) = refused(&["check", "nowhere.jsonl"], scratch.path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("nowhere.jsonl"), "{text}");
}

#[test]
fn a_recorded_history_is_judged_and_the_worst_verdict_counts() {
    let histories = Path::new(env!("CARGO_MANIFEST_DIR")).join("../checker/testdata");
    let named = |ending: &str| {
        let mut names: Vec<String> = std::fs::read_dir(&histories)
            .expect("the checker's recorded histories")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(ending))
            .collect();
        names.sort();
        names.into_iter().next().expect("one of each verdict")
    };
    let (valid, invalid) = (named(".valid.jsonl"), named(".invalid.jsonl"));
    let code = |arguments: &[&str]| schism(arguments, &histories).status.code();
    assert_eq!(code(&["check", &valid]), Some(0), "{valid}");
    assert_eq!(code(&["check", &invalid]), Some(1), "{invalid}");
    assert_eq!(code(&["check", "empty.unknown.jsonl"]), Some(2), "nobody judged it");
    assert_eq!(code(&["check", "register-unknown-function.unknown.jsonl", &valid]), Some(2));
    assert_eq!(code(&["check", &invalid, "empty.unknown.jsonl"]), Some(1), "a violation outranks");
}

/// Clients that write the same few values over and over, and one whose read can be in no order: to
/// know that, a search must try far more orders than fit into a moment.
fn hard_to_judge() -> String {
    let event = |time: usize, process: usize, kind: &str, f: &str, value: Option<usize>| {
        let value = value.map_or("null".to_owned(), |value| value.to_string());
        format!(
            "{{\"time\":{time},\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"k\",\"value\":{value}}}\n"
        )
    };
    let clients = 0..24;
    let begun = clients.clone().map(|c| event(c, c, "invoke", "write", Some(c % 12)));
    let read = [event(100, 50, "invoke", "read", None), event(101, 50, "ok", "read", Some(3))];
    let ended = clients.map(|c| event(200 + c, c, "ok", "write", Some(c % 12)));
    let impossible = (0..6).flat_map(|round| {
        let value = round % 2;
        [
            event(300 + 2 * round, 51, "invoke", "read", None),
            event(301 + 2 * round, 51, "ok", "read", Some(value)),
        ]
    });
    begun.chain(read).chain(ended).chain(impossible).collect()
}

#[test]
fn a_search_that_takes_too_long_ends_as_unknown_and_says_that_its_time_was_up() {
    let scratch = scratch();
    std::fs::write(scratch.path().join("hard.jsonl"), hard_to_judge()).expect("a file");
    for budget in ["0s", "30ms"] {
        let judged = schism(&["check", "hard.jsonl", "--time-budget", budget], scratch.path());
        let text = String::from_utf8_lossy(&judged.stdout);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(judged.status.code(), Some(2), "{budget}: {text}");
        assert!(text.contains("the search gave up when its time was up"), "{budget}: {text}");
    }
    let (code, text) = refused(&["check", "hard.jsonl", "--time-budget", "soon"], scratch.path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("such as 500ms"), "{text}");
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure_but_a_full_disk_is() {
    let code = |stdout: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_schism"));
        let output = command.arg("suites").stdout(stdout).stderr(Stdio::piped()).output();
        let output = output.expect("the binary can be started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(code(writer.into()), (Some(0), String::new()));
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has one");
    let (code, text) = code(full.into());
    assert_eq!(code, Some(255), "{text}");
    assert!(text.contains("failed to write to standard output"), "{text}");
}

#[test]
fn a_plan_edited_into_nonsense_is_refused_where_it_stands() {
    let scratch = scratch();
    let plan = schism(&["run", "smoke", "--plan-only", "--seed", "5"], scratch.path()).stdout;
    let plan = String::from_utf8(plan).expect("a plan is text");
    let edited = plan.replacen("kill: n", "kill: n9", 1);
    assert_ne!(plan, edited);
    std::fs::write(scratch.path().join("plan.yaml"), edited).expect("a plan");
    let (code, text) = refused(&["replay", "plan.yaml"], scratch.path());
    assert_eq!(code, Some(254), "{text}");
    assert!(text.contains("there is no node `n9") && text.contains("plan.yaml:"), "{text}");
    assert!(!scratch.path().join("runs").exists(), "a run directory was made for nothing");
}

#[test]
fn a_port_in_use_is_named() {
    let scratch = scratch();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let (code, text) = refused(&["node", "--listen", &address], scratch.path());
    assert_eq!(code, Some(255), "{text}");
    assert!(text.contains(&address) && text.contains("in use"), "{text}");
    let (code, text) = refused(
        &["node", "--listen", &free_address(), "--metrics", &address, "--data", "none"],
        scratch.path(),
    );
    assert_eq!(code, Some(255), "{text}");
    assert!(text.contains(&format!("for `metrics` at {address}")), "{text}");
    assert!(!scratch.path().join("none").exists(), "data were made for nothing");
}

#[test]
fn a_node_whose_data_directory_is_a_file_says_so() {
    let scratch = scratch();
    std::fs::write(scratch.path().join("data"), "a file in the way").expect("a file");
    let (code, text) =
        refused(&["node", "--listen", &free_address(), "--data", "data"], scratch.path());
    assert_eq!(code, Some(255), "{text}");
    assert!(text.contains("data"), "{text}");
}

/// An address nobody listens at: bound a moment ago, and let go.
fn free_address() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("bound").to_string()
}

/// A machine that allows no network namespaces is made with what every Debian has: a user
/// namespace whose limit for them is set to none.
#[test]
fn a_machine_without_namespaces_is_told_the_remedy() {
    let scratch = scratch();
    let limited = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$0\" run smoke --seed 1";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", limited, env!("CARGO_BIN_EXE_schism")])
        .env("SCHISM_RUN", "cli-test")
        .current_dir(scratch.path())
        .output()
        .expect("unshare of util-linux can be started");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(255), "{text}");
    assert!(text.contains("namespace") && text.contains("schism doctor"), "{text}");
}
