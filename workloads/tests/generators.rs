//! Laws of the generators: the same seed asks the same, no value is asked twice, keys come to an end.

use std::collections::{BTreeMap, BTreeSet};

use checker::{Event, Function, Kind, Process, Value};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use workloads::{
    Generator, Invocation, MvRegisterOptions, RegisterOptions, SetOptions, WorkloadSpec,
};

fn start(spec: &WorkloadSpec, seed: u64) -> Box<dyn Generator> {
    spec.build().generator(ChaCha8Rng::seed_from_u64(seed))
}

fn ask(spec: &WorkloadSpec, seed: u64, count: usize) -> Vec<Invocation> {
    let mut generator = start(spec, seed);
    (0..count).map(|_| generator.next(0).expect("it never ends")).collect()
}

fn specs() -> impl Strategy<Value = WorkloadSpec> {
    let shares = (0.0..=1.0, 0.0..=1.0);
    (0..3, 1..6_u64, 1..40_u64, 1..4_u64, shares).prop_map(
        |(kind, keys, ops_per_key, lives, (read_ratio, delete_ratio))| match kind {
            0 => {
                let rest = SetOptions::default();
                WorkloadSpec::Set(SetOptions { keys, ops_per_key, read_ratio, ..rest })
            }
            1 => WorkloadSpec::Register(RegisterOptions {
                keys,
                ops_per_key,
                lives,
                read_ratio,
                delete_ratio,
                ..RegisterOptions::default()
            }),
            _ => WorkloadSpec::MvRegister(MvRegisterOptions {
                keys,
                ops_per_key,
                lives,
                read_ratio,
                delete_ratio,
                ..MvRegisterOptions::default()
            }),
        },
    )
}

/// How many keys are worked on at a time, how many operations a life has, and how many lives a key.
fn limits(spec: &WorkloadSpec) -> (u64, u64, u64) {
    match spec {
        WorkloadSpec::Register(options) => (options.keys, options.ops_per_key, options.lives),
        WorkloadSpec::MvRegister(options) => (options.keys, options.ops_per_key, options.lives),
        WorkloadSpec::Set(options) => (options.keys, options.ops_per_key, 1),
    }
}

fn info(process: u32, invocation: &Invocation) -> Event {
    Event {
        time: 0,
        process: Process::Client(process),
        kind: Kind::Info,
        f: invocation.f.clone(),
        key: Some(invocation.key.clone()),
        value: invocation.value.clone(),
        node: None,
        version: None,
        error: Some("no reply in time".into()),
    }
}

proptest! {
    #[test]
    fn the_same_seed_asks_the_same(spec in specs(), seed: u64) {
        prop_assert_eq!(ask(&spec, seed, 200), ask(&spec, seed, 200));
    }

    #[test]
    fn values_of_a_key_ascend_from_one_and_never_repeat(spec in specs(), seed: u64) {
        let mut last = BTreeMap::new();
        for Invocation { f, key, value } in ask(&spec, seed, 500) {
            match value {
                Value::Int(value) => {
                    prop_assert!(matches!(f, Function::Write | Function::Add));
                    let before = last.insert(key, value).unwrap_or(0);
                    prop_assert_eq!(value, before + 1);
                }
                value => {
                    prop_assert!(matches!(f, Function::Read | Function::Delete));
                    prop_assert_eq!(value, Value::Nil);
                }
            }
        }
    }

    #[test]
    fn no_key_has_more_than_its_share_and_few_are_in_work_at_a_time(spec in specs(), seed: u64) {
        let (keys, ops_per_key, lives) = limits(&spec);
        let mut counts = BTreeMap::<String, u64>::new();
        for invocation in ask(&spec, seed, 500) {
            let prefix = invocation.key.split_once(':').map(|(prefix, _)| prefix);
            prop_assert_eq!(prefix, Some(spec.keyspace()));
            let count = counts.entry(invocation.key).or_default();
            *count += 1;
            prop_assert!(*count <= ops_per_key * lives);
        }
        let unfinished = counts.values().filter(|count| **count % ops_per_key > 0).count() as u64;
        prop_assert!(unfinished <= keys, "{unfinished} keys in work");
    }
}

/// Works `spec` for long; returns of each key what was asked of it, with when.
fn stories(spec: &WorkloadSpec) -> BTreeMap<String, Vec<(usize, Function)>> {
    let mut stories = BTreeMap::<String, Vec<(usize, Function)>>::new();
    for (at, asked) in ask(spec, 5, 6_000).into_iter().enumerate() {
        stories.entry(asked.key).or_default().push((at, asked.f));
    }
    stories
}

#[test]
fn every_life_of_a_key_ends_with_a_delete_and_between_two_it_rests() {
    let (ops_per_key, lives) = (10, 3);
    let register = RegisterOptions { ops_per_key, lives, ..RegisterOptions::default() };
    let siblings = MvRegisterOptions { ops_per_key, lives, ..MvRegisterOptions::default() };
    for spec in [WorkloadSpec::Register(register), WorkloadSpec::MvRegister(siblings)] {
        let mut rests = 0;
        for (key, story) in stories(&spec) {
            let whole = story.chunks(10).filter(|life| life.len() == 10);
            let ends = whole.map(|life| life[9].clone()).collect::<Vec<_>>();
            assert!(ends.iter().all(|(_, f)| *f == Function::Delete), "{key}: {story:?}");
            for ((end, _), next) in ends.iter().zip(story.chunks(10).skip(1)) {
                assert!(next[0].0 > end + 100, "{key} was deleted at {end}: {story:?}");
                rests += 1;
            }
        }
        assert!(rests > 100, "only {rests} keys were made anew");
    }
}

#[test]
fn the_delete_ratio_is_the_share_of_deletes_among_updates() {
    for (delete_ratio, expected) in [(0.0, 0..=0), (0.2, 150..=250), (1.0, 1000..=1000)] {
        let options =
            RegisterOptions { read_ratio: 0.0, delete_ratio, ..RegisterOptions::default() };
        let asked = ask(&WorkloadSpec::Register(options), 3, 1000);
        let deletes = asked.into_iter().filter(|asked| asked.f == Function::Delete).count();
        assert!(expected.contains(&deletes), "{deletes} of 1000 at {delete_ratio}");
    }
}

#[test]
fn another_seed_asks_something_else() {
    let spec = WorkloadSpec::Register(RegisterOptions::default());
    assert_ne!(ask(&spec, 1, 50), ask(&spec, 2, 50));
}

#[test]
fn the_read_ratio_is_the_share_of_reads() {
    for (read_ratio, expected) in [(0.0, 0..=0), (0.5, 450..=550), (1.0, 1000..=1000)] {
        let spec =
            WorkloadSpec::Register(RegisterOptions { read_ratio, ..RegisterOptions::default() });
        let reads = ask(&spec, 3, 1000).into_iter().filter(|asked| asked.f == Function::Read);
        let reads = reads.count();
        assert!(expected.contains(&reads), "{reads} of 1000 at {read_ratio}");
    }
}

#[test]
fn a_register_with_too_many_writes_of_unknown_end_is_retired() {
    let options = RegisterOptions { keys: 1, infos_per_key: 3, ..RegisterOptions::default() };
    let mut generator = start(&WorkloadSpec::Register(options), 1);
    let mut infos = BTreeMap::<String, u64>::new();
    for process in 0..30 {
        let asked = generator.next(0).unwrap();
        generator.observe(&info(process, &asked));
        *infos.entry(asked.key).or_default() += 1;
    }
    assert_eq!(infos.len(), 10);
    assert_eq!(infos.into_values().collect::<BTreeSet<_>>(), BTreeSet::from([3]));
}

#[test]
fn completions_that_are_certain_retire_nothing() {
    let options = RegisterOptions { keys: 1, infos_per_key: 1, ..RegisterOptions::default() };
    let mut generator = start(&WorkloadSpec::Register(options), 1);
    for process in 0..50 {
        let asked = generator.next(0).unwrap();
        assert_eq!(asked.key, "register:0");
        for kind in [Kind::Invoke, Kind::Ok, Kind::Fail] {
            generator.observe(&Event { kind, ..info(process, &asked) });
        }
    }
}

#[test]
fn final_reads_ask_each_own_key_once() {
    let workload = WorkloadSpec::Register(RegisterOptions::default()).build();
    let keys = ["register:1", "set:0", "register:0", "register:1", "registers:0", "register"];
    let reads = workload.final_reads(&keys.map(String::from));
    let asked: Vec<_> = reads.iter().map(|read| (read.f.clone(), read.key.as_str())).collect();
    let replica = Function::ReadReplica;
    assert_eq!(asked, [(replica.clone(), "register:1"), (replica, "register:0")]);
}
