//! Nodes that go and come back: hints, restarts, lost disks.

use store::resp::Reply;

use super::fleet::{Fleet, MAJORITIES, assert_error, bulk, eventually, version_and_values};

const KEYS: [&str; 6] = ["r:1", "r:2", "s:1", "s:2", "l:1", "l:2"];

async fn own_values(fleet: &Fleet, node: usize, key: &str) -> Vec<String> {
    version_and_values(fleet.ask(node, &["KV.REPLICA", key]).await).1
}

#[tokio::test]
async fn hints_are_brought_to_their_owner_when_it_returns() {
    let mut fleet = Fleet::start(3, MAJORITIES).await;
    fleet.stop(3).await;
    for key in KEYS {
        assert_eq!(fleet.ask(1, &["SET", key, "v"]).await, Reply::OK, "{key}");
    }
    fleet.until_info(1, "hints_pending", "6").await;
    fleet.begin(3).await;
    fleet.until_info(1, "hints_pending", "0").await;
    assert_eq!(fleet.count(1, "hints_replayed").await, 6);
    for key in KEYS {
        assert_eq!(own_values(&fleet, 3, key).await, ["v"], "{key}");
    }
    fleet.until_equal(&[1, 2, 3]).await;
}

#[tokio::test]
async fn who_missed_a_write_that_failed_has_a_hint_too() {
    let mut fleet = Fleet::start(3, MAJORITIES).await;
    fleet.stop(2).await;
    fleet.stop(3).await;
    assert_error(&fleet.ask(1, &["SET", "l:1", "v"]).await, "UNCERTAIN");
    fleet.until_info(1, "hints_pending", "2").await;
    fleet.begin(2).await;
    fleet.begin(3).await;
    fleet.until_info(1, "hints_replayed", "2").await;
    for node in [2, 3] {
        assert_eq!(own_values(&fleet, node, "l:1").await, ["v"], "n{node}");
    }
}

#[tokio::test]
async fn a_read_mends_the_replica_it_found_behind() {
    let lines = format!("{MAJORITIES}\nlimits: {{ hint-bytes: 0 }}");
    let mut fleet = Fleet::start(3, &lines).await;
    // Anti-entropy may be there first; then another key is tried.
    let mut key = 0;
    eventually("a read repair", async || {
        key += 1;
        let key = format!("l:{key}");
        fleet.stop(3).await;
        assert_eq!(fleet.ask(1, &["SET", &key, "v"]).await, Reply::OK);
        fleet.begin(3).await;
        fleet.until_info(1, "nodes_connected", "2").await;
        // Of all, for one who is spared is not mended.
        let read = fleet.ask(1, &["KV.GET", &key, "R", "ALL"]).await;
        assert!(matches!(read, Reply::Array(_)), "{read:?}");
        fleet.until_info(1, "late_tasks", "0").await;
        let repairs = fleet.count(1, "read_repairs").await;
        if repairs > 0 { Ok(()) } else { Err(key) }
    })
    .await;
}

#[tokio::test]
async fn hints_outlive_the_node_that_keeps_them() {
    let mut fleet = Fleet::start(3, MAJORITIES).await;
    fleet.stop(3).await;
    for key in KEYS {
        assert_eq!(fleet.ask(1, &["SET", key, "v"]).await, Reply::OK, "{key}");
    }
    fleet.until_info(1, "hints_pending", "6").await;
    fleet.stop(1).await;
    fleet.begin(1).await;
    fleet.until_info(1, "hints_pending", "6").await;
    fleet.begin(3).await;
    fleet.until_info(1, "hints_pending", "0").await;
    assert_eq!(fleet.count(1, "hints_replayed").await, 6);
}

#[tokio::test]
async fn a_cluster_started_again_holds_all_it_acknowledged() {
    let mut fleet = Fleet::start(3, MAJORITIES).await;
    for key in KEYS {
        assert_eq!(fleet.ask(1, &["SET", key, "v"]).await, Reply::OK, "{key}");
    }
    for node in 1..=3 {
        fleet.stop(node).await;
    }
    for node in 1..=3 {
        fleet.begin(node).await;
    }
    fleet.until_info(2, "nodes_connected", "2").await;
    for key in KEYS {
        assert_eq!(fleet.ask(2, &["GET", key]).await, bulk("v"), "{key}");
        assert_eq!(fleet.ask(2, &["SET", key, "w"]).await, Reply::OK, "{key}");
    }
    for key in ["r:1", "l:1"] {
        assert_eq!(fleet.ask(2, &["GET", key]).await, bulk("w"), "a new boot writes above the old");
    }
    let (_, values) = version_and_values(fleet.ask(2, &["KV.GET", "s:1"]).await);
    assert_eq!(values, ["v", "w"], "a blind write gives a fresh dot");
}

#[tokio::test]
async fn a_node_that_lost_its_disk_is_up_again_and_is_filled() {
    let mut fleet = Fleet::start(3, MAJORITIES).await;
    for key in KEYS {
        assert_eq!(fleet.ask(1, &["SET", key, "v"]).await, Reply::OK, "{key}");
    }
    fleet.until_equal(&[1, 2, 3]).await;
    fleet.stop(3).await;
    fleet.until_info(1, "nodes_down", "1").await;
    fleet.wipe(3);
    fleet.begin(3).await;
    fleet.until_info(1, "nodes_down", "0").await;
    fleet.until_equal(&[1, 2, 3]).await;
    for key in KEYS {
        assert_eq!(own_values(&fleet, 3, key).await, ["v"], "{key}");
    }
}

#[tokio::test]
async fn who_lost_its_disk_answers_no_read_before_it_has_compared_with_all_others() {
    let mut fleet = Fleet::start(3, MAJORITIES).await;
    fleet.cut_off(3, true);
    for key in KEYS {
        assert_eq!(fleet.ask(1, &["SET", key, "v"]).await, Reply::OK, "{key}");
    }
    fleet.stop(1).await;
    fleet.wipe(1);
    fleet.stop(2).await;
    fleet.cut_off(3, false);
    fleet.begin(1).await;
    for node in [1, 3] {
        fleet.until_info(node, "nodes_connected", "1").await;
    }
    // Two of three are up, and neither has what was acknowledged: one has forgotten, and knows it may.
    fleet.until_info(1, "catching_up", "1").await;
    for key in KEYS {
        let reply = fleet.ask(3, &["GET", key]).await;
        assert_error(&reply, "UNAVAILABLE");
        assert!(format!("{reply:?}").contains("n1: CATCHINGUP"), "{reply:?}");
    }
    fleet.begin(2).await;
    fleet.until_info(1, "catching_up", "0").await;
    fleet.stop(2).await;
    for key in KEYS {
        assert_eq!(fleet.ask(3, &["GET", key]).await, bulk("v"), "{key}");
    }
    fleet.stop(1).await;
    fleet.begin(1).await;
    assert_eq!(fleet.count(1, "catching_up").await, 0, "its directory remembers");
}
