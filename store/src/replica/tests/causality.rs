//! Which writes to siblings are taken, how their versions are told apart, and what is refused at start.

use super::*;

/// What becomes of a write that the engine makes durable as soon as it is handed over.
async fn landed<T>(engine: &Slow, wrote: impl Future<Output = T>) -> T {
    let mut wrote = std::pin::pin!(wrote);
    match futures_util::poll!(&mut wrote) {
        std::task::Poll::Ready(refused) => refused,
        std::task::Poll::Pending => {
            engine.sync();
            wrote.await
        }
    }
}

/// A write by a client who has read nothing.
async fn blind(
    replica: &Replica,
    engine: &Slow,
    text: &'static str,
) -> Result<Record, ReplicaError> {
    let (home, key, context) = (replica.placement.home(b"k"), key(), Context::default());
    let wrote = landed(engine, replica.update(home, &key, &context, Some(value(text)))).await;
    wrote.map(|(record, _)| record)
}

#[tokio::test]
async fn a_refused_write_writes_nothing_and_gives_no_dot() {
    for causality in ["dotted", "server-vector"] {
        let engine = Arc::new(Slow::default());
        let settings = format!("policy: siblings, max-siblings: 1, causality: {causality}");
        let replica = open_with(&engine, &settings).unwrap();
        let key = key();
        let home = replica.placement.home(b"k").clone();
        // Of another server, so that server vectors keep it beside what this one writes.
        let elsewhere = Actor::new("n2".parse().unwrap(), 1);
        let (context, value) = (Context::default(), Some(value("there")));
        let write = Write { context: &context, actor: &elsewhere, floor: 0, wall_micros: 1, value };
        let there = write.over(None, &home.settings, 1 << 20).unwrap().record;
        let joined = landed(&engine, replica.join(&home, &key, there.clone())).await;
        joined.unwrap();
        for _ in 0..3 {
            let refused = blind(&replica, &engine, "here").await.unwrap_err();
            assert!(matches!(refused, ReplicaError::Crowded(_)), "{refused:?}");
            assert_eq!(
                refused.to_string(),
                "TOOBIG the siblings of this key are 1, and its keyspace allows 1; read them all and write \
                 back their merge, with the context of that read"
            );
        }
        assert_eq!(engine.sync(), 0, "nothing was handed over");
        assert_eq!(replica.get(&home, b"k").unwrap(), Some(there.clone()));
        let (seen, merge) = (there.context(), Some(Bytes::from_static(b"merged")));
        let merging = landed(&engine, replica.update(&home, &key, &seen, merge)).await;
        let (merged, _) = merging.unwrap();
        assert_eq!(merged.values(), ["merged"], "{causality}");
        let counter = merged.context().vector().counter(&replica.actor);
        assert_eq!(counter, 1, "{causality}: the first it gave");
    }
}

#[tokio::test]
async fn a_join_is_never_refused_but_the_next_write_is() {
    let engine = Arc::new(Slow::default());
    let replica = open_with(&engine, "policy: siblings, max-siblings: 2").unwrap();
    let key = key();
    let home = replica.placement.home(b"k").clone();
    blind(&replica, &engine, "a").await.unwrap();
    let mut there = Siblings::default();
    for text in ["b", "c", "d"] {
        let elsewhere = Actor::new("n2".parse().unwrap(), 1);
        there.update(&Context::default(), elsewhere, Some(value(text)));
    }
    let joined = landed(&engine, replica.join(&home, &key, Record::Siblings(there))).await;
    joined.unwrap();
    assert_eq!(replica.get(&home, b"k").unwrap().unwrap().values(), ["a", "b", "c", "d"]);
    let refused = blind(&replica, &engine, "e").await;
    assert!(matches!(refused, Err(ReplicaError::Crowded(_))), "{refused:?}");
}

/// The clock is asked only for the times of pairs; whatever it says, versions are ordered alike.
#[tokio::test]
async fn of_two_clients_of_one_server_dots_keep_both_writes_and_server_vectors_the_second() {
    let both: [(&str, &[&str]); 2] = [("dotted", &["ada", "bob"]), ("server-vector", &["bob"])];
    for (causality, kept) in both {
        let engine = Arc::new(Slow::default());
        let replica = open_with(&engine, &format!("policy: siblings, causality: {causality}"));
        let replica = replica.unwrap().with_clock(Arc::new(Backwards(AtomicU64::new(9))));
        blind(&replica, &engine, "ada").await.unwrap();
        let acknowledged = blind(&replica, &engine, "bob").await.unwrap();
        assert_eq!(acknowledged.values(), kept, "{causality}");
    }
}

/// A clock that is always earlier than it was.
struct Backwards(AtomicU64);

impl Clock for Backwards {
    fn micros(&self) -> u64 {
        self.0.fetch_sub(1, Ordering::Relaxed)
    }
}

#[tokio::test]
async fn data_kept_under_another_causality_is_refused_and_not_misread() {
    let [dotted, vectors] =
        ["policy: siblings", "policy: siblings, causality: server-vector"].map(str::to_owned);
    for (before, after, said) in [
        (
            &dotted,
            &vectors,
            "`siblings`, and cannot become `siblings with causality server-vector`",
        ),
        (
            &vectors,
            &dotted,
            "`siblings with causality server-vector`, and cannot become `siblings`",
        ),
    ] {
        let engine = Arc::new(Slow::default());
        blind(&open_with(&engine, before).unwrap(), &engine, "v").await.unwrap();
        let refused = open_with(&engine, after).err().unwrap().to_string();
        assert!(
            refused.contains(&format!("keyspace `default` holds data kept as {said}")),
            "{refused}"
        );
        open_with(&engine, before).unwrap();
    }
}

/// Nodes configured apart: what a peer sent is no copy of this keyspace's kind.
#[tokio::test]
async fn a_copy_of_another_kind_is_not_written_over() {
    let engine = Arc::new(Slow::default());
    let replica = open_with(&engine, "policy: siblings, causality: server-vector").unwrap();
    let key = key();
    let home = replica.placement.home(b"k").clone();
    let sent = Record::Siblings(Siblings::new(replica.actor.clone(), Some(value("sent"))));
    let joined = landed(&engine, replica.join(&home, &key, sent.clone())).await;
    joined.unwrap();
    let refused = blind(&replica, &engine, "v").await;
    assert!(matches!(refused, Err(ReplicaError::Kind { .. })), "{refused:?}");
    assert_eq!(replica.get(&home, b"k").unwrap(), Some(sent));
}
