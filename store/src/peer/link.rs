//! Our connection to one other node: dialled, kept alive, cut when silent, dialled again.
//!
//! A caller hands over an ask and is told its answer, or an error that says whether the ask may have
//! left this node; told on the task that owns the socket, where nobody may wait. While there is no connection an ask is refused at once, and so it is when the
//! queue is full: waiting in line for a node that does not answer only spends the caller's time.
//!
//! ```text
//! dial -> greet -> carry (writer | reader | watch) -> broken -> pause -> dial …
//! ```

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, sleep, timeout, timeout_at};

use super::frame::{Frames, HandshakeError, Hello, greet};
use super::message::{Answer, Ask, Ping, Request, Response};
use super::pending::{Pending, Waiter};

/// Asks that may wait to be written to one connection.
const QUEUE: usize = 4096;
/// Bytes gathered before the kernel is asked to take them.
const WRITE_BYTES: usize = 64 << 10;

/// How patient a link is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A dial and its handshake are given up after this.
    pub dial: Duration,
    /// A connection is cut when something is owed and nothing was heard for this long.
    pub silence: Duration,
    /// After this long without a word, ask for one.
    pub ping: Duration,
    /// First and longest pause between dials; it doubles in between.
    pub pause: (Duration, Duration),
}

impl Default for Timing {
    fn default() -> Timing {
        let ms = Duration::from_millis;
        Timing { dial: ms(300), silence: ms(500), ping: ms(150), pause: (ms(10), ms(160)) }
    }
}

/// Why an ask was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no connection: nothing was sent.
    #[error("not connected")]
    NotConnected,
    /// Too much is waiting already: nothing was sent.
    #[error("overloaded")]
    Overloaded,
    /// The connection broke with the ask on its way.
    #[error("connection lost")]
    Lost,
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// The other node said no, in these words.
    #[error("{0}")]
    Refused(String),
    /// The other node answered something else.
    #[error("answered out of turn")]
    Confused,
}

impl CallError {
    /// Whether the ask certainly never left this node.
    pub fn is_unsent(&self) -> bool {
        matches!(self, CallError::NotConnected | CallError::Overloaded)
    }
}

struct Outgoing {
    ask: Ask,
    deadline: Instant,
    waiter: Waiter,
}

/// Our connection to one other node. Dropping it ends it.
pub struct Link {
    // Bounded, and written by `try_send` only: a full queue is an answer, not a place to wait.
    queue: mpsc::Sender<Outgoing>,
    // Set by the task that owns the socket, read by every caller.
    connected: Arc<AtomicBool>,
}

impl Link {
    /// Begins to dial `address`, for as long as the link lives.
    pub fn dial(hello: Hello, address: SocketAddr, timing: Timing) -> Link {
        let (queue, asks) = mpsc::channel(QUEUE);
        let connected = Arc::new(AtomicBool::new(false));
        let line = Line { hello, address, timing, connected: connected.clone(), asks };
        tokio::spawn(line.keep());
        Link { queue, connected }
    }

    /// Whether a connection stands, as far as one can know.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Asks. `waiter` is told the answer, or why there is none; some time after `deadline`, that it is
    /// late. An error that is returned it is not told: then nothing was sent.
    pub fn ask(&self, ask: Ask, deadline: Instant, waiter: Waiter) -> Result<(), CallError> {
        if !self.is_connected() {
            return Err(CallError::NotConnected);
        }
        let outgoing = Outgoing { ask, deadline, waiter };
        self.queue.try_send(outgoing).map_err(|_| CallError::Overloaded)
    }

    /// Asks, and waits for the answer until `deadline`. A refusal comes back as an error.
    pub async fn call(&self, ask: Ask, deadline: Instant) -> Result<Answer, CallError> {
        let (tell, told) = oneshot::channel();
        self.ask(ask, deadline, Box::new(|answer| drop(tell.send(answer))))?;
        match timeout_at(deadline.into(), told).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::Lost),
            Err(_) => Err(CallError::Late),
        }
    }
}

/// The side of a link that owns the socket.
struct Line {
    hello: Hello,
    address: SocketAddr,
    timing: Timing,
    connected: Arc<AtomicBool>,
    asks: mpsc::Receiver<Outgoing>,
}

impl Line {
    async fn keep(mut self) {
        let mut pause = self.timing.pause.0;
        let mut told = String::new();
        while !self.asks.is_closed() {
            match self.open().await {
                Ok(frames) => {
                    tracing::debug!(peer = self.hello.to, "connected");
                    told.clear();
                    pause = self.timing.pause.0;
                    self.connected.store(true, Ordering::Release);
                    let end = self.carry(frames).await;
                    self.connected.store(false, Ordering::Release);
                    tracing::debug!(peer = self.hello.to, "disconnected: {end}");
                }
                Err(error) => self.tell(&error, &mut told),
            }
            self.refuse_unsent();
            sleep(pause).await;
            pause = (pause * 2).min(self.timing.pause.1);
        }
    }

    /// A refusal is the operator's business and is said once; an absent node is everyday life.
    fn tell(&self, error: &HandshakeError, told: &mut String) {
        if let HandshakeError::Refused(refusal) = error
            && told != refusal
        {
            told.clone_from(refusal);
            tracing::warn!(peer = self.hello.to, address = %self.address, "refused: {refusal}");
        }
    }

    async fn open(&self) -> Result<Frames, HandshakeError> {
        let opened = timeout(self.timing.dial, async {
            greet(TcpStream::connect(self.address).await?, &self.hello).await
        });
        opened
            .await
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }

    async fn carry(&mut self, mut frames: Frames) -> String {
        frames.set_backpressure_boundary(WRITE_BYTES);
        let (sink, stream) = frames.split();
        // Shared by the three below, which are one task: locked for a map operation at a time.
        let pending = Mutex::new(Pending::new(Instant::now()));
        let end = tokio::select! {
            end = write(sink, &mut self.asks, &pending, self.timing.ping) => end,
            end = read(stream, &pending) => end,
            () = watch(&pending, self.timing.silence) => Ok("silent"),
        };
        let lost = lock(&pending).lose();
        for waiter in lost {
            waiter(Err(CallError::Lost));
        }
        end.map_or_else(|error| error.to_string(), str::to_owned)
    }

    /// What is still in the queue was never written.
    fn refuse_unsent(&mut self) {
        while let Ok(outgoing) = self.asks.try_recv() {
            (outgoing.waiter)(Err(CallError::NotConnected));
        }
    }
}

async fn write(
    mut sink: impl Sink<Bytes, Error = std::io::Error> + Unpin,
    asks: &mut mpsc::Receiver<Outgoing>,
    pending: &Mutex<Pending>,
    ping: Duration,
) -> Result<&'static str, HandshakeError> {
    let mut tick = tokio::time::interval(ping);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut next = tokio::select! {
            asked = asks.recv() => match asked {
                Some(outgoing) => Some(outgoing),
                None => return Ok("closed"),
            },
            _ = tick.tick() => {
                let quiet = lock(pending).quiet(Instant::now()) >= ping;
                let deadline = Instant::now() + ping;
                quiet.then(|| Outgoing { ask: Ask::Ping(Ping {}), deadline, waiter: Box::new(drop) })
            }
        };
        while let Some(Outgoing { ask, deadline, waiter }) = next {
            let id = lock(pending).ask(waiter, deadline, Instant::now());
            sink.feed(Request { id, ask: Some(ask) }.encode_to_vec().into()).await?;
            next = asks.try_recv().ok();
        }
        sink.flush().await?;
    }
}

async fn read(
    mut stream: impl Stream<Item = std::io::Result<BytesMut>> + Unpin,
    pending: &Mutex<Pending>,
) -> Result<&'static str, HandshakeError> {
    while let Some(frame) = stream.next().await {
        let response = Response::decode(frame?.freeze())?;
        let waiter = lock(pending).answer(response.id, Instant::now());
        // Not under the lock: who is told may ask again.
        if let Some(waiter) = waiter {
            waiter(match response.answer {
                Some(Answer::Refused(refused)) => Err(CallError::Refused(refused.error)),
                answer => answer.ok_or(CallError::Confused),
            });
        }
    }
    Ok("the other side hung up")
}

/// Returns when the other side has been silent too long.
async fn watch(pending: &Mutex<Pending>, silence: Duration) {
    loop {
        sleep(silence / 10).await;
        let now = Instant::now();
        if lock(pending).silent(now) >= silence {
            return;
        }
        let late = lock(pending).expire(now);
        for waiter in late {
            waiter(Err(CallError::Late));
        }
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::super::frame::welcome;
    use super::super::message::{Done, ReplicaRead};
    use super::super::{Handler, listen};
    use super::*;

    /// Refuses what it is asked with the key it was asked for, so that answers can be told apart.
    struct Echo;

    impl Handler for Echo {
        fn judge(&self, hello: &Hello) -> Option<String> {
            hello.refusal("demo", "n2", &["n1", "n2"])
        }

        async fn handle(&self, from: &str, ask: Ask) -> Answer {
            match ask {
                Ask::Read(read) => Answer::refused(format!("{from} {:?}", read.key)),
                _ => Answer::Done(Done {}),
            }
        }
    }

    fn quick() -> Timing {
        let ms = Duration::from_millis;
        Timing { dial: ms(200), silence: ms(100), ping: ms(20), pause: (ms(5), ms(20)) }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn read(key: &str) -> Ask {
        Ask::Read(ReplicaRead { key: Bytes::from(key.to_owned()), known: None, held_for: None })
    }

    async fn bind() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    async fn connected(link: &Link) {
        let wait = async {
            while !link.is_connected() {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(10), wait).await.expect("the link connects within 10 s");
    }

    #[tokio::test]
    async fn answers_find_their_asks() {
        let (listener, address) = bind().await;
        tokio::spawn(listen(listener, Arc::new(Echo), CancellationToken::new()));
        let link = Link::dial(Hello::new("demo", "n1", "n2"), address, quick());
        connected(&link).await;
        let keys: Vec<String> = (0..100).map(|i| format!("k{i}")).collect();
        let calls = keys.iter().map(|key| link.call(read(key), soon()));
        let answers = futures_util::future::join_all(calls).await;
        for (key, answer) in keys.iter().zip(answers) {
            assert_eq!(answer, Err(CallError::Refused(format!("n1 b\"{key}\""))));
        }
    }

    #[tokio::test]
    async fn with_nobody_there_an_ask_is_refused_unsent() {
        let (listener, address) = bind().await;
        drop(listener);
        let link = Link::dial(Hello::new("demo", "n1", "n2"), address, quick());
        let error = link.call(read("k"), soon()).await.expect_err("nobody listens");
        assert_eq!(error, CallError::NotConnected);
        assert!(error.is_unsent());
    }

    #[tokio::test]
    async fn what_was_queued_as_the_connection_went_is_refused_unsent() {
        let (listener, address) = bind().await;
        drop(listener);
        let link = Link::dial(Hello::new("demo", "n1", "n2"), address, quick());
        // As a caller sees it that looked just before the line noticed.
        link.connected.store(true, Ordering::Release);
        assert_eq!(link.call(read("k"), soon()).await, Err(CallError::NotConnected));
    }

    #[tokio::test]
    async fn a_node_of_another_cluster_is_never_connected() {
        let (listener, address) = bind().await;
        let hello = Hello::new("other", "n1", "n2");
        let (told, mut heard) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let judged = welcome(stream, |hello| Echo.judge(hello)).await;
                let _ = told.send(judged.map(|(_, from)| from).map_err(|e| e.to_string())).await;
            }
        });
        let link = Link::dial(hello, address, quick());
        for _ in 0..2 {
            let judged = timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
            assert_eq!(judged, Err("refused: this is cluster `demo`, not `other`".into()));
            assert!(!link.is_connected());
        }
    }

    #[tokio::test]
    async fn a_silent_connection_is_cut_and_dialled_anew() {
        let (listener, address) = bind().await;
        let link = Link::dial(Hello::new("demo", "n1", "n2"), address, quick());
        let (stream, _) = listener.accept().await.unwrap();
        let (silent, _) = welcome(stream, |_| None).await.unwrap();
        connected(&link).await;
        let lost = link.call(read("k"), soon());
        let redialled = async {
            tokio::spawn(listen(listener, Arc::new(Echo), CancellationToken::new()));
        };
        let (lost, ()) = tokio::join!(lost, redialled);
        assert_eq!(lost, Err(CallError::Lost), "it was sent, so it may have happened");
        connected(&link).await;
        let answer = link.call(read("k"), soon()).await;
        assert_eq!(answer, Err(CallError::Refused("n1 b\"k\"".into())));
        drop(silent);
    }

    #[tokio::test(start_paused = true)]
    async fn pings_missed_in_a_pause_are_not_made_up_for() {
        let (told, mut sent) = mpsc::unbounded_channel();
        let sink = Box::pin(futures_util::sink::unfold(told, async |told, frame: Bytes| {
            told.send(frame).map(|()| told).map_err(std::io::Error::other)
        }));
        let (_asks, mut asks) = mpsc::channel(1);
        let pending =
            Mutex::new(Pending::new(Instant::now().checked_sub(Duration::from_secs(1)).unwrap()));
        let writer = write(sink, &mut asks, &pending, quick().ping);
        let after_a_pause = async {
            sent.recv().await.unwrap();
            tokio::time::advance(Duration::from_hours(1)).await;
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            sent.len()
        };
        tokio::select! {
            end = writer => panic!("the writer ended: {end:?}"),
            pings = after_a_pause => assert_eq!(pings, 1),
        }
    }
}
