//! Reads and writes with a quorum, and what is said without one.

use bytes::Bytes;
use store::peer::CallError;
use store::peer::message::{Answer, Ask, ReplicaRead, ReplicaUpdate};
use store::resp::Reply;

use super::fleet::{Fleet, MAJORITIES, assert_error, bulk, version_and_values};

#[tokio::test]
async fn a_register_written_through_any_coordinator_is_read_newest_through_any() {
    for count in [3, 5] {
        let fleet = Fleet::start(count, MAJORITIES).await;
        for round in 0..40 {
            let (writer, reader) = (1 + round % count, 1 + (round * 3 + 1) % count);
            let value = round.to_string();
            assert_eq!(fleet.ask(writer, &["SET", "r:k", &value]).await, Reply::OK);
            assert_eq!(fleet.ask(reader, &["GET", "r:k"]).await, bulk(&value), "round {round}");
        }
    }
}

#[tokio::test]
async fn every_policy_reads_back_what_was_written() {
    let fleet = Fleet::start(5, MAJORITIES).await;
    for keyspace in ["r", "s", "l"] {
        for i in 0..10 {
            let key = format!("{keyspace}:{i}");
            let (writer, reader) = (1 + i % 5, 1 + (i + 2) % 5);
            assert_eq!(fleet.ask(reader, &["GET", &key]).await, Reply::Nil, "{key}");
            assert_eq!(fleet.ask(writer, &["SET", &key, "v"]).await, Reply::OK, "{key}");
            assert_eq!(fleet.ask(reader, &["GET", &key]).await, bulk("v"), "{key}");
            let (_, values) = version_and_values(fleet.ask(reader, &["KV.GET", &key]).await);
            assert_eq!(values, ["v"], "{key}");
        }
    }
}

#[tokio::test]
async fn keys_are_counted_and_deleted_as_in_redis() {
    let fleet = Fleet::start(3, MAJORITIES).await;
    for keyspace in ["r", "s", "l"] {
        let [a, b, c] = ["a", "b", "c"].map(|name| format!("{keyspace}:{name}"));
        assert_eq!(fleet.ask(1, &["MSET", &a, "1", &b, "2"]).await, Reply::OK);
        let held = Reply::Array(vec![bulk("1"), Reply::Nil, bulk("2")]);
        assert_eq!(fleet.ask(2, &["MGET", &a, &c, &b]).await, held);
        assert_eq!(fleet.ask(3, &["EXISTS", &a, &a, &c]).await, Reply::Integer(2));
        assert_eq!(fleet.ask(1, &["DEL", &a, &c]).await, Reply::Integer(1));
        assert_eq!(fleet.ask(2, &["DEL", &a]).await, Reply::Integer(0), "it is gone");
        assert_eq!(
            fleet.ask(3, &["MGET", &a, &b]).await,
            Reply::Array(vec![Reply::Nil, bulk("2")])
        );
    }
    fleet.until(1, &["DBSIZE"], |reply| *reply == Reply::Integer(3)).await;
}

#[tokio::test]
async fn with_one_of_three_away_a_majority_still_answers_and_all_do_not() {
    let mut fleet = Fleet::start(3, MAJORITIES).await;
    fleet.stop(3).await;
    for key in ["r:k", "s:k", "l:k"] {
        assert_eq!(fleet.ask(1, &["SET", key, "v"]).await, Reply::OK, "{key}");
        assert_eq!(fleet.ask(2, &["GET", key]).await, bulk("v"), "{key}");
        let all = fleet.ask(1, &["KV.GET", key, "R", "ALL"]).await;
        assert_error(&all, "UNAVAILABLE read needs 3 of 3, ");
        let all = fleet.ask(1, &["KV.PUT", key, "w", "W", "3"]).await;
        assert_error(&all, "UNCERTAIN write needs 3 of 3, ");
    }
}

#[tokio::test]
async fn with_two_of_three_away_an_error_says_whether_anything_was_written() {
    let mut fleet = Fleet::start(3, MAJORITIES).await;
    fleet.stop(2).await;
    fleet.stop(3).await;
    for key in ["r:k", "s:k", "l:k"] {
        assert_error(
            &fleet.ask(1, &["GET", key]).await,
            "UNAVAILABLE read needs 2 of 3, 1 replied",
        );
    }
    assert_error(&fleet.ask(1, &["SET", "r:k", "v"]).await, "UNAVAILABLE read needs 2 of 3");
    let reply = fleet.ask(1, &["SET", "s:k", "v"]).await;
    assert_error(&reply, "UNCERTAIN write needs 2 of 3, 1 acknowledged: n1; refused: ");
    assert_error(&fleet.ask(1, &["SET", "l:k", "v"]).await, "UNCERTAIN write needs 2 of 3, ");
    let count = |reply: Reply| version_and_values(reply).1;
    assert!(count(fleet.ask(1, &["KV.REPLICA", "r:k"]).await).is_empty(), "it was definite");
    assert_eq!(count(fleet.ask(1, &["KV.REPLICA", "s:k"]).await), ["v"], "it was not");
    assert_eq!(fleet.count(1, "quorum_failures").await, 6);
}

#[tokio::test]
async fn with_all_primaries_away_nothing_is_written_and_no_hint_taken() {
    let mut fleet = Fleet::start(5, MAJORITIES).await;
    for key in ["s:k", "l:k"] {
        let (primaries, others) = fleet.primaries(key).await;
        assert_eq!((primaries.len(), others.len()), (3, 2));
        for &node in &primaries {
            fleet.stop(node).await;
        }
        for &node in &others {
            fleet.until_info(node, "nodes_connected", "1").await;
            let reply = fleet.ask(node, &["SET", key, "v"]).await;
            assert_error(&reply, "UNAVAILABLE write needs 2 of 3, 0 acknowledged");
            assert_eq!(fleet.count(node, "hints_taken").await, 0, "{key}");
        }
        for &node in &primaries {
            fleet.begin(node).await;
        }
        for &node in &others {
            fleet.until_info(node, "nodes_connected", "4").await;
            fleet.until_info(node, "hints_pending", "0").await;
            assert_eq!(fleet.ask(node, &["GET", key]).await, Reply::Nil, "{key}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_definitely() {
    let fleet = Fleet::start(5, MAJORITIES).await;
    let (primaries, others) = fleet.primaries("r:k").await;
    let refused = fleet.ask(others[0], &["KV.REPLICA", "r:k"]).await;
    assert_error(&refused, "NOTREPLICA the primaries of this key are n");
    let own = version_and_values(fleet.ask(primaries[0], &["KV.REPLICA", "r:k"]).await);
    assert_eq!(own, (String::new(), vec![]));
    let long = "x".repeat(10 << 10);
    assert_error(&fleet.ask(1, &["SET", "r:k", &long]).await, "TOOBIG");
    assert_eq!(
        fleet.ask(1, &["SET", "r:k", &long[3..]]).await,
        Reply::OK,
        "key and value fit exactly"
    );
    assert_error(&fleet.ask(1, &["KV.GET", "r:k", "R", "4"]).await, "ERR");
    assert_error(&fleet.ask(1, &["KV.PUT", "s:k", "v", "CONTEXT", "zz"]).await, "ERR");
}

#[tokio::test]
async fn a_node_takes_no_copy_of_a_key_that_is_not_its_own() {
    let mut fleet = Fleet::start(5, MAJORITIES).await;
    let (primaries, others) = fleet.primaries("s:k").await;
    // We ask in its stead, and of two connections of one node only the newer is read.
    fleet.stop(primaries[0]).await;
    let key = Bytes::from("s:k");
    let update = ReplicaUpdate {
        key: key.clone(),
        context: Bytes::new(),
        value: Some("v".into()),
        w: 1,
        left_ms: 1000,
    };
    let asks = [
        Ask::Read(ReplicaRead { key: key.clone(), known: None, held_for: None }),
        Ask::Update(update),
    ];
    for ask in asks {
        let refused = fleet.ask_as_peer(primaries[0], others[0], ask.clone()).await;
        let expected = format!("NOTREPLICA n{} is no primary of this key", others[0]);
        assert_eq!(refused, Err(CallError::Refused(expected)));
        let taken = fleet.ask_as_peer(primaries[0], primaries[1], ask).await;
        assert!(matches!(taken, Ok(Answer::Record(_) | Answer::Updated(_))), "{taken:?}");
    }
}

#[tokio::test]
async fn a_register_read_replies_only_what_w_replicas_are_known_to_hold() {
    let lines = "keyspaces: { r: { policy: register, n: 3, r: 1, w: 3 } }";
    let mut fleet = Fleet::start(3, lines).await;
    assert_eq!(fleet.ask(1, &["GET", "r:k"]).await, Reply::Nil);
    assert_eq!(fleet.count(1, "write_backs").await, 0, "nothing is held, nothing is to be known");
    assert_eq!(fleet.ask(1, &["SET", "r:k", "v"]).await, Reply::OK);
    assert_eq!(fleet.ask(2, &["GET", "r:k"]).await, bulk("v"));
    assert_eq!(fleet.count(2, "write_backs").await, 1, "one reply does not prove three copies");
    fleet.stop(3).await;
    let reply = fleet.ask(2, &["GET", "r:k"]).await;
    assert_error(&reply, "UNAVAILABLE write needs 3 of 3, ");
}

#[tokio::test]
async fn a_register_read_of_equal_replicas_writes_nothing_back() {
    let fleet = Fleet::start(3, MAJORITIES).await;
    assert_eq!(fleet.ask(1, &["SET", "r:k", "v"]).await, Reply::OK);
    fleet.until_equal(&[1, 2, 3]).await;
    assert_eq!(fleet.ask(2, &["GET", "r:k"]).await, bulk("v"));
    assert_eq!(fleet.count(2, "write_backs").await, 0);
}
