//! Concurrent writers of a siblings keyspace.

use store::resp::Reply;

use super::fleet::{Fleet, MAJORITIES, assert_error, text, version_and_values};

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
