//! What suites are read, and what a mistaken author is told.

use super::*;

fn smoke() -> String {
    EMBEDDED[0].text.to_owned()
}

/// The complaint about the smoke suite with `from` replaced by `to`.
fn complaint(from: &str, to: &str) -> String {
    let text = smoke();
    assert!(text.contains(from), "the suite has no `{from}` to replace");
    Suite::parse("smoke.yaml", &text.replacen(from, to, 1)).expect_err("a mistake").to_string()
}

#[test]
fn every_embedded_suite_is_valid() {
    for embedded in EMBEDDED {
        let suite = Suite::parse(embedded.name, embedded.text);
        let suite = suite.unwrap_or_else(|error| panic!("{}:\n{error}", embedded.name));
        assert_eq!(suite.suite, embedded.name);
    }
}

#[test]
fn a_suite_is_read_back_from_what_was_written() {
    let suite = Suite::parse("smoke", &smoke()).expect("valid");
    let text = serde_yaml::to_string(&suite).expect("plain data");
    assert_eq!(Suite::parse("again", &text).expect("valid"), suite);
}

#[test]
fn a_key_nobody_reads_is_refused() {
    insta::assert_snapshot!(complaint("  timeout: 500ms", "  time-out: 500ms"));
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    insta::assert_snapshot!(complaint("nodes: 5", "nodes: many"));
}

#[test]
fn a_quorum_larger_than_the_replicas_is_refused() {
    insta::assert_snapshot!(complaint("n: 3, r: 2, w: 2", "n: 3, r: 4, w: 2"));
}

#[test]
fn server_vectors_are_refused_where_there_are_no_siblings_and_read_where_there_are() {
    let vectors = |policy: &str| {
        let to = format!("{{ policy: {policy}, causality: server-vector, vector-limit: 9,");
        (format!("{{ policy: {policy},"), to)
    };
    let (from, to) = vectors("register");
    let refused = complaint(&from, &to);
    let told =
        "keyspaces.register.causality: causality is for policy `siblings`, and this is `register`";
    assert!(refused.contains(told), "{refused}");
    let (from, to) = vectors("siblings");
    let suite = Suite::parse("vectors", &smoke().replacen(&from, &to, 1)).expect("valid");
    let set = &suite.cluster.keyspaces["set"];
    assert_eq!((set.causality, set.vector_limit), (store::Causality::ServerVector, Some(9)));
}

#[test]
fn a_node_that_is_not_there_is_refused() {
    insta::assert_snapshot!(complaint(
        "- kill: { every: 3s,",
        "- kill: { nodes: [n1, n9], every: 3s,"
    ));
}

#[test]
fn an_unknown_fault_is_refused_with_those_there_are() {
    insta::assert_snapshot!(complaint("- kill:", "- murder:"));
}

#[test]
fn an_unknown_keyspace_is_refused_with_those_there_are() {
    insta::assert_snapshot!(complaint("keyspace: register", "keyspace: registers"));
}

#[test]
fn a_fault_that_does_not_fit_its_phase_is_refused() {
    insta::assert_snapshot!(complaint("faults: 20s", "faults: 4s"));
}

#[test]
fn a_partition_that_says_nothing_is_refused() {
    insta::assert_snapshot!(complaint(
        "shapes: [halves, isolate, one-way, bridge, majority-ring], ",
        ""
    ));
}

#[test]
fn what_would_cut_nothing_is_refused() {
    let two = "nodes: 2\n  keyspaces:\n    register: { policy: register, n: 2, r: 2, w: 2 }\n    set: \
               { policy: siblings, n: 2, r: 2, w: 2 }\nignored:";
    let text = smoke().replacen("nodes: 5", two, 1);
    let text = [
        &text[..text.find("ignored:").expect("it is there")],
        &text[text.find("workloads:").expect("too")..],
    ]
    .concat();
    let refused = Suite::parse("two.yaml", &text).expect_err("a bridge needs three").to_string();
    assert!(refused.contains("shapes[3]: cuts nothing among fewer than three nodes"), "{refused}");
    let shapes = "shapes: [halves, isolate, one-way, bridge, majority-ring]";
    let refused = complaint(shapes, "groups: [[n1], []]");
    assert!(refused.contains("groups[1]: names no node"), "{refused}");
}

#[test]
fn a_wipe_is_read_and_refused_like_the_other_faults_of_processes() {
    let read = smoke().replacen("- kill: {", "- wipe: { nodes: [n2],", 1);
    let suite = Suite::parse("smoke.yaml", &read).expect("valid");
    let FaultSpec::Wipe(spec) = &suite.faults[1] else { panic!("{:?}", suite.faults) };
    assert_eq!((spec.nodes.as_slice(), spec.lasting), (&["n2".to_owned()][..], one_second()));
    let refused = complaint("- kill: {", "- wipe: { nodes: [n9],");
    assert!(refused.contains("faults[1].wipe.nodes[0]: there is no node `n9`"), "{refused}");
    let refused = complaint("- kill: { every: 3s", "- wipe: { every: 3h");
    assert!(refused.contains("faults[1].wipe: every + lasting"), "{refused}");
}

#[test]
fn the_only_disk_there_is_is_not_wiped() {
    let one = "
suite: one
cluster:
  nodes: 1
  keyspaces:
    register: { policy: register, n: 1, r: 1, w: 1 }
workloads:
  - workload: { register: { keyspace: register } }
    clients: 1
phases: { warm-up: 1s, faults: 9s, recovery: 1s, quiesce: 9s }
faults:
  - wipe: { every: 1s, lasting: 1s }
";
    let refused = Suite::parse("one.yaml", one).expect_err("nobody else has it").to_string();
    assert!(refused.contains("faults[0].wipe: one node alone has nobody"), "{refused}");
}

#[test]
fn numbers_no_run_could_bear_are_refused_and_not_tried() {
    for (from, to) in [
        ("nodes: 5", "nodes: 31"),
        ("clients: 10", "clients: 4000000000"),
        ("rate: 600", "rate: 1e-300"),
        ("warm-up: 2s", "warm-up: 5000000000000000h"),
        ("faults: 20s", "faults: 5000000000000000h"),
        ("every: 1500ms", "every: 5000000000000000h"),
        ("every: 1500ms, lasting: 2s", "every: 0s, lasting: 1ns"),
    ] {
        let refused = complaint(from, to);
        assert!(refused.contains("smoke.yaml:"), "{to}: {refused}");
    }
}

#[test]
fn reaping_without_a_pause_is_refused() {
    for every in ["0s", "1ms", "100000h"] {
        let refused = complaint("timeout: 500ms", &format!("reap-every: {every}"));
        assert!(refused.contains("cluster.reap-every: is 10ms to "), "{refused}");
    }
}

#[test]
fn a_file_that_is_no_yaml_is_refused_where_it_breaks() {
    let error = Suite::parse("x.yaml", "suite: ok\ncluster: }").expect_err("broken");
    assert_eq!(error.line(), 2, "{error}");
}

#[test]
fn an_empty_file_is_refused() {
    let error = Suite::parse("x.yaml", "").expect_err("empty").to_string();
    assert!(error.contains("x.yaml:1:1"), "{error}");
}

#[test]
fn a_path_is_found_in_flow_and_in_block_style() {
    let text = "a:\n  - b: 1\n  - { b: 2, c: [x, y] }\n";
    let at = |path: &[locate::Step]| locate::locate(text, path);
    assert_eq!(at(&["a".into(), 0.into(), "b".into()]), Some((2, 8)));
    assert_eq!(at(&["a".into(), 1.into(), "c".into(), 1.into()]), Some((3, 20)));
    assert_eq!(at(&["a".into(), 2.into()]), None);
}
