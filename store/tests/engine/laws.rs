//! The engine is a durable ordered map.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<(String, Option<String>)>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let entry = ("[a-e]{1,2}", proptest::option::weighted(0.7, "[a-z]{0,60}"));
    prop_oneof![
        8 => vec(entry, 0..6).prop_map(Step::Write),
        1 => Just(Step::Reopen),
    ]
}

fn pages(engine: &Lsm, limit: usize) -> Vec<(Bytes, Bytes)> {
    let mut pairs: Vec<(Bytes, Bytes)> = Vec::new();
    loop {
        // The least key after the last one seen.
        let from = pairs.last().map(|(key, _)| [key, &b"\0"[..]].concat()).unwrap_or_default();
        let page = engine.scan(&from, limit).unwrap();
        if page.is_empty() {
            return pairs;
        }
        assert!(page.len() <= limit);
        pairs.extend(page);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_an_ordered_map_through_flushes_merges_and_starts(steps in vec(step(), 1..60)) {
        let path = tempfile::tempdir().unwrap();
        let mut engine = open(path.path(), tiny(Sync::Always));
        let mut model: BTreeMap<Bytes, Bytes> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Write(entries) => {
                    let entries: Vec<(Bytes, Option<Bytes>)> = entries
                        .into_iter()
                        .map(|(key, value)| (key.into(), value.map(Bytes::from)))
                        .collect();
                    for (key, value) in entries.clone() {
                        match value {
                            Some(value) => model.insert(key, value),
                            None => model.remove(&key),
                        };
                    }
                    write(&engine, Batch { entries: entries.clone() }).unwrap();
                    for (key, _) in entries {
                        prop_assert_eq!(engine.get(&key).unwrap(), model.get(&key).cloned());
                    }
                }
                Step::Reopen => {
                    drop(engine);
                    engine = open(path.path(), tiny(Sync::Always));
                }
            }
        }
        let expected: Vec<(Bytes, Bytes)> = model.into_iter().collect();
        prop_assert_eq!(pages(&engine, 3), expected);
    }
}

#[test]
fn many_writes_become_few_tables_and_their_log_is_freed() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), tiny(Sync::Always));
    for number in 0..300 {
        put(&engine, &format!("key{:03}", number % 150), &format!("{number}"));
    }
    for number in 0..100 {
        write(&engine, batch(&[(&format!("key{number:03}"), None)])).unwrap();
    }
    engine.close().unwrap();
    let done = engine.statistics();
    assert!(done.flushes > 3 && done.merges > 0, "{done:?}");
    let count = |prefix: &str| {
        let files = std::fs::read_dir(path.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(prefix)).count()
    };
    assert_eq!(count("table-"), done.tables.iter().sum::<usize>(), "{done:?}");
    assert_eq!(count("log-"), 1);
    assert_eq!(all(&engine).unwrap().len(), 50);
    drop(engine);
    let engine = open(path.path(), tiny(Sync::Always));
    let kept: Vec<(Bytes, Bytes)> = (250..300)
        .map(|number| (format!("key{:03}", number - 150).into(), format!("{number}").into()))
        .collect();
    assert_eq!(all(&engine).unwrap(), kept);
}

#[test]
fn writes_that_wait_together_share_one_write_and_one_sync() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options::default());
    let (entered, is_in) = mpsc::channel();
    let (open_gate, gate) = mpsc::channel::<()>();
    engine.write(
        batch(&[("first", Some("1"))]),
        Box::new(move |result| {
            result.unwrap();
            entered.send(()).unwrap();
            gate.recv_timeout(PATIENCE).unwrap();
        }),
    );
    is_in.recv_timeout(PATIENCE).unwrap();
    let (told, answers) = mpsc::channel();
    for number in 0..100 {
        let told = told.clone();
        let one = batch(&[("last", Some(&number.to_string()))]);
        engine.write(one, Box::new(move |result| told.send((number, result)).unwrap()));
    }
    assert_eq!(engine.get(b"last").unwrap(), None, "not durable, hence not visible");
    open_gate.send(()).unwrap();
    for expected in 0..100 {
        let (number, result) = answers.recv_timeout(PATIENCE).unwrap();
        result.unwrap();
        assert_eq!(number, expected, "answered in the order they were handed over");
    }
    let done = engine.statistics();
    assert_eq!((done.writes, done.groups, done.syncs), (101, 2, 2));
    assert_eq!(engine.get(b"last").unwrap(), Some("99".into()));
}

#[test]
fn writers_of_many_threads_lose_nothing() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options { memtable_bytes: 5_000, ..tiny(Sync::Always) });
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let engine = &engine;
            scope.spawn(move || {
                for number in 0..50 {
                    let key = format!("{thread}/{number}");
                    put(engine, &key, "v");
                    assert_eq!(engine.get(key.as_bytes()).unwrap(), Some("v".into()));
                }
            });
        }
    });
    assert_eq!(all(&engine).unwrap().len(), 400);
}

#[test]
fn an_interval_answers_before_the_sync_which_comes_by_itself() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options { sync: Sync::Every(30), ..Options::default() });
    put(&engine, "k", "v");
    let deadline = std::time::Instant::now() + PATIENCE;
    while engine.statistics().syncs == 0 {
        assert!(std::time::Instant::now() < deadline, "no sync: {:?}", engine.statistics());
        std::thread::yield_now();
    }
    assert_eq!(engine.statistics().syncs, 1);
}

#[test]
fn a_batch_is_visible_when_it_is_answered() {
    let path = tempfile::tempdir().unwrap();
    let engine = Arc::new(open(path.path(), Options::default()));
    let (told, seen) = mpsc::channel();
    let reader = engine.clone();
    engine.write(
        batch(&[("k", Some("old")), ("k", Some("new"))]),
        Box::new(move |_| told.send(reader.get(b"k").unwrap()).unwrap()),
    );
    assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), Some("new".into()));
    engine.close().unwrap();
}

#[test]
fn a_closed_engine_refuses_writes_and_still_reads() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options::default());
    put(&engine, "k", "v");
    engine.close().unwrap();
    engine.close().unwrap();
    let refused = write(&engine, batch(&[("k", None)]));
    assert!(matches!(refused, Err(EngineError::Closed(_))), "{refused:?}");
    assert_eq!(engine.get(b"k").unwrap(), Some("v".into()));
}

#[test]
fn a_directory_has_one_engine() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options::default());
    let second = Lsm::open(path.path(), Options::default()).err();
    assert!(matches!(second, Some(EngineError::InUse { .. })), "{second:?}");
    drop(engine);
    open(path.path(), Options::default());
}

#[test]
fn a_callback_that_panics_harms_nobody_else() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), Options::default());
    engine.write(batch(&[("k", Some("v"))]), Box::new(|_| panic!("a planted panic")));
    put(&engine, "l", "v");
    engine.close().unwrap();
    assert_eq!(all(&engine).unwrap().len(), 2);
}

#[test]
fn the_last_handle_may_be_dropped_by_a_callback() {
    let path = tempfile::tempdir().unwrap();
    let engine = Arc::new(open(path.path(), Options::default()));
    let (open_gate, gate) = mpsc::channel::<()>();
    let last = engine.clone();
    let done = move |result: Result<(), EngineError>| {
        result.unwrap();
        gate.recv_timeout(PATIENCE).unwrap();
        drop(last);
    };
    engine.write(batch(&[("k", Some("v"))]), Box::new(done));
    drop(engine);
    open_gate.send(()).unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    let engine = loop {
        match Lsm::open(path.path(), Options::default()) {
            Ok(engine) => break engine,
            Err(error) => {
                assert!(matches!(error, EngineError::InUse { .. }), "{error}");
                assert!(std::time::Instant::now() < deadline, "the lock is not given back");
                std::thread::yield_now();
            }
        }
    };
    assert_eq!(engine.get(b"k").unwrap(), Some("v".into()));
}

#[test]
fn a_callback_may_close_the_engine_while_another_thread_does() {
    let path = tempfile::tempdir().unwrap();
    let engine = Arc::new(open(path.path(), Options::default()));
    let (open_gate, gate) = mpsc::channel::<()>();
    let (told, closed) = mpsc::channel();
    let (inside, tell) = (engine.clone(), told.clone());
    let done = move |result: Result<(), EngineError>| {
        result.unwrap();
        gate.recv_timeout(PATIENCE).unwrap();
        tell.send(inside.close()).unwrap();
    };
    engine.write(batch(&[("k", Some("v"))]), Box::new(done));
    let outside = engine.clone();
    std::thread::spawn(move || told.send(outside.close()).unwrap());
    // Refused from the moment on at which the other thread waits for the callback's, or is about to.
    let (answer, answers) = mpsc::channel();
    while !matches!(answers.try_recv(), Ok(Err(EngineError::Closed(_)))) {
        let answer = answer.clone();
        engine.write(Batch::default(), Box::new(move |result| drop(answer.send(result))));
        std::thread::yield_now();
    }
    open_gate.send(()).unwrap();
    for _ in 0..2 {
        closed.recv_timeout(PATIENCE).expect("an end within patience").unwrap();
    }
}

#[test]
fn a_directory_taken_away_ends_writes_and_names_the_cause() {
    let path = tempfile::tempdir().unwrap();
    let engine = open(path.path(), tiny(Sync::Always));
    put(&engine, "k", "v");
    std::fs::remove_dir_all(path.path()).unwrap();
    let refused = (0..100)
        .find_map(|number| write(&engine, batch(&[(&format!("l{number}"), Some("v"))])).err());
    let refused = refused.expect("no write can outlive its log").to_string();
    assert!(refused.contains("No such file"), "{refused}");
    assert_eq!(engine.get(b"k").unwrap(), Some("v".into()));
    assert!(engine.close().is_err());
}
