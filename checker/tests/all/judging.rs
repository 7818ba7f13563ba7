//! What the checkers promise beyond single histories: budgets, order, composition, text.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::support::{Plan, Shape, Story, history, interleave, rng};
use checker::{
    Activity, Budget, Checker, Convergence, Event, Faults, Finding, History, Keyspace,
    Linearizability, LostWrites, StaleReads, Verdict, check_all, for_history,
};

fn parse(text: &str) -> History {
    History::parse(text.as_bytes()).unwrap()
}

fn recorded(name: &str) -> History {
    let path = format!("{}/testdata/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    parse(&std::fs::read_to_string(path).unwrap())
}

fn stories(lies: u32) -> History {
    let mut rng = rng(7);
    let keys = ["r:a", "r:b", "r:c", "r:d", "r:e", "r:f", "r:g", "r:h"];
    let plan = |key, unique| Plan {
        shape: Shape::Register { unique },
        key,
        operations: 60,
        clients: 5,
        info: 20,
        fail: 20,
        lies,
    };
    let told: Vec<Vec<Event>> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| Story::new(plan(key, at % 2 == 0), &mut rng).tell())
        .collect();
    interleave(told, &mut rng)
}

#[test]
fn findings_do_not_depend_on_the_number_of_threads() {
    let history = stories(30);
    let judged = |threads: usize| -> String {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let findings =
            pool.install(|| check_all(&history, &for_history(&history, &Budget::default())));
        serde_json::to_string(&findings).unwrap()
    };
    let alone = judged(1);
    assert!(alone.matches("\"because\"").count() > 3, "too little to compare: {alone}");
    for threads in [2, 3, 8, 8, 8] {
        assert_eq!(judged(threads), alone);
    }
}

#[test]
fn a_finding_survives_being_written_down() {
    let findings = check_all(&stories(30), &for_history(&stories(30), &Budget::default()));
    let text = serde_json::to_string(&findings).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Finding>>(&text).unwrap(), findings);
}

#[test]
fn the_json_of_a_finding_is_stable() {
    let finding =
        Linearizability::register("register").check(&recorded("register-stale-read.invalid"));
    insta::assert_json_snapshot!(finding);
}

fn repeated(lies: u32) -> History {
    let shape = Shape::Register { unique: false };
    let plan = Plan { shape, key: "r:1", operations: 400, clients: 8, info: 5, fail: 5, lies };
    history(plan, &mut rng(11))
}

#[test]
fn a_search_out_of_configurations_is_unknown_and_says_where() {
    let small = Budget { configurations: 20, ..Budget::default() };
    let finding = Linearizability::register("r").within(small).check(&repeated(0));
    assert_eq!(finding.verdict, Verdict::Unknown);
    insta::assert_snapshot!(finding.summary, @"1 key, 400 operations: 0 linearizable, 1 unknown (r:1: the search gave up after 20 configurations)");
    assert_eq!(Linearizability::register("r").check(&repeated(0)).verdict, Verdict::Valid);
}

#[test]
fn a_search_out_of_bytes_is_unknown() {
    let small = Budget { bytes: 2_000, ..Budget::default() };
    let finding = Linearizability::register("r").within(small).check(&repeated(0));
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(finding.summary.contains("2000 bytes"), "{}", finding.summary);
}

#[test]
fn a_search_whose_time_is_up_is_unknown() {
    let stopped = Budget { stop: Some(Arc::new(AtomicBool::new(true))), ..Budget::default() };
    let finding = Linearizability::register("r").within(stopped).check(&repeated(0));
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(finding.summary.contains("when its time was up"), "{}", finding.summary);
}

#[test]
fn a_violation_outranks_an_unknown_key() {
    let mut rng = rng(3);
    let plan = |key, unique, lies| Plan {
        shape: Shape::Register { unique },
        key,
        operations: 100,
        clients: 8,
        info: 5,
        fail: 5,
        lies,
    };
    let told = vec![
        Story::new(plan("r:1", false, 0), &mut rng).tell(),
        Story::new(plan("r:2", true, 500), &mut rng).tell(),
    ];
    let history = interleave(told, &mut rng);
    let small = Budget { configurations: 5, ..Budget::default() };
    let finding = Linearizability::register("r").within(small).check(&history);
    assert_eq!(finding.verdict, Verdict::Invalid);
    assert!(finding.summary.contains("1 unknown (r:1"), "{}", finding.summary);
    assert!(finding.anomalies.iter().all(|anomaly| anomaly.key.as_deref() == Some("r:2")));
}

#[test]
fn keys_that_kept_a_promise_do_not_outweigh_an_unknown_one() {
    let event = |time: u64, kind: &str, f: &str, key: &str| {
        format!(
            "{{\"time\":{time},\"process\":0,\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"{key}\"}}\n"
        )
    };
    let read = event(1, "invoke", "read", "r:1") + &event(2, "ok", "read", "r:1");
    let swap = event(3, "invoke", "cas", "r:2") + &event(4, "ok", "cas", "r:2");
    let judged = |text: &str| Linearizability::register("r").check(&parse(text)).verdict;
    assert_eq!(judged(&read), Verdict::Valid);
    assert_eq!(judged(&(read + &swap)), Verdict::Unknown);
}

#[test]
fn the_worst_verdict_wins() {
    use Verdict::{Invalid, Unknown, Valid};
    assert_eq!(Verdict::worst([]), Unknown, "what nobody judged is not valid");
    assert_eq!(Verdict::worst([Valid, Unknown, Valid]), Unknown);
    assert_eq!(Verdict::worst([Unknown, Invalid, Valid]), Invalid);
}

#[test]
fn anomalies_come_in_the_order_in_which_they_became_certain() {
    let finding = Linearizability::register("r").check(&stories(300));
    let certain = |anomaly: &checker::Anomaly| {
        anomaly.witness.iter().map(|operation| operation.completed).max()
    };
    assert!(finding.anomalies.len() > 3, "{}", finding.summary);
    assert!(finding.anomalies.is_sorted_by_key(certain));
}

#[test]
fn a_checker_judges_its_own_keyspace_alone() {
    let history = recorded("register-stale-read.invalid");
    assert_eq!(Linearizability::register("register").check(&history).verdict, Verdict::Invalid);
    for name in ["other", "regi", "register:7"] {
        let other = Linearizability::register(name).check(&history);
        assert_eq!(other.verdict, Verdict::Unknown, "{}", other.summary);
        assert_eq!(other.keyspace.as_deref(), Some(name));
    }
}

#[test]
fn fewer_replicas_than_promised_is_unknown() {
    let history = recorded("set-node-without-a-copy.valid");
    assert_eq!(Convergence::new("set").check(&history).verdict, Verdict::Valid);
    assert_eq!(Convergence::new("set").with_replicas(2).check(&history).verdict, Verdict::Valid);
    let three = Convergence::new("set").with_replicas(3).check(&history);
    assert_eq!(three.verdict, Verdict::Unknown);
    assert!(three.summary.contains("2 of 3 replicas answered"), "{}", three.summary);
}

#[test]
fn a_write_may_be_lost_on_a_replica_nobody_heard_of() {
    let history = recorded("set-node-without-a-copy.valid");
    assert_eq!(LostWrites::new("set").with_replicas(2).check(&history).verdict, Verdict::Valid);
    let three = LostWrites::new("set").with_replicas(3).check(&history);
    assert_eq!(three.verdict, Verdict::Unknown);
    assert!(three.summary.contains("2 of 3 replicas answered"), "{}", three.summary);
}

#[test]
fn a_silent_node_matters_only_while_copies_are_missing() {
    let history = recorded("set-silent-replica.unknown");
    for (replicas, verdict) in [(2, Verdict::Valid), (3, Verdict::Unknown)] {
        let lost = LostWrites::new("set").with_replicas(replicas).check(&history);
        let apart = Convergence::new("set").with_replicas(replicas).check(&history);
        assert_eq!((lost.verdict, apart.verdict), (verdict, verdict), "{replicas}");
    }
}

#[test]
fn a_read_of_a_value_nobody_wrote_is_no_fresh_read() {
    for name in ["register-value-from-nowhere.invalid", "set-phantom-shown-to-a-client.invalid"] {
        let finding = StaleReads::new(Keyspace::all()).check(&recorded(name));
        assert_eq!(finding.verdict, Verdict::Invalid, "{name}");
        assert_eq!(finding.anomalies[0].name, "read of a value never written", "{name}");
    }
}

#[test]
fn a_reply_of_the_wrong_shape_is_not_judged_fresh() {
    let finding = StaleReads::new("set").check(&recorded("set-read-as-a-number.unknown"));
    assert_eq!(finding.verdict, Verdict::Unknown, "{}", finding.summary);
}

#[test]
fn a_key_whose_replicas_nobody_read_is_unknown() {
    let finding = Convergence::new("set").check(&recorded("set-without-final-reads.unknown"));
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(finding.summary.contains("no replica was read"), "{}", finding.summary);
}

#[test]
fn too_few_faults_are_unknown() {
    let history = recorded("faults-with-evidence.valid");
    assert_eq!(Faults::new().at_least(1).check(&history).verdict, Verdict::Valid);
    let finding = Faults::new().at_least(2).check(&history);
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert!(finding.summary.contains("1 applied where at least 2"), "{}", finding.summary);
}

#[test]
fn a_keyspace_nobody_was_served_in_is_unknown() {
    let history = recorded("register-in-order.valid");
    assert_eq!(Activity::new("register").check(&history).verdict, Verdict::Valid);
    assert_eq!(Activity::new("set").check(&history).verdict, Verdict::Unknown);
}

#[test]
fn what_may_have_done_anything_leaves_a_key_unknown() {
    let history = recorded("register-unknown-function.unknown");
    let judges: [Box<dyn Checker>; 3] = [
        Box::new(Linearizability::register("register")),
        Box::new(StaleReads::new("register")),
        Box::new(LostWrites::new("register")),
    ];
    for finding in check_all(&history, &judges) {
        assert_eq!(finding.verdict, Verdict::Unknown, "{finding:?}");
        assert!(finding.summary.contains("what cas does is unknown"), "{finding:?}");
    }
}

#[test]
fn stale_reads_are_counted_and_their_lateness_measured() {
    let history = recorded("register-stale-read.invalid");
    let finding = StaleReads::new("register").check(&history);
    assert_eq!(finding.verdict, Verdict::Invalid);
    assert_eq!(finding.anomalies[0].name, "stale read");
    // The write was acknowledged at 4 ms, the read began at 5 ms.
    assert!(
        finding.summary.starts_with("1 of 1 read stale, the latest by 1.000 ms"),
        "{finding:?}"
    );
    let initial = recorded("register-nil-after-write.invalid");
    assert_eq!(StaleReads::new("register").check(&initial).verdict, Verdict::Invalid);
    let twin = recorded("register-read-during-write.valid");
    assert_eq!(StaleReads::new("register").check(&twin).verdict, Verdict::Valid);
}

#[test]
fn a_stale_read_is_told_alike_by_both_its_judges() {
    for name in
        ["register-stale-read.invalid", "register-stale-read-seen-before-overwritten.invalid"]
    {
        let history = recorded(name);
        let weak = StaleReads::new("register").check(&history).anomalies;
        assert_eq!(weak, Linearizability::register("register").check(&history).anomalies, "{name}");
    }
}

#[test]
fn whatever_is_linearizable_has_no_stale_read() {
    let mut stale = 0;
    for seed in 0..3_000 {
        let registers = [true, false].map(|unique| Shape::Register { unique });
        for shape in registers.into_iter().chain([Shape::Erased]) {
            let lies = if seed % 2 == 0 { 0 } else { 300 };
            let plan =
                Plan { shape, key: "r:1", operations: 8, clients: 3, info: 100, fail: 100, lies };
            let history = history(plan, &mut rng(seed));
            let strict = Linearizability::register("r").check(&history);
            let weak = StaleReads::new("r").check(&history);
            if weak.verdict == Verdict::Invalid {
                stale += 1;
                assert_eq!(strict.verdict, Verdict::Invalid, "seed {seed}: {weak:#?}");
            }
        }
    }
    assert!(stale > 500, "only {stale} histories with a stale read");
}
