//! Workers against a store in memory, recorded and judged: an honest store is cleared, a dishonest
//! one is found, and by the checker that should find it.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use checker::{Function, History, Value, Verdict};
use harness::clock::Clock;
use harness::final_reads::FinalReads;
use harness::recorder::Recorder;
use harness::seed::Seed;
use harness::worker::Worker;
use tokio::sync::watch;
use workloads::{
    BoxFuture, Client, Completion, Connector, Invocation, RegisterOptions, SetOptions, Workload,
    WorkloadSpec,
};

const TIMEOUT: Duration = Duration::from_secs(20);
const WORKERS: u32 = 6;

/// How a store cheats on its `n`th operation, asked of a key whose values so far are `past`.
type Lie = fn(n: usize, invocation: &Invocation, past: &mut Vec<i64>) -> Option<Completion>;

/// Three replicas that are one map: every value each key ever had, in order.
struct Store {
    lie: Lie,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    operations: usize,
    keys: BTreeMap<String, Vec<i64>>,
}

#[derive(Clone)]
struct ToStore(Arc<Store>);

impl Connector for ToStore {
    fn connect(
        &self,
        _: SocketAddr,
        _: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Client>>> {
        Box::pin(async { Ok(Box::new(self.clone()) as Box<dyn Client>) })
    }
}

impl Client for ToStore {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion> {
        Box::pin(async {
            tokio::task::yield_now().await;
            let completion = self.0.serve(invocation);
            tokio::task::yield_now().await;
            completion
        })
    }

    fn is_usable(&self) -> bool {
        true
    }
}

impl Store {
    fn serve(&self, invocation: &Invocation) -> Completion {
        let mut state = self.state.lock().expect("no store panics");
        state.operations += 1;
        let n = state.operations;
        let past = state.keys.entry(invocation.key.clone()).or_default();
        if let Some(lie) = (self.lie)(n, invocation, past) {
            return lie;
        }
        if is_update(invocation) {
            past.push(argument(invocation));
            return Completion::Ok(invocation.value.clone(), None);
        }
        let version = (!is_read(invocation)).then(|| past.len().to_string());
        Completion::Ok(shown(invocation, past), version)
    }

    fn keys(&self) -> Vec<String> {
        self.state.lock().expect("no store panics").keys.keys().cloned().collect()
    }
}

/// What a read of `past` shows: of a set all of it, of a register the last.
fn shown(invocation: &Invocation, past: &[i64]) -> Value {
    if invocation.key.starts_with("set:") {
        let mut elements = past.to_vec();
        elements.sort_unstable();
        return Value::Set(elements);
    }
    past.last().map_or(Value::Nil, |last| Value::Int(*last))
}

fn is_read(invocation: &Invocation) -> bool {
    invocation.f == Function::Read
}

fn is_update(invocation: &Invocation) -> bool {
    matches!(invocation.f, Function::Write | Function::Add)
}

fn argument(invocation: &Invocation) -> i64 {
    let Value::Int(value) = invocation.value else { panic!("{invocation:?} has no number") };
    value
}

/// What each checker of `spec` says of a run against a store that cheats so.
async fn judge(spec: &WorkloadSpec, lie: Lie) -> BTreeMap<String, Verdict> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("history.jsonl");
    let workload = spec.build();
    record(&*workload, lie, &path).await;
    let file = std::fs::File::open(&path).expect("the history");
    let history = History::parse(BufReader::new(file)).expect("a well-formed history");
    let findings = checker::check_all(&history, &workload.checkers(3, &checker::Budget::default()));
    findings.into_iter().map(|finding| (finding.checker, finding.verdict)).collect()
}

/// Some thousand operations, then the final reads.
async fn record(workload: &dyn Workload, lie: Lie, path: &Path) {
    let recorder = Recorder::create(path, Clock::start()).expect("a new file");
    let store = Arc::new(Store { lie, state: Mutex::default() });
    let connector: Arc<dyn Connector> = Arc::new(ToStore(store.clone()));
    let generator = Arc::new(Mutex::new(workload.generator(Seed(1).stream("workload"))));
    let nodes: Vec<_> = (1..=3)
        .map(|port| (format!("n{port}"), SocketAddr::from(([127, 0, 0, 1], port))))
        .collect();
    let stop = watch::Sender::new(false);
    let worker = |number| Worker {
        number,
        workers: WORKERS,
        nodes: nodes.clone(),
        generator: generator.clone(),
        connector: connector.clone(),
        recorder: recorder.clone(),
        timeout: TIMEOUT,
        pace: None,
        stop: stop.subscribe(),
    };
    let workers: Vec<_> = (0..WORKERS).map(|number| tokio::spawn(worker(number).run())).collect();
    while recorder.tally().invoked < 3000 {
        tokio::task::yield_now().await;
    }
    stop.send_replace(true);
    for worker in workers {
        worker.await.expect("a worker ends").expect("it could record");
    }
    let invocations = workload.final_reads(&store.keys());
    let reads = FinalReads {
        nodes,
        invocations,
        connector,
        recorder: recorder.clone(),
        timeout: TIMEOUT,
        patience: TIMEOUT,
    };
    assert_eq!(reads.run().await.expect("it could record"), []);
    recorder.finish().expect("it could sync");
}

fn register() -> WorkloadSpec {
    let (keys, ops_per_key) = (3, 60);
    WorkloadSpec::Register(RegisterOptions { keys, ops_per_key, ..RegisterOptions::default() })
}

fn set() -> WorkloadSpec {
    WorkloadSpec::Set(SetOptions { ops_per_key: 60, ..SetOptions::default() })
}

fn honest(_: usize, _: &Invocation, _: &mut Vec<i64>) -> Option<Completion> {
    None
}

/// Every tenth update has no clear end, and every other of those happened.
fn doubt(n: usize, invocation: &Invocation, past: &mut Vec<i64>) -> Option<Completion> {
    (is_update(invocation) && n.is_multiple_of(10)).then(|| {
        if n.is_multiple_of(20) {
            past.push(argument(invocation));
        }
        Completion::Info("no reply in time".into())
    })
}

/// Every fiftieth read shows nothing at all.
fn forget(n: usize, invocation: &Invocation, _: &mut Vec<i64>) -> Option<Completion> {
    let nothing = shown(invocation, &[]);
    (is_read(invocation) && n.is_multiple_of(50)).then_some(Completion::Ok(nothing, None))
}

/// Every fiftieth read shows what nobody ever wrote, and no other does.
#[expect(clippy::ptr_arg, reason = "a lie among others, some of which push")]
fn invent(n: usize, invocation: &Invocation, past: &mut Vec<i64>) -> Option<Completion> {
    let more: Vec<i64> = past.iter().copied().chain([1_000_000]).collect();
    let invented = shown(invocation, &more);
    (is_read(invocation) && n.is_multiple_of(50)).then_some(Completion::Ok(invented, None))
}

/// Every fiftieth update is acknowledged, and dropped.
fn drop_update(n: usize, invocation: &Invocation, _: &mut Vec<i64>) -> Option<Completion> {
    (is_update(invocation) && n.is_multiple_of(50))
        .then(|| Completion::Ok(invocation.value.clone(), None))
}

/// Every fiftieth update is refused, and happens.
fn refuse_and_do(n: usize, invocation: &Invocation, past: &mut Vec<i64>) -> Option<Completion> {
    (is_update(invocation) && n.is_multiple_of(50)).then(|| {
        past.push(argument(invocation));
        Completion::Fail("UNAVAILABLE".into())
    })
}

/// Every third replica read shows a version of its own.
fn diverge(n: usize, invocation: &Invocation, past: &[i64]) -> Option<Completion> {
    (invocation.f == Function::ReadReplica && n.is_multiple_of(3))
        .then(|| Completion::Ok(shown(invocation, past), Some("another".into())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_store_is_cleared_by_every_checker() {
    for (spec, checkers) in [(register(), 5), (set(), 4)] {
        let verdicts = judge(&spec, honest).await;
        assert_eq!(verdicts.len(), checkers, "{verdicts:?}");
        assert!(verdicts.values().all(|verdict| *verdict == Verdict::Valid), "{verdicts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_of_unknown_end_accuse_nobody() {
    for spec in [register(), set()] {
        let verdicts = judge(&spec, doubt).await;
        assert!(verdicts.values().all(|verdict| *verdict == Verdict::Valid), "{verdicts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_forget_are_stale_and_nothing_is_lost() {
    for spec in [register(), set()] {
        let verdicts = judge(&spec, forget).await;
        assert_eq!(verdicts["stale-reads"], Verdict::Invalid, "{verdicts:?}");
        assert_eq!(verdicts["lost-writes"], Verdict::Valid, "{verdicts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_wrote_is_found_though_it_is_gone_in_the_end() {
    for spec in [register(), set()] {
        let verdicts = judge(&spec, invent).await;
        for judge in ["stale-reads", "lost-writes"] {
            assert_eq!(verdicts[judge], Verdict::Invalid, "{verdicts:?}");
        }
        assert_eq!(verdicts["convergence"], Verdict::Valid, "{verdicts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_add_that_was_dropped_is_lost() {
    let verdicts = judge(&set(), drop_update).await;
    assert_eq!(verdicts["lost-writes"], Verdict::Invalid, "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_write_that_was_dropped_has_no_place_in_any_order() {
    let verdicts = judge(&register(), drop_update).await;
    assert_eq!(verdicts["linearizability"], Verdict::Invalid, "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_write_that_happened_has_no_place_in_any_order() {
    let verdicts = judge(&register(), refuse_and_do).await;
    assert_eq!(verdicts["linearizability"], Verdict::Invalid, "{verdicts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_of_different_versions_have_not_converged() {
    for spec in [register(), set()] {
        let verdicts = judge(&spec, |n, invocation, past| diverge(n, invocation, past)).await;
        assert_eq!(verdicts["convergence"], Verdict::Invalid, "{verdicts:?}");
        assert_eq!(verdicts["stale-reads"], Verdict::Valid, "{verdicts:?}");
    }
}
