//! Stand-ins for a cluster, without sockets: nodes that connect, answer and hang as a script says.

use std::io::{BufReader, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use checker::{Event, Function, History, Kind, Process, Value};
use tokio::sync::Semaphore;
use workloads::client::BoxFuture;
use workloads::{Client, Completion, Connector, Generator, Invocation};

use crate::clock::Clock;
use crate::recorder::Recorder;
use crate::seat::Node;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a fake node does with an operation: its completion, and whether the connection survives.
pub(crate) type Script = dyn Fn(u16, &Invocation) -> (Completion, bool) + Send + Sync;

/// Nodes by port. Connecting to one of `dead` is refused.
pub(crate) struct Fake {
    script: Box<Script>,
    dead: Mutex<Vec<u16>>,
    pub(crate) connects: AtomicUsize,
    /// One permit an operation; a test that holds them back has operations in flight.
    pub(crate) permits: Semaphore,
}

impl Fake {
    /// Nodes that answer at once.
    pub(crate) fn new(
        script: impl Fn(u16, &Invocation) -> (Completion, bool) + Send + Sync + 'static,
    ) -> Arc<Fake> {
        Fake::with_permits(Semaphore::MAX_PERMITS, script)
    }

    /// Nodes that answer that many operations.
    pub(crate) fn with_permits(
        permits: usize,
        script: impl Fn(u16, &Invocation) -> (Completion, bool) + Send + Sync + 'static,
    ) -> Arc<Fake> {
        Arc::new(Fake {
            script: Box::new(script),
            dead: Mutex::new(Vec::new()),
            connects: AtomicUsize::new(0),
            permits: Semaphore::new(permits),
        })
    }

    /// From now on exactly these ports refuse.
    pub(crate) fn set_dead(&self, ports: &[u16]) {
        *self.dead.lock().unwrap() = ports.to_vec();
    }
}

/// A connector to a fake.
pub(crate) struct ToFake(pub(crate) Arc<Fake>);

struct FakeClient {
    fake: Arc<Fake>,
    port: u16,
    usable: bool,
}

impl Connector for ToFake {
    fn connect(
        &self,
        address: SocketAddr,
        _timeout: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Client>>> {
        Box::pin(async move {
            self.0.connects.fetch_add(1, Ordering::Relaxed);
            if self.0.dead.lock().unwrap().contains(&address.port()) {
                return Err(ErrorKind::ConnectionRefused.into());
            }
            let client = FakeClient { fake: self.0.clone(), port: address.port(), usable: true };
            Ok(Box::new(client) as Box<dyn Client>)
        })
    }
}

impl Client for FakeClient {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion> {
        Box::pin(async move {
            assert!(self.usable, "a lost connection was used again");
            self.fake.permits.acquire().await.unwrap().forget();
            let (completion, usable) = (self.fake.script)(self.port, invocation);
            self.usable = usable;
            completion
        })
    }

    fn is_usable(&self) -> bool {
        self.usable
    }
}

/// Writes 1, 2, 3, … up to a last one; keeps what it was shown.
pub(crate) struct Counting {
    pub(crate) next: i64,
    pub(crate) last: i64,
    pub(crate) seen: Arc<Mutex<Vec<Event>>>,
}

impl Generator for Counting {
    fn next(&mut self, _worker: u32) -> Option<Invocation> {
        let value = self.next;
        self.next += 1;
        let key = "register:0".to_owned();
        (value <= self.last).then_some(Invocation {
            f: Function::Write,
            key,
            value: Value::Int(value),
        })
    }

    fn observe(&mut self, event: &Event) {
        self.seen.lock().unwrap().push(event.clone());
    }
}

/// A node that listens nowhere: its name is `n` and its port.
pub(crate) fn node(port: u16) -> Node {
    (format!("n{port}"), SocketAddr::from(([127, 0, 0, 1], port)))
}

/// A recorder into a fresh directory.
pub(crate) struct Tape {
    _dir: tempfile::TempDir,
    path: PathBuf,
    pub(crate) recorder: Recorder,
}

impl Tape {
    pub(crate) fn new() -> Tape {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.jsonl");
        let recorder = Recorder::create(&path, Clock::start()).unwrap();
        Tape { _dir: dir, path, recorder }
    }

    /// Everything recorded; nothing may follow.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.recorder.finish().unwrap();
        let file = std::fs::File::open(&self.path).unwrap();
        History::parse(BufReader::new(file)).unwrap().events().to_vec()
    }

    /// The same as text: `process kind value node`.
    pub(crate) fn lines(&self) -> Vec<String> {
        lines(&self.events())
    }
}

/// Events as text: `process kind value node`.
pub(crate) fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(line).collect()
}

fn line(event: &Event) -> String {
    let Process::Client(process) = event.process else { return "nemesis".into() };
    let kind = match event.kind {
        Kind::Invoke => "invoke",
        Kind::Ok => "ok",
        Kind::Fail => "fail",
        Kind::Info => "info",
    };
    let value = match &event.value {
        Value::Int(value) => value.to_string(),
        other => format!("{other:?}"),
    };
    format!("{process} {kind} {value} {}", event.node.as_deref().unwrap_or("-"))
}

/// Waits until `holds`, and says what was `seen` if it never does.
pub(crate) async fn until<T: std::fmt::Debug>(seen: impl Fn() -> T, holds: impl Fn(&T) -> bool) {
    let start = Instant::now();
    loop {
        let now = seen();
        if holds(&now) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain; last seen: {now:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
