//! Replicas that become equal although nobody reads.

use store::resp::Reply;

use super::fleet::{Fleet, version_and_values};

/// One replica is enough to write, and no hint is ever kept.
const ALONE: &str = "keyspaces: { l: { policy: lww, n: 3, r: 1, w: 1 }, \
     s: { policy: siblings, n: 3, r: 1, w: 1 } }\nlimits: { hint-bytes: 0 }";

#[tokio::test]
async fn anti_entropy_alone_makes_replicas_equal_in_both_directions() {
    let mut fleet = Fleet::start(3, ALONE).await;
    fleet.stop(3).await;
    for i in 0..100 {
        for key in [format!("l:{i}"), format!("s:{i}")] {
            let reply = fleet.ask(1, &["SET", &key, "one"]).await;
            assert_eq!(reply, Reply::OK, "{key}");
        }
    }
    fleet.until_info(1, "hints_dropped", "200").await;
    fleet.stop(1).await;
    fleet.stop(2).await;
    fleet.begin(3).await;
    for i in 50..150 {
        for key in [format!("l:{i}"), format!("s:{i}")] {
            let reply = fleet.ask(3, &["SET", &key, "three"]).await;
            assert_eq!(reply, Reply::OK, "{key}");
        }
    }
    fleet.begin(1).await;
    fleet.begin(2).await;
    fleet.until_equal(&[1, 2, 3]).await;
    for node in 1..=3 {
        let replica =
            async |key: &str| version_and_values(fleet.ask(node, &["KV.REPLICA", key]).await).1;
        assert_eq!(replica("l:7").await, ["one"], "n{node}");
        assert_eq!(replica("l:77").await, ["three"], "n{node}: the later one");
        assert_eq!(replica("l:107").await, ["three"], "n{node}");
        assert_eq!(replica("s:77").await, ["one", "three"], "n{node}: both, nobody merged them");
        assert_eq!(fleet.count(node, "quorum_reads").await, 0, "n{node}: nobody read");
        assert_eq!(fleet.count(node, "hints_pending").await, 0, "n{node}");
    }
}
