//! Wires that go silent, and come back.

use store::resp::Reply;

use super::fleet::{Fleet, MAJORITIES, assert_error, bulk, eventually, version_and_values};

#[tokio::test]
async fn a_node_cut_off_answers_nothing_stale_and_talks_again_when_healed() {
    let fleet = Fleet::start(3, MAJORITIES).await;
    assert_eq!(fleet.ask(1, &["SET", "r:k", "before"]).await, Reply::OK);
    fleet.cut_off(1, true);
    let write = fleet.ask(1, &["SET", "r:k", "lost"]).await;
    assert_error(&write, "UNAVAILABLE read needs 2 of 3, 1 replied: n1");
    assert_error(&fleet.ask(1, &["GET", "r:k"]).await, "UNAVAILABLE");
    assert_eq!(fleet.ask(2, &["SET", "r:k", "after"]).await, Reply::OK);
    assert_error(&fleet.ask(1, &["SET", "l:k", "own"]).await, "UNCERTAIN");
    for node in [2, 3] {
        fleet.until_info(node, "nodes_down_list", "n1").await;
    }
    fleet.until_info(1, "nodes_connected", "0").await;
    fleet.cut_off(1, false);
    eventually("n1 to read what was written without it", async || {
        match fleet.ask(1, &["GET", "r:k"]).await {
            reply if reply == bulk("after") => Ok(()),
            reply => {
                assert_error(&reply, "UNAVAILABLE");
                Err(reply)
            }
        }
    })
    .await;
    for node in 1..=3 {
        fleet.until_info(node, "nodes_down", "0").await;
        fleet.until_info(node, "hints_pending", "0").await;
    }
    fleet.until_equal(&[1, 2, 3]).await;
}

#[tokio::test]
async fn no_read_of_a_register_goes_back_while_wires_come_and_go() {
    let fleet = Fleet::start(3, MAJORITIES).await;
    let mut acknowledged = None;
    for round in 0..12 {
        let away = 1 + round % 3;
        fleet.cut_off(away, true);
        for step in 0..6 {
            let value = round * 6 + step;
            let (writer, reader) = (1 + (round + step) % 3, 1 + (round + 2 * step) % 3);
            // One that failed may still have happened, so a read may find anything after the last
            // that was acknowledged; and once it was read, nothing before it.
            if fleet.ask(writer, &["SET", "r:k", &value.to_string()]).await == Reply::OK {
                acknowledged = Some(value);
            }
            if let Reply::Bulk(read) = fleet.ask(reader, &["GET", "r:k"]).await {
                let read: Option<usize> = std::str::from_utf8(&read).unwrap().parse().ok();
                assert!(
                    read >= acknowledged,
                    "read {read:?} after {acknowledged:?}, round {round}"
                );
                acknowledged = read;
            }
        }
        fleet.cut_off(away, false);
    }
    assert!(acknowledged > Some(0), "the majority made progress");
}

#[tokio::test]
async fn a_sibling_update_lost_on_its_way_is_uncertain_and_made_at_most_once() {
    let fleet = Fleet::start(5, MAJORITIES).await;
    let (primaries, others) = fleet.primaries("s:k").await;
    fleet.cut_off(others[0], true);
    let reply = fleet.ask(others[0], &["KV.PUT", "s:k", "v"]).await;
    assert_error(&reply, "UNCERTAIN write needs 2 of 3, 0 acknowledged; refused: n");
    fleet.cut_off(others[0], false);
    fleet.until_info(others[0], "nodes_connected", "4").await;
    fleet.until_equal(&primaries).await;
    let (_, values) = version_and_values(fleet.ask(others[1], &["KV.GET", "s:k"]).await);
    assert!(values.len() <= 1, "{values:?}");
}
