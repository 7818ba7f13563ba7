//! Own copies over an engine that calls a write durable only when told to.

mod causality;
mod forgetting;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::*;
use crate::engine::{Done, Refused};
use crate::lsm::{Lsm, Options};
use crate::merkle::Bucket;
use crate::placement::DEFAULT_KEYSPACE;
use crate::version::test_records::lww;
use crate::version::{Nonce, Siblings};

/// Holds what it is given in memory, and calls it durable only when told to.
#[derive(Default)]
struct Slow {
    map: Mutex<BTreeMap<Bytes, Bytes>>,
    waiting: Mutex<Vec<(Batch, Done)>>,
    is_broken: AtomicBool,
    /// Pairs that scans gave.
    looked_at: AtomicUsize,
}

impl Slow {
    fn sync(&self) -> usize {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        let count = waiting.len();
        for (batch, done) in waiting {
            for (key, value) in batch.entries {
                let mut map = self.map.lock().unwrap();
                match value {
                    Some(value) => drop(map.insert(key, value)),
                    None => drop(map.remove(&key)),
                }
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

    fn leave(&self, batch: Batch, done: Done) -> Result<(), Refused> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(Refused { why: EngineError::Closed("it broke".to_owned()), done });
        }
        self.waiting.lock().unwrap().push((batch, done));
        Ok(())
    }

    fn lead(&self) {}

    fn wake(&self) {}

    fn scan(&self, from: &[u8], limit: usize) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
        let map = self.map.lock().unwrap();
        let from = Bytes::copy_from_slice(from);
        let pairs = map.range(from..).take(limit).map(|(k, v)| (k.clone(), v.clone()));
        let pairs: Vec<_> = pairs.collect();
        self.looked_at.fetch_add(pairs.len(), Ordering::Relaxed);
        Ok(pairs)
    }

    fn close(&self) -> Result<(), EngineError> {
        self.sync();
        Ok(())
    }
}

fn placement() -> Arc<Placement> {
    placed("policy: siblings")
}

/// One node, whose only keyspace has these settings.
fn placed(settings: &str) -> Arc<Placement> {
    let config = format!(
        "{{cluster: demo, node: n1, data: /nowhere, default: {{{settings}, n: 1, r: 1, w: 1}}, \
         members: [{{node: n1, client: '127.0.0.1:1', peer: '127.0.0.1:2'}}]}}"
    );
    Arc::new(Placement::new(&serde_yaml::from_str(&config).unwrap()).unwrap())
}

fn open(engine: &Arc<Slow>) -> Replica {
    open_with(engine, "policy: siblings").unwrap()
}

fn open_with(engine: &Arc<Slow>, settings: &str) -> Result<Replica, ReplicaError> {
    let placement = placed(settings);
    let actor = Actor::new(placement.me().clone(), 1);
    Replica::open(engine.clone(), placement, actor, 1 << 20)
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
    replica.join(&home, &key, record.unwrap().0).await.unwrap();
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
            last = record.unwrap().1;
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

/// Puts a record of each of these keys, as its only copy.
async fn fill(engine: &Slow, replica: &Replica, names: &[Bytes]) {
    let homes: Vec<_> = names.iter().map(|name| replica.placement.home(name).clone()).collect();
    let context = Context::default();
    let all = names.iter().zip(&homes);
    let all = all.map(|(name, home)| replica.update(home, name, &context, Some(value("v"))));
    tokio::join!(futures_util::future::join_all(all), async {
        settle(engine, names.len()).await;
        engine.sync();
    });
}

#[tokio::test]
async fn a_list_names_the_keys_of_its_buckets_page_by_page() {
    let engine = Arc::new(Slow::default());
    let replica = open(&engine);
    let mut names: Vec<Bytes> = (0..1200).map(|i| Bytes::from(format!("k{i:04}"))).collect();
    fill(&engine, &replica, &names).await;
    names.sort_by_key(|name| (Bucket::of(name), name.clone()));
    let buckets: Vec<Bucket> = (0..=u16::MAX).map(Bucket).collect();
    let (mut found, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let page = replica.list(0, &buckets, found.last()).await.unwrap();
        sizes.push(page.keys.len());
        found.extend(page.keys.into_iter().map(|(key, _)| key));
        if !page.more {
            break;
        }
    }
    assert_eq!((found, sizes), (names, vec![Page::KEYS_MAX, Page::KEYS_MAX, 176]));
}

#[tokio::test]
async fn a_list_looks_at_its_own_buckets_and_little_beyond() {
    let engine = Arc::new(Slow::default());
    let replica = open(&engine);
    let names: Vec<Bytes> = (0..5000).map(|i| Bytes::from(format!("k{i:04}"))).collect();
    fill(&engine, &replica, &names).await;
    let wanted: std::collections::BTreeSet<Bucket> =
        names[..10].iter().map(|name| Bucket::of(name)).collect();
    let mut held: Vec<Bytes> =
        names.iter().filter(|name| wanted.contains(&Bucket::of(name))).cloned().collect();
    held.sort_by_key(|name| (Bucket::of(name), name.clone()));
    engine.looked_at.store(0, Ordering::Relaxed);
    let page = replica.list(0, &Vec::from_iter(wanted), None).await.unwrap();
    assert_eq!(page.keys.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), held);
    let looked_at = engine.looked_at.load(Ordering::Relaxed);
    assert!(looked_at <= 10 * 32, "{looked_at} of 5000 records for 10 buckets");
}

#[tokio::test]
async fn long_keys_make_short_pages() {
    let engine = Arc::new(Slow::default());
    let replica = open(&engine);
    let names: Vec<Bytes> = (0..40).map(|i| Bytes::from(format!("{i:010000}"))).collect();
    fill(&engine, &replica, &names).await;
    let buckets: Vec<Bucket> = (0..=u16::MAX).map(Bucket).collect();
    let page = replica.list(0, &buckets, None).await.unwrap();
    assert_eq!((page.keys.len(), page.more), (27, true), "256 KiB of keys of 10,000 bytes");
}

/// Five nodes, of which each key has three: this one belongs to six trees of each keyspace.
fn crowd() -> Arc<Placement> {
    let member = |i| format!("{{node: n{i}, client: '127.0.0.1:{i}', peer: '127.0.0.2:{i}'}}");
    let config = format!(
        "{{cluster: demo, node: n1, data: /nowhere, keyspaces: {{l: {{policy: lww, n: 3, r: 1, \
         w: 1}}}}, default: {{policy: siblings, n: 3, r: 1, w: 1}}, members: [{}]}}",
        (1..=5).map(member).collect::<Vec<_>>().join(", ")
    );
    Arc::new(Placement::new(&serde_yaml::from_str(&config).unwrap()).unwrap())
}

#[tokio::test]
async fn trees_kept_write_by_write_are_those_that_a_start_plants() {
    let (engine, placement) = (Arc::new(Slow::default()), crowd());
    let actor = Actor::new(placement.me().clone(), 1);
    let open = || Replica::open(engine.clone(), placement.clone(), actor.clone(), 1 << 20).unwrap();
    let replica = open();
    let mut random = crate::random::Random(7);
    for round in 1..=40 {
        // Several of them write to one key at once, and join with what is in flight.
        let writes = (0..30).map(|_| (random.below(120), random.below(5) as u64, random.below(4)));
        let writes: Vec<(usize, u64, usize)> = writes.collect();
        let all = writes.iter().map(async |(name, time, value)| {
            let is_lww = name % 2 == 0;
            let key = Bytes::from(format!("{}{name}", if is_lww { "l:" } else { "s" }));
            let home = placement.home(&key).clone();
            let text = ["", "a", "b", "c"][*value];
            let text = Some(text).filter(|text| !text.is_empty());
            if is_lww {
                let record = lww(round + time, "n2", round, text);
                replica.join(&home, &key, record).await.unwrap();
            } else {
                let context = Context::default();
                let text = text.map(|text| Bytes::from_static(text.as_bytes()));
                replica.update(&home, &key, &context, text).await.unwrap();
            }
        });
        let sync = async {
            loop {
                engine.sync();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = futures_util::future::join_all(all) => {}
            () = sync => {}
        }
        let again = open();
        for (tree, of) in placement.my_trees() {
            let roots = [&replica, &again].map(|replica| replica.trees().root(tree));
            assert_eq!(roots[0], roots[1], "{} after round {round}", of.name);
        }
        assert_eq!(replica.live_keys(), again.live_keys(), "after round {round}");
    }
    let grown = placement.my_trees().filter(|(tree, _)| replica.trees().root(*tree) != Some(0));
    assert!(grown.count() > 6, "the keys are in many trees");
}

#[test]
fn what_cannot_be_read_ends_a_start_and_is_not_passed_over() {
    let actor = Actor::new(placement().me().clone(), 1);
    let good = Record::Siblings(Siblings::new(actor.clone(), Some(value("v")))).encode();
    let start = |place: Bytes, record: Bytes| {
        let engine = Arc::new(Slow::default());
        let beside = layout::data(DEFAULT_KEYSPACE, b"beside");
        engine.map.lock().unwrap().extend([(beside, good.clone()), (place, record)]);
        Replica::open(engine, placement(), actor.clone(), 1 << 20).err().map(|it| it.to_string())
    };
    let at = layout::data(DEFAULT_KEYSPACE, b"k");
    assert_eq!(start(at.clone(), good.clone()), None);
    let told = start(at.clone(), good.slice(..good.len() - 1)).unwrap();
    assert_eq!(told, "ERR the record of key `k` cannot be read: it ends too early");
    for place in [&b"ddefault\0\0\0k"[..], b"ddefault\0\x07", b"ddefault", b"d"] {
        let place = Bytes::from(place);
        let told = start(place, good.clone()).unwrap();
        assert!(told.contains("is no record of this layout"), "{told}");
    }
}

#[test]
fn a_damaged_block_ends_a_start_and_is_not_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let actor = Actor::new(placement().me().clone(), 1);
    let record = Record::Siblings(Siblings::new(actor.clone(), Some(value("v")))).encode();
    let entry = |i| (layout::data(DEFAULT_KEYSPACE, format!("k{i}").as_bytes()), record.clone());
    let entries = (0..1000).map(entry).map(|(key, record)| (key, Some(record))).collect();
    let open = || Lsm::open(directory.path(), Options::default()).unwrap();
    let engine = open();
    engine.commit(Batch { entries }).unwrap();
    engine.flush().unwrap();
    drop(engine);
    let files = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
    let table = files.max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&table, bytes).unwrap();
    let refused = Replica::open(Arc::new(open()), placement(), actor, 1 << 20).err().unwrap();
    let refused = refused.to_string();
    assert!(refused.contains("is damaged at byte"), "{refused}");
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
fn data_of_a_keyspace_that_was_taken_away_is_refused_and_not_forgotten() {
    let engine = Arc::new(Slow::default());
    let actor = Actor::new(placement().me().clone(), 1);
    let record = Record::Siblings(Siblings::new(actor.clone(), Some(value("apple"))));
    let place = layout::data("cart", b"cart:1");
    engine.map.lock().unwrap().insert(place, record.encode());
    let refused = Replica::open(engine, placement(), actor, 1 << 20).err().unwrap().to_string();
    let told = "key `cart:1` is kept in keyspace `cart`, and would now belong to `default`";
    assert!(refused.contains(told), "{refused}");
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
