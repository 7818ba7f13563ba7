//! Concurrent writers of a siblings keyspace.

use store::resp::Reply;

use super::fleet::{Fleet, MAJORITIES, assert_error, eventually, text, version_and_values};

#[tokio::test]
async fn two_concurrent_writers_both_survive_until_a_client_merges_them() {
    let fleet = Fleet::start(5, MAJORITIES).await;
    let (primaries, others) = fleet.primaries("s:k").await;
    let (one, two) = tokio::join!(
        fleet.ask(primaries[0], &["KV.PUT", "s:k", "a"]),
        fleet.ask(others[0], &["KV.PUT", "s:k", "b"]),
    );
    let _ = (text(one), text(two));
    let (context, values) = version_and_values(fleet.ask(others[1], &["KV.GET", "s:k"]).await);
    assert_eq!(values, ["a", "b"]);
    let merged = fleet.ask(others[0], &["KV.PUT", "s:k", "ab", "CONTEXT", &context]).await;
    let (context, values) = version_and_values(fleet.ask(primaries[1], &["KV.GET", "s:k"]).await);
    assert_eq!((context, values), (text(merged), vec!["ab".to_owned()]));
}

#[tokio::test]
async fn no_add_of_many_concurrent_clients_is_lost() {
    let fleet = Fleet::start(5, MAJORITIES).await;
    let clients = (0..10).map(|client| {
        let fleet = &fleet;
        async move {
            for add in 0..10 {
                let node = 1 + (client + add) % 5;
                let read = fleet.ask(node, &["KV.GET", "s:set"]).await;
                let (context, siblings) = version_and_values(read);
                let mut set: Vec<String> = siblings
                    .iter()
                    .flat_map(|sibling| sibling.split(',').map(str::to_owned))
                    .filter(|element| !element.is_empty())
                    .collect();
                set.push(format!("{client}.{add}"));
                set.sort();
                set.dedup();
                let put = ["KV.PUT", "s:set", &set.join(","), "CONTEXT", &context];
                let reply = fleet.ask(1 + (node + 1) % 5, &put).await;
                assert!(matches!(reply, Reply::Bulk(_)), "{reply:?}");
            }
        }
    });
    futures_util::future::join_all(clients).await;
    let (_, siblings) = version_and_values(fleet.ask(1, &["KV.GET", "s:set"]).await);
    let set: std::collections::BTreeSet<&str> =
        siblings.iter().flat_map(|sibling| sibling.split(',')).collect();
    assert_eq!(set.len(), 100, "{set:?}");
}

#[tokio::test]
async fn a_context_of_another_key_removes_nothing() {
    let fleet = Fleet::start(3, MAJORITIES).await;
    for value in ["1", "2", "3"] {
        fleet.ask(1, &["KV.PUT", "s:busy", value]).await;
    }
    let (context, _) = version_and_values(fleet.ask(1, &["KV.GET", "s:busy"]).await);
    fleet.ask(1, &["KV.PUT", "s:k", "unseen"]).await;
    let reply = fleet.ask(1, &["KV.PUT", "s:k", "v", "CONTEXT", &context]).await;
    assert_error(&reply, "ERR the context is damaged, or of another key");
    let (_, values) = version_and_values(fleet.ask(1, &["KV.GET", "s:k"]).await);
    assert_eq!(values, ["unseen"]);
}

#[tokio::test]
async fn a_delete_removes_what_its_context_saw_and_nothing_else() {
    let fleet = Fleet::start(3, MAJORITIES).await;
    let seen = text(fleet.ask(1, &["KV.PUT", "s:k", "seen"]).await);
    fleet.ask(2, &["KV.PUT", "s:k", "unseen"]).await;
    fleet.ask(3, &["KV.DEL", "s:k", "CONTEXT", &seen]).await;
    let (_, values) = version_and_values(fleet.ask(1, &["KV.GET", "s:k"]).await);
    assert_eq!(values, ["unseen"]);
}

/// What a refused writer is told to do, and that it may: nothing was written, no dot was given.
#[tokio::test]
async fn one_sibling_too_many_is_refused_wherever_it_is_asked_and_a_merge_is_not() {
    let few = "keyspaces: { s: { policy: siblings, n: 3, r: 2, w: 3, max-siblings: 3 } }";
    let fleet = Fleet::start(5, few).await;
    let (primaries, others) = fleet.primaries("s:k").await;
    for value in ["a", "b", "c"] {
        let _ = text(fleet.ask(primaries[0], &["KV.PUT", "s:k", value]).await);
    }
    let before = copies(&fleet, &primaries).await;
    for node in [primaries[0], primaries[1], others[0]] {
        for write in [&["KV.PUT", "s:k", "d"][..], &["KV.DEL", "s:k"], &["SET", "s:k", "d"]] {
            let refused = fleet.ask(node, write).await;
            let told = "TOOBIG the siblings of this key are 3, and its keyspace allows 3; read them \
                        all and write back their merge, with the context of that read";
            assert_error(&refused, told);
        }
    }
    assert_eq!(copies(&fleet, &primaries).await, before);
    let (context, values) = version_and_values(fleet.ask(others[0], &["KV.GET", "s:k"]).await);
    assert_eq!(values, ["a", "b", "c"]);
    let merge = ["KV.PUT", "s:k", "abc", "CONTEXT", &context];
    let _ = text(fleet.ask(others[0], &merge).await);
    let _ = text(fleet.ask(primaries[1], &["KV.PUT", "s:k", "d"]).await);
    let (_, values) = version_and_values(fleet.ask(others[1], &["KV.GET", "s:k"]).await);
    assert_eq!(values, ["abc", "d"]);
}

#[tokio::test]
async fn what_both_sides_of_a_cut_acknowledged_is_kept_also_where_it_is_too_many() {
    let few = "keyspaces: { s: { policy: siblings, n: 2, r: 1, w: 1, max-siblings: 2 } }";
    let fleet = Fleet::start(2, few).await;
    fleet.cut_off(1, true);
    for (node, value) in [(1, "a"), (1, "b"), (2, "c"), (2, "d")] {
        let _ = text(fleet.ask(node, &["KV.PUT", "s:k", value]).await);
    }
    fleet.cut_off(1, false);
    for node in [1, 2] {
        let all = |reply: &Reply| version_and_values(reply.clone()).1 == ["a", "b", "c", "d"];
        fleet.until(node, &["KV.REPLICA", "s:k"], all).await;
        let refused = fleet.ask(node, &["KV.PUT", "s:k", "e"]).await;
        assert_error(&refused, "TOOBIG the siblings of this key are 4, and its keyspace allows 2;");
    }
    let (context, _) = version_and_values(fleet.ask(2, &["KV.GET", "s:k"]).await);
    let _ = text(fleet.ask(1, &["KV.PUT", "s:k", "abcd", "CONTEXT", &context]).await);
    let (_, values) = version_and_values(fleet.ask(1, &["KV.GET", "s:k"]).await);
    assert_eq!(values, ["abcd"]);
}

#[tokio::test]
async fn of_two_clients_of_one_coordinator_server_vectors_lose_the_first_and_dots_neither() {
    let lessons = "keyspaces: { s: { policy: siblings, n: 3, r: 2, w: 3 }, \
                   v: { policy: siblings, n: 3, r: 2, w: 3, causality: server-vector } }";
    let fleet = Fleet::start(3, lessons).await;
    for (keyspace, kept) in [("s", &["ada", "bob"][..]), ("v", &["bob"])] {
        let key = format!("{keyspace}:k");
        for value in ["ada", "bob"] {
            // Both are acknowledged, by all three replicas.
            let _ = text(fleet.ask(1, &["KV.PUT", &key, value]).await);
        }
        for node in 1..=3 {
            let (_, values) = version_and_values(fleet.ask(node, &["KV.GET", &key]).await);
            assert_eq!(values, kept, "{key} at n{node}");
        }
    }
    // Who reads first, and writes what it read with it, loses nothing to itself.
    let (context, _) = version_and_values(fleet.ask(2, &["KV.GET", "v:k"]).await);
    let _ = text(fleet.ask(3, &["KV.PUT", "v:k", "bob+ada", "CONTEXT", &context]).await);
    let (_, values) = version_and_values(fleet.ask(1, &["KV.GET", "v:k"]).await);
    assert_eq!(values, ["bob+ada"]);
    assert_eq!(fleet.ask(1, &["DEL", "v:k"]).await, Reply::Integer(1));
    let (_, values) = version_and_values(fleet.ask(2, &["KV.GET", "v:k"]).await);
    assert!(values.is_empty(), "{values:?}");
}

/// One client, one write after the other, and two pairs a vector: the first version is back as a
/// sibling of the last as soon as a replica that had missed the others is heard of again.
#[tokio::test]
async fn a_dropped_pair_brings_an_ancestor_back() {
    let short = "keyspaces: { v: { policy: siblings, n: 3, r: 1, w: 1, causality: server-vector, \
                 vector-limit: 1 } }";
    let fleet = Fleet::start(3, short).await;
    let _ = text(fleet.ask(1, &["KV.PUT", "v:k", "D1"]).await);
    for node in 1..=3 {
        let first = |reply: &Reply| version_and_values(reply.clone()).1 == ["D1"];
        fleet.until(node, &["KV.REPLICA", "v:k"], first).await;
    }
    fleet.cut_off(3, true);
    let (context, _) = version_and_values(fleet.ask(1, &["KV.GET", "v:k"]).await);
    let _ = text(fleet.ask(2, &["KV.PUT", "v:k", "D2", "CONTEXT", &context]).await);
    fleet.cut_off(3, false);
    for node in 1..=3 {
        let both = |reply: &Reply| version_and_values(reply.clone()).1 == ["D1", "D2"];
        fleet.until(node, &["KV.REPLICA", "v:k"], both).await;
    }
    fleet.until_equal(&[1, 2, 3]).await;
}

/// What each of `nodes` holds of `s:k`, once they hold the same.
async fn copies(fleet: &Fleet, nodes: &[usize]) -> Vec<(String, Vec<String>)> {
    eventually("equal copies", async || {
        let mut copies = Vec::new();
        for &node in nodes {
            copies.push(version_and_values(fleet.ask(node, &["KV.REPLICA", "s:k"]).await));
        }
        if copies.iter().all(|copy| *copy == copies[0]) { Ok(copies) } else { Err(copies) }
    })
    .await
}
