//! Repair when a client asks for it: what it does, what it says, and when it is an error.

use std::collections::BTreeMap;

use store::resp::Reply;

use super::fleet::{Fleet, array, assert_error, version_and_values};

/// One replica is enough to write, and no hint is ever kept.
const ALONE: &str =
    "keyspaces: { l: { policy: lww, n: 3, r: 1, w: 1 } }\nlimits: { hint-bytes: 0 }";

/// The counts for each node; clients of the second protocol get maps as flat arrays.
fn counts(reply: Reply) -> BTreeMap<String, BTreeMap<String, i64>> {
    let name = |reply: &Reply| match reply {
        Reply::Bulk(name) => String::from_utf8(name.to_vec()).unwrap(),
        other => panic!("{other:?} is no name"),
    };
    let number = |reply: &Reply| match reply {
        Reply::Integer(count) => *count,
        other => panic!("{other:?} is no count"),
    };
    let nodes = array(reply);
    let nodes = nodes.chunks(2).map(|node| {
        let counts = array(node[1].clone());
        let counts = counts.chunks(2).map(|pair| (name(&pair[0]), number(&pair[1]))).collect();
        (name(&node[0]), counts)
    });
    nodes.collect()
}

async fn write(fleet: &Fleet, node: usize, keys: std::ops::Range<usize>) {
    for i in keys {
        let reply = fleet.ask(node, &["SET", &format!("l:{i}"), "v"]).await;
        assert_eq!(reply, Reply::OK, "l:{i}");
    }
}

#[tokio::test]
async fn a_repair_is_done_when_it_replies_and_says_what_it_did() {
    let mut fleet = Fleet::start(3, ALONE).await;
    write(&fleet, 1, 0..200).await;
    fleet.until_equal(&[1, 2, 3]).await;
    fleet.stop(2).await;
    fleet.stop(3).await;
    write(&fleet, 1, 200..210).await;
    fleet.begin(2).await;
    fleet.until_info(1, "nodes_connected", "1").await;
    let done = counts(fleet.ask(1, &["KV.REPAIR", "n2"]).await);
    assert_eq!(done.keys().collect::<Vec<_>>(), ["n2"]);
    assert_eq!(done["n2"]["refused"], 0);
    for i in 0..210 {
        let own = fleet.ask(2, &["KV.REPLICA", &format!("l:{i}")]).await;
        assert_eq!(version_and_values(own).1, ["v"], "l:{i} is there, without waiting");
    }
    let exchanged = fleet.count(2, "exchange_received_bytes").await;
    assert!(exchanged > 10 * 30, "ten records of 30 bytes and more: {exchanged}");
    fleet.begin(3).await;
    fleet.until_info(2, "nodes_connected", "2").await;
    fleet.until_equal(&[1, 2, 3]).await;
    let again = counts(fleet.ask(2, &["KV.REPAIR"]).await);
    assert_eq!(again.keys().collect::<Vec<_>>(), ["n1", "n3"], "every other replica");
    let idle = &again["n1"];
    assert_eq!([idle["differing"], idle["listed"], idle["sent"], idle["received"]], [0; 4]);
    assert!(idle["received_bytes"] > 0, "the roots travelled");
}

#[tokio::test]
async fn a_repair_names_whom_it_could_not_reach() {
    let mut fleet = Fleet::start(3, ALONE).await;
    fleet.stop(3).await;
    fleet.until_info(1, "nodes_connected", "1").await;
    assert_error(&fleet.ask(1, &["KV.REPAIR"]).await, "UNREPAIRED n3: not connected");
    assert_error(&fleet.ask(1, &["KV.REPAIR", "n3"]).await, "UNREPAIRED n3: not connected");
    assert!(counts(fleet.ask(1, &["KV.REPAIR", "n2"]).await).contains_key("n2"));
    for nobody in ["n1", "n9", ""] {
        let reply = fleet.ask(1, &["KV.REPAIR", nobody]).await;
        assert_error(&reply, &format!("ERR no other replica is called '{nobody}'"));
    }
}
