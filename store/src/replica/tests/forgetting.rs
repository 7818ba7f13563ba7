//! Tombstones that are forgotten, and what must outlive them.

use std::pin::pin;

use futures_util::FutureExt;

use super::*;

/// What becomes of a change once everything is durable that it handed over.
fn landed<T>(engine: &Slow, change: impl Future<Output = T>) -> T {
    let mut change = pin!(change);
    let told = change.as_mut().now_or_never();
    engine.sync();
    told.or_else(|| change.now_or_never()).expect("it waits for nothing but the engine")
}

/// A replica that holds a tombstone of the key, and what it holds.
fn deleted(engine: &Arc<Slow>) -> (Replica, Record) {
    let replica = open(engine);
    let (home, key) = (replica.placement.home(b"k").clone(), key());
    let write = |context: &Context, text: Option<&'static str>| {
        landed(engine, replica.update(&home, &key, context, text.map(value))).unwrap()
    };
    let (_, seen) = write(&Context::default(), Some("old"));
    let (tombstone, _) = write(&seen, None);
    (replica, tombstone)
}

#[test]
fn a_write_beside_a_removal_in_flight_is_above_all_that_was_forgotten() {
    let engine = Arc::new(Slow::default());
    let (replica, tombstone) = deleted(&engine);
    let (home, key) = (replica.placement.home(b"k").clone(), key());
    let listed = [(key.clone(), tombstone.digest())];
    let context = Context::default();
    let mut forgetting = pin!(replica.forget(home.tree, &listed));
    assert!(forgetting.as_mut().now_or_never().is_none(), "it is not durable yet");
    let update = replica.update(&home, &key, &context, Some(value("new")));
    let (written, _) = landed(&engine, update).unwrap();
    assert_eq!(forgetting.now_or_never().expect("durable").unwrap(), 1);
    // Another replica forgets later: it still holds the tombstone, and must not take this for dead.
    assert_eq!(written.clone().join(tombstone).values(), ["new"]);
    assert_eq!(replica.get(&home, &key).unwrap(), Some(written));
    assert_eq!((replica.tombstones(), replica.live_keys()), (0, 1));
}

#[test]
fn the_floor_outlives_a_restart_and_the_removal_it_came_with() {
    let engine = Arc::new(Slow::default());
    let (replica, tombstone) = deleted(&engine);
    let home = replica.placement.home(b"k").clone();
    let listed = [(key(), tombstone.digest())];
    assert_eq!(landed(&engine, replica.forget(home.tree, &listed)).unwrap(), 1);
    assert_eq!((replica.get(&home, b"k").unwrap(), replica.floor()), (None, 2));
    assert_eq!(replica.trees().root(home.tree), Some(0), "as if it had never been");
    assert_eq!(open(&engine).floor(), 2);
}

#[test]
fn what_is_held_instead_of_the_tombstone_stays() {
    let engine = Arc::new(Slow::default());
    let (replica, tombstone) = deleted(&engine);
    let (home, key) = (replica.placement.home(b"k").clone(), key());
    let context = Context::default();
    let again = replica.update(&home, &key, &context, Some(value("new")));
    let (written, _) = landed(&engine, again).unwrap();
    for digest in [tombstone.digest(), written.digest()] {
        let forgotten = landed(&engine, replica.forget(home.tree, &[(key.clone(), digest)]));
        assert_eq!(forgotten.unwrap(), 0, "another record, and no tombstone");
    }
    assert_eq!((replica.get(&home, &key).unwrap(), replica.floor()), (Some(written), 0));
}

#[test]
fn a_tombstone_in_flight_is_not_listed_for_its_tree_may_not_tell_of_it() {
    let engine = Arc::new(Slow::default());
    let (replica, tombstone) = deleted(&engine);
    let (home, key) = (replica.placement.home(b"k").clone(), key());
    let listed = |replica: &Replica| {
        let mut listing = pin!(replica.list_tombstones(home.tree, None));
        // It lets others run now and then.
        let page = (0..9).find_map(|_| listing.as_mut().now_or_never());
        page.expect("it waits for nothing here").unwrap().keys
    };
    assert_eq!(listed(&replica), [(key.clone(), tombstone.digest())]);
    let context = Context::default();
    let mut update = pin!(replica.update(&home, &key, &context, None));
    assert!(update.as_mut().now_or_never().is_none());
    assert_eq!(listed(&replica), []);
}

#[test]
fn a_counter_that_no_honest_client_brought_about_is_kept_with_its_tombstone() {
    let engine = Arc::new(Slow::default());
    let replica = open(&engine);
    let home = replica.placement.home(b"k").clone();
    let forged: Context = [(replica.actor.clone(), 1 << 47)].into_iter().collect();
    let (tombstone, _) = landed(&engine, replica.update(&home, &key(), &forged, None)).unwrap();
    assert_eq!(replica.tombstones(), 0, "none that may go");
    let listed = [(key(), tombstone.digest())];
    assert_eq!(landed(&engine, replica.forget(home.tree, &listed)).unwrap(), 0);
    assert_eq!((replica.get(&home, b"k").unwrap(), replica.floor()), (Some(tombstone), 0));
}
