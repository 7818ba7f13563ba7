//! Own copies over an engine that calls a write durable only when told to.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::engine::Done;
use crate::version::Nonce;

/// Holds what it is given in memory, and calls it durable only when told to.
#[derive(Default)]
struct Slow {
    map: Mutex<BTreeMap<Bytes, Bytes>>,
    waiting: Mutex<Vec<(Batch, Done)>>,
    is_broken: AtomicBool,
}

impl Slow {
    fn sync(&self) -> usize {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        let count = waiting.len();
        for (batch, done) in waiting {
            for (key, value) in batch.entries {
                self.map.lock().unwrap().insert(key, value.expect("nothing is removed here"));
            }
            done(Ok(()));
        }
        count
    }
}

impl Engine for Slow {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(self.map.lock().unwrap().get(key).cloned())
    }

    fn write(&self, batch: Batch, done: Done) {
        if self.is_broken.load(Ordering::Relaxed) {
            return done(Err(EngineError::Closed("it broke".to_owned())));
        }
        self.waiting.lock().unwrap().push((batch, done));
    }

    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
        let map = self.map.lock().unwrap();
        let from = Bytes::copy_from_slice(from);
        Ok(map.range(from..).take(limit).map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    fn close(&self) -> Result<(), EngineError> {
        self.sync();
        Ok(())
    }
}

fn placement() -> Arc<Placement> {
    let config = "{cluster: demo, node: n1, data: /nowhere, default: {policy: siblings, n: 1, r: 1, \
                  w: 1}, members: [{node: n1, client: '127.0.0.1:1', peer: '127.0.0.1:2'}]}";
    Arc::new(Placement::new(&serde_yaml::from_str(config).unwrap()).unwrap())
}

fn open(engine: &Arc<Slow>) -> Replica {
    let actor = Actor::new(placement().me().clone(), 1);
    Replica::open(engine.clone(), placement(), actor, 1 << 20).unwrap()
}

fn key() -> Bytes {
    Bytes::from_static(b"k")
}

fn value(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Lets tasks on this thread run until they wait for the engine.
async fn settle(engine: &Slow, waiting: usize) {
    for _ in 0..1000 {
        if engine.waiting.lock().unwrap().len() == waiting {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{} writes wait, not {waiting}", engine.waiting.lock().unwrap().len());
}

#[tokio::test]
async fn a_write_in_flight_is_joined_with_but_not_read() {
    let engine = Arc::new(Slow::default());
    let replica = Arc::new(open(&engine));
    let home = replica.placement.home(b"k").clone();
    let writers: Vec<tokio::task::JoinHandle<_>> = ["a", "b"]
        .map(|text| {
            let (replica, home) = (replica.clone(), home.clone());
            tokio::spawn(async move {
                replica.update(&home, &key(), &Context::default(), Some(value(text))).await.unwrap()
            })
        })
        .into();
    settle(&engine, 2).await;
    assert_eq!(replica.get(&home, b"k").unwrap(), None, "nothing is durable yet");
    assert!(writers.iter().all(|writer| !writer.is_finished()), "nobody was told it is");
    engine.sync();
    for writer in writers {
        writer.await.unwrap();
    }
    let values = replica.get(&home, b"k").unwrap().unwrap().values();
    assert_eq!(values, ["a", "b"], "the second writer joined with what flew before it");
    assert!(replica.shared.stripes.iter().all(|stripe| stripe.lock().unwrap().is_empty()));
}

#[tokio::test]
async fn a_record_delivered_twice_is_acknowledged_only_once_it_is_durable() {
    let engine = Arc::new(Slow::default());
    let replica = Arc::new(open(&engine));
    let record = Record::Siblings(Siblings::new(replica.actor.clone(), Some(value("a"))));
    let joins: Vec<tokio::task::JoinHandle<_>> = [record.clone(), record]
        .map(|record| {
            let (replica, home) = (replica.clone(), replica.placement.home(b"k").clone());
            tokio::spawn(async move { replica.join(&home, &key(), record).await.unwrap() })
        })
        .into();
    settle(&engine, 2).await;
    assert!(joins.iter().all(|join| !join.is_finished()), "neither is durable");
    engine.sync();
    for join in joins {
        join.await.unwrap();
    }
}

#[tokio::test]
async fn what_a_broken_engine_refused_is_not_remembered() {
    let engine = Arc::new(Slow::default());
    let replica = open(&engine);
    engine.is_broken.store(true, Ordering::Relaxed);
    for name in ["k", "l", "k"] {
        let home = replica.placement.home(name.as_bytes()).clone();
        let (key, context) = (Bytes::from(name), Context::default());
        let refused = replica.update(&home, &key, &context, Some(value("v"))).await;
        assert!(matches!(refused, Err(ReplicaError::Engine(_))), "{refused:?}");
    }
    assert!(replica.shared.stripes.iter().all(|stripe| stripe.lock().unwrap().is_empty()));
    assert_eq!(replica.live_keys(), 0);
}

#[tokio::test]
async fn what_an_engine_refused_and_went_on_from_takes_nothing_with_it() {
    let engine = Arc::new(Slow::default());
    let replica = Arc::new(open(&engine));
    let home = replica.placement.home(b"k").clone();
    let update = |text| {
        let (replica, home) = (replica.clone(), home.clone());
        tokio::spawn(async move {
            replica.update(&home, &key(), &Context::default(), Some(value(text))).await
        })
    };
    let first = update("a");
    settle(&engine, 1).await;
    engine.is_broken.store(true, Ordering::Relaxed);
    let refused = update("b").await.unwrap();
    assert!(matches!(refused, Err(ReplicaError::Engine(_))), "{refused:?}");
    engine.is_broken.store(false, Ordering::Relaxed);
    let third = update("c");
    settle(&engine, 2).await;
    engine.sync();
    first.await.unwrap().unwrap();
    third.await.unwrap().unwrap();
    let values = replica.get(&home, b"k").unwrap().unwrap().values();
    assert_eq!(values, ["a", "c"], "the third writer joined with the first, still in flight");
    assert_eq!(replica.live_keys(), 1);
    let restarted = open(&engine);
    let root = |replica: &Replica| replica.trees().root(home.tree);
    assert_eq!(root(&replica), root(&restarted), "the trees are over what is there");
}

#[tokio::test]
async fn a_join_that_changes_nothing_writes_nothing() {
    let engine = Arc::new(Slow::default());
    let replica = open(&engine);
    let home = replica.placement.home(b"k").clone();
    let (key, context) = (key(), Context::default());
    let wrote = replica.update(&home, &key, &context, Some(value("a")));
    let (record, ()) = tokio::join!(wrote, async {
        settle(&engine, 1).await;
        engine.sync();
    });
    replica.join(&home, &key, record.unwrap()).await.unwrap();
    assert_eq!(engine.sync(), 0);
}

#[tokio::test]
async fn trees_and_counts_are_the_same_after_a_restart() {
    let engine = Arc::new(Slow::default());
    let replica = open(&engine);
    let empty = replica.trees().root(0).unwrap();
    let mut last = Context::default();
    for step in [Some(value("a")), Some(value("b")), None, Some(value("c"))] {
        for name in ["k", "l", "m"] {
            let home = replica.placement.home(name.as_bytes()).clone();
            let (name, context) = (Bytes::from_static(name.as_bytes()), last.clone());
            let wrote = replica.update(&home, &name, &context, step.clone());
            let (record, ()) = tokio::join!(wrote, async {
                settle(&engine, 1).await;
                engine.sync();
            });
            last = record.unwrap().context();
        }
    }
    assert_ne!(replica.trees().root(0), Some(empty));
    let again = open(&engine);
    assert_eq!(again.trees().root(0), replica.trees().root(0));
    assert_eq!((again.live_keys(), replica.live_keys()), (3, 3));
}

#[tokio::test]
async fn siblings_nobody_merges_are_refused_before_they_choke_the_wire() {
    let engine = Arc::new(Slow::default());
    let mut replica = open(&engine);
    replica.record_bytes = 10;
    let home = replica.placement.home(b"k").clone();
    let refused = replica.update(&home, &key(), &Context::default(), Some(value("too long"))).await;
    assert!(matches!(refused, Err(ReplicaError::Crowded(_))), "{refused:?}");
    assert_eq!(engine.sync(), 0);
}

#[tokio::test]
async fn a_list_names_the_keys_of_its_buckets_page_by_page() {
    let engine = Arc::new(Slow::default());
    let replica = open(&engine);
    let names: Vec<Bytes> = (0..1200).map(|i| Bytes::from(format!("k{i:04}"))).collect();
    let homes: Vec<_> = names.iter().map(|name| replica.placement.home(name).clone()).collect();
    let context = Context::default();
    let all = names
        .iter()
        .zip(&homes)
        .map(|(name, home)| replica.update(home, name, &context, Some(value("v"))));
    tokio::join!(futures_util::future::join_all(all), async {
        settle(&engine, names.len()).await;
        engine.sync();
    });
    let buckets: Vec<u32> = (0..crate::merkle::BUCKETS as u32).collect();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, more) = replica.list(0, &buckets, after.as_ref(), None, 100).await.unwrap();
        found.extend(page.into_iter().map(|(key, _)| key));
        if !more {
            break;
        }
        after = found.last().cloned();
    }
    assert_eq!(found, names);
    let bucket = crate::merkle::Span::bucket_of(&names[7]).index;
    let (one, _) = replica.list(0, &[bucket], None, Some(&names[7]), 100).await.unwrap();
    assert!(one.iter().any(|(key, _)| *key == names[7]), "{one:?}");
    assert!(one.iter().all(|(key, _)| *key <= names[7]), "{one:?}");
}

#[test]
fn data_kept_under_another_policy_is_refused_and_not_misread() {
    let engine = Arc::new(Slow::default());
    let tag =
        crate::version::Tag::next(None, placement().me().clone(), Nonce { epoch: 1, sequence: 1 });
    let kept = Record::Register { tag, value: None };
    let place = layout::data(&placement().home(&key()).keyspace, &key());
    engine.map.lock().unwrap().insert(place, kept.encode());
    let actor = Actor::new(placement().me().clone(), 1);
    let refused = Replica::open(engine, placement(), actor, 1 << 20).err().unwrap().to_string();
    assert!(
        refused.contains("holds data kept as `register`, and cannot become `siblings`"),
        "{refused}"
    );
}

#[test]
fn data_that_would_belong_to_another_keyspace_is_refused_and_not_forgotten() {
    let engine = Arc::new(Slow::default());
    let key = Bytes::from_static(b"cart:1");
    let place = layout::data(&placement().home(&key).keyspace, &key);
    let actor = Actor::new(placement().me().clone(), 1);
    let siblings = Siblings::new(actor.clone(), Some(Bytes::from_static(b"apple")));
    engine.map.lock().unwrap().insert(place, Record::Siblings(siblings).encode());
    let config = "{cluster: demo, node: n1, data: /nowhere, keyspaces: {cart: {policy: siblings, n: 1, \
                  r: 1, w: 1}}, members: [{node: n1, client: '127.0.0.1:1', peer: '127.0.0.1:2'}]}";
    let added = Arc::new(Placement::new(&serde_yaml::from_str(config).unwrap()).unwrap());
    let refused = Replica::open(engine, added, actor, 1 << 20).err().unwrap().to_string();
    let told = "key `cart:1` is kept in keyspace `default`, and would now belong to `cart`";
    assert!(refused.contains(told), "{refused}");
}
