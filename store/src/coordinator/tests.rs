//! What is told to clients when this node's own engine fails, or does not answer.

use std::sync::Mutex;

use super::*;
use crate::clock::WallClock;
use crate::config::{Config, Limits};
use crate::engine::{Batch, Done, Engine, EngineError, Refused};
use crate::peer::Peers;
use crate::peer::Timing;
use crate::version::Actor;

/// Holds nothing. Refuses every write, or takes it and never says what became of it.
struct Broken {
    is_silent: bool,
    taken: Mutex<Vec<Done>>,
}

impl Engine for Broken {
    fn get(&self, _: &[u8]) -> Result<Option<Bytes>, EngineError> {
        Ok(None)
    }

    fn leave(&self, _: Batch, done: Done) -> Result<(), Refused> {
        if self.is_silent {
            self.taken.lock().unwrap().push(done);
            return Ok(());
        }
        Err(Refused { why: EngineError::Closed("the disk is full".to_owned()), done })
    }

    fn lead(&self) {}

    fn wake(&self) {}

    fn scan(&self, _: &[u8], _: usize) -> Result<Vec<(Bytes, Bytes)>, EngineError> {
        Ok(Vec::new())
    }

    fn close(&self) -> Result<(), EngineError> {
        Ok(())
    }
}

/// The only node of a cluster, on an engine that keeps nothing.
fn coordinator(is_silent: bool) -> Arc<Coordinator> {
    let config = "{cluster: demo, node: n1, data: /nowhere, limits: {deadline-ms: 50}, \
                  keyspaces: {r: {policy: register, n: 1, r: 1, w: 1}, \
                  s: {policy: siblings, n: 1, r: 1, w: 1}, l: {policy: lww, n: 1, r: 1, w: 1}}, \
                  members: [{node: n1, client: '127.0.0.1:1', peer: '127.0.0.1:2'}]}";
    let config: Config = serde_yaml::from_str(config).unwrap();
    let engine: Arc<dyn Engine> = Arc::new(Broken { is_silent, taken: Mutex::default() });
    let placement = Arc::new(Placement::new(&config).unwrap());
    let (me, stats) = (placement.me().clone(), Arc::new(Stats::default()));
    let actor = Actor::new(me.clone(), 1);
    let replica = Replica::open(engine.clone(), placement.clone(), actor, 1 << 20).unwrap();
    Arc::new(Coordinator {
        replica: Arc::new(replica),
        peers: Arc::new(Peers::dial(&config, Timing::default()).unwrap()),
        view: Arc::new(View::new(me, 1, [])),
        hints: Arc::new(Hints::open(engine, stats.clone(), [], &Limits::default()).unwrap()),
        clock: Arc::new(WallClock),
        nonces: Nonces::new(1),
        limits: config.limits,
        late: TaskTracker::new(),
        grace: Arc::default(),
        places: Arc::new(Semaphore::new(1)),
        placement,
        stats,
    })
}

#[tokio::test]
async fn what_the_own_engine_did_not_confirm_is_uncertain() {
    for is_silent in [false, true] {
        let coordinator = coordinator(is_silent);
        for key in ["r:k", "s:k", "l:k"] {
            let change = Change { value: Some("v".into()), ..Change::default() };
            let failure =
                coordinator.write(key.into(), change).await.expect_err("nothing was kept");
            assert!(!failure.is_definite(), "{key}, silent: {is_silent}: {failure}");
            assert!(failure.to_string().starts_with("UNCERTAIN "), "{failure}");
        }
    }
}

#[test]
fn nonces_of_two_boots_are_never_alike() {
    let [one, two] = [1, 2].map(Nonces::new);
    let all: std::collections::BTreeSet<Nonce> =
        [one.next(), one.next(), two.next(), two.next()].into();
    assert_eq!(all.len(), 4);
}

#[tokio::test]
async fn more_than_there_are_places_for_is_refused_at_once_and_definitely() {
    let coordinator = coordinator(true);
    let held = coordinator.places.clone().try_acquire_owned().expect("nothing is under way");
    let change = Change { value: Some("v".into()), ..Change::default() };
    let failure = coordinator.write("l:k".into(), change).await.expect_err("there is no place");
    assert!(failure.is_definite() && failure.to_string().starts_with("OVERLOADED "), "{failure}");
    drop(held);
    assert_eq!(coordinator.read("l:k".into(), None).await.map(|_| ()), Ok(()));
}
