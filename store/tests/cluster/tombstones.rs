//! Deleted keys: their tombstones stay as long as anybody might need them, and go.

use store::resp::Reply;

use super::fleet::{Fleet, MAJORITIES, bulk, eventually, version_and_values};

/// A register and siblings; `lww` goes by the clock, and its tombstones with the others.
const KEYS: [&str; 3] = ["r:1", "s:1", "l:1"];

fn reaping_often() -> String {
    format!("{MAJORITIES}\nlimits: {{ reap-every-ms: 50 }}")
}

async fn until_no_tombstones(fleet: &Fleet) {
    for node in 1..=3 {
        fleet.until_info(node, "tombstones", "0").await;
    }
}

async fn version(fleet: &Fleet, node: usize, key: &str) -> String {
    version_and_values(fleet.ask(node, &["KV.REPLICA", key]).await).0
}

/// The first counter in a version: of a tag, or of the first actor's dots.
fn counter(version: &str) -> u64 {
    let text = version.strip_prefix("tag=").map(|tag| tag.split('/').next().unwrap());
    let text = text.or_else(|| version.split(':').nth(1)?.split('(').next());
    text.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no counter in {version}"))
}

#[tokio::test]
async fn a_tombstone_that_all_replicas_have_is_forgotten_and_counters_go_on_above_it() {
    let mut fleet = Fleet::start(3, &reaping_often()).await;
    for key in KEYS {
        for value in ["a", "b", "c"] {
            assert_eq!(fleet.ask(1, &["SET", key, value]).await, Reply::OK, "{key}");
        }
    }
    let before = [version(&fleet, 1, "r:1").await, version(&fleet, 1, "s:1").await];
    for key in KEYS {
        assert_eq!(fleet.ask(2, &["DEL", key]).await, Reply::Integer(1), "{key}");
    }
    until_no_tombstones(&fleet).await;
    assert!(fleet.count(1, "tombstones_reaped").await >= 3);
    for key in KEYS {
        assert_eq!(version(&fleet, 1, key).await, "", "{key}: nothing is held");
        assert_eq!(fleet.ask(3, &["GET", key]).await, Reply::Nil, "{key}");
    }
    // A restart remembers how high counters went, also of keys of which nothing is left.
    for node in 1..=3 {
        fleet.stop(node).await;
        fleet.begin(node).await;
    }
    for key in KEYS {
        fleet.until(1, &["SET", key, "new"], |reply| *reply == Reply::OK).await;
        assert_eq!(fleet.ask(3, &["GET", key]).await, bulk("new"), "{key}");
    }
    let after = [version(&fleet, 1, "r:1").await, version(&fleet, 1, "s:1").await];
    for (before, after) in before.iter().zip(&after) {
        assert!(counter(after) > counter(before), "{before}, then {after}");
    }
    fleet.until_equal(&[1, 2, 3]).await;
}

#[tokio::test]
async fn while_a_replica_is_away_tombstones_stay_and_what_it_held_never_comes_back() {
    let mut fleet = Fleet::start(3, &reaping_often()).await;
    for key in KEYS {
        assert_eq!(fleet.ask(1, &["SET", key, "old"]).await, Reply::OK, "{key}");
    }
    fleet.until_equal(&[1, 2, 3]).await;
    fleet.stop(3).await;
    for key in KEYS {
        assert_eq!(fleet.ask(1, &["DEL", key]).await, Reply::Integer(1), "{key}");
    }
    let failures = fleet.count(1, "reaping_failures").await;
    eventually("rounds that fail", async || {
        let tried = fleet.count(1, "reaping_failures").await;
        if tried > failures + 3 { Ok(()) } else { Err(tried) }
    })
    .await;
    for node in [1, 2] {
        assert_eq!(fleet.count(node, "tombstones").await, 3, "n{node}");
    }
    fleet.begin(3).await;
    until_no_tombstones(&fleet).await;
    fleet.until_equal(&[1, 2, 3]).await;
    for key in KEYS {
        for node in 1..=3 {
            assert_eq!(version(&fleet, node, key).await, "", "{key} at n{node}");
            assert_eq!(fleet.ask(node, &["GET", key]).await, Reply::Nil, "{key} at n{node}");
        }
    }
}

#[tokio::test]
async fn what_a_node_that_is_away_keeps_for_another_keeps_tombstones() {
    let mut fleet = Fleet::start(4, &reaping_often()).await;
    let (primaries, others) = fleet.primaries("r:1").await;
    assert_eq!(fleet.ask(primaries[0], &["SET", "r:1", "old"]).await, Reply::OK);
    // Taken by one that is no replica, and for one that is away.
    let (away, taker) = (primaries[2], others[0]);
    fleet.stop(away).await;
    assert_eq!(fleet.ask(taker, &["SET", "r:1", "older"]).await, Reply::OK);
    fleet.until_info(taker, "hints_pending", "1").await;
    assert_eq!(fleet.ask(primaries[0], &["DEL", "r:1"]).await, Reply::Integer(1));
    fleet.stop(taker).await;
    fleet.begin(away).await;
    fleet.until_equal(&primaries).await;
    for &node in &primaries {
        assert_eq!(fleet.count(node, "tombstones").await, 1, "n{node}");
    }
    fleet.begin(taker).await;
    for &node in &primaries {
        fleet.until_info(node, "tombstones", "0").await;
        assert_eq!(fleet.ask(node, &["GET", "r:1"]).await, Reply::Nil, "n{node}");
    }
}
