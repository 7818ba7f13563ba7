//! What other nodes ask of us, on the connections they opened.
//!
//! An ask is begun where it is read, in the order in which they came: reads are done there and then,
//! and writes that came together are left with the engine together, and then committed at once. What
//! must wait for more goes on in a task of its own, so that it does not hold up the ping behind it; how
//! many may be under way on a connection is bounded, and beyond that we stop reading, which the other
//! side feels as a full pipe. A connection over which nothing came for a while is closed: its dialler,
//! which pings, has given it up long ago. So is one whose dialler has opened another.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, SinkExt, Stream, StreamExt};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frame::{HandshakeError, Hello, welcome};
use super::message::{Answer, Ask, Request, Response};
use super::turn::Turns;
use crate::grace::Entered;
use crate::turn::end_of_turn;

/// Asks of one connection served at once.
const UNDER_WAY: usize = 1024;
/// Asks that came together and are looked at together, at most.
const TOGETHER: usize = 64;
/// For a stranger to say hello.
const HELLO: Duration = Duration::from_secs(2);
/// A dialler pings several times a second; this much silence means it is gone.
const ABANDONED: Duration = Duration::from_secs(5);
const WRITE_BYTES: usize = 64 << 10;

/// Serves what other nodes ask.
pub trait Handler: Send + Sync + 'static {
    /// Why this dialler is refused, if it is.
    fn judge(&self, hello: &Hello) -> Option<String>;
    /// Answers an ask of the node `from`.
    fn handle(&self, from: &str, ask: Ask) -> impl Future<Output = Answer> + Send;
    /// Hears of asks that came together, before they are begun.
    fn expect(&self, _: &[Request]) {}
    /// Begins to answer an ask where nothing needs a task; gives it back where it does.
    fn begin(&self, ask: Ask, asker: Asker) -> Option<(Ask, Asker)> {
        Some((ask, asker))
    }
    /// Holds back grace periods until an ask is answered that needs a task: what it brings is begun late,
    /// after what its node sent behind it.
    fn enter(&self, _: &Ask) -> Option<Entered> {
        None
    }
    /// No more asks came together with those that were begun.
    fn lead(&self) {}
}

/// Who asked, and is to be told the answer.
pub struct Asker {
    id: u64,
    answers: mpsc::UnboundedSender<Outgoing>,
    place: OwnedSemaphorePermit,
}

/// An answer, and the place it takes until it is written: so many wait at most.
struct Outgoing {
    response: Response,
    _place: OwnedSemaphorePermit,
}

impl Asker {
    /// Sends the answer. If nobody is there to send it to, the connection is gone, and the asker knows.
    pub fn tell(self, answer: Answer) {
        let response = Response { id: self.id, answer: Some(answer) };
        let _ = self.answers.send(Outgoing { response, _place: self.place });
    }
}

/// Accepts connections of other nodes until `shutdown`; those still open are then closed, and what
/// they had asked is finished.
pub async fn listen<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let (asks, turns) = (TaskTracker::new(), Arc::new(Turns::default()));
    loop {
        let stream = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, handler.clone(), asks.clone(), turns.clone()));
            }
            // Out of descriptors, most likely: let some be closed.
            Err(error) => {
                tracing::warn!("failed to accept a node's connection: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
    asks.close();
    asks.wait().await;
}

async fn serve<H: Handler>(
    stream: TcpStream,
    handler: Arc<H>,
    asks: TaskTracker,
    turns: Arc<Turns>,
) {
    if let Err(error) = exchange(stream, handler, asks, &turns).await {
        tracing::debug!("a node's connection ended: {error}");
    }
}

async fn exchange<H: Handler>(
    stream: TcpStream,
    handler: Arc<H>,
    asks: TaskTracker,
    turns: &Turns,
) -> Result<(), HandshakeError> {
    let greeted = timeout(HELLO, welcome(stream, |hello| handler.judge(hello)));
    let (mut frames, from) = greeted.await.map_err(|_| HandshakeError::Closed)??;
    let from = from.into();
    let turn = turns.take(&from).await;
    frames.set_backpressure_boundary(WRITE_BYTES);
    let (mut sink, stream) = frames.split();
    // Not bounded by itself: what is in it has a place each.
    let (answers, mut answered) = mpsc::unbounded_channel::<Outgoing>();
    let write = async {
        while let Some(outgoing) = answered.recv().await {
            sink.feed(Bytes::from(outgoing.response.encode_to_vec())).await?;
            while let Ok(outgoing) = answered.try_recv() {
                sink.feed(Bytes::from(outgoing.response.encode_to_vec())).await?;
            }
            sink.flush().await?;
        }
        Ok(())
    };
    let end = tokio::select! {
        end = write => end,
        end = read(stream, handler.clone(), from, answers, asks) => end,
        () = turn.over() => Ok(()),
    };
    // For writes that were begun, should this have ended before they were led.
    handler.lead();
    end
}

async fn read<H: Handler>(
    mut stream: impl Stream<Item = std::io::Result<BytesMut>> + Unpin,
    handler: Arc<H>,
    from: Arc<str>,
    answers: mpsc::UnboundedSender<Outgoing>,
    asks: TaskTracker,
) -> Result<(), HandshakeError> {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    let (mut together, mut has_begun) = (Vec::new(), false);
    loop {
        let mut goes_on = take_here(&mut stream, &mut together)?;
        if together.is_empty() && goes_on {
            if std::mem::take(&mut has_begun) {
                // Others who are about to leave writes should share the commit.
                end_of_turn().await;
                handler.lead();
                continue;
            }
            let Ok(Some(frame)) = timeout(ABANDONED, stream.next()).await else { return Ok(()) };
            together.push(Request::decode(frame?.freeze())?);
            goes_on = take_here(&mut stream, &mut together)?;
        }
        handler.expect(&together);
        for Request { id, ask } in together.drain(..) {
            if places.available_permits() == 0 {
                // All may be those of writes that nobody has had committed.
                handler.lead();
            }
            let place = places.clone().acquire_owned().await.expect("nobody closes the semaphore");
            let asker = Asker { id, answers: answers.clone(), place };
            match ask {
                Some(Ask::Ping(_)) => asker.tell(Answer::Done(super::message::Done {})),
                None => {
                    asker.tell(Answer::refused("ERR this node is too old to know what is asked"));
                }
                Some(ask) => match handler.begin(ask, asker) {
                    None => has_begun = true,
                    Some((ask, asker)) => go_on(&handler, &asks, &from, ask, asker),
                },
            }
        }
        if !goes_on {
            return Ok(());
        }
    }
}

/// Takes what is here, as far as it may be looked at together; whether more may come.
fn take_here(
    stream: &mut (impl Stream<Item = std::io::Result<BytesMut>> + Unpin),
    together: &mut Vec<Request>,
) -> Result<bool, HandshakeError> {
    while together.len() < TOGETHER {
        match stream.next().now_or_never() {
            Some(Some(frame)) => together.push(Request::decode(frame?.freeze())?),
            Some(None) => return Ok(false),
            None => break,
        }
    }
    Ok(true)
}

/// Answers an ask in a task of its own.
fn go_on<H: Handler>(
    handler: &Arc<H>,
    asks: &TaskTracker,
    from: &Arc<str>,
    ask: Ask,
    asker: Asker,
) {
    let (handler, from) = (handler.clone(), from.clone());
    let under_way = handler.enter(&ask);
    asks.spawn(async move {
        asker.tell(handler.handle(&from, ask).await);
        drop(under_way);
    });
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::super::frame::greet;
    use super::super::message::{Done, Ping, ReplicaRead};
    use super::*;

    /// Answers reads when it is led, and not before: as an engine does that is left writes.
    #[derive(Default)]
    struct Led {
        waiting: Mutex<Vec<Asker>>,
    }

    impl Handler for Led {
        fn judge(&self, _: &Hello) -> Option<String> {
            None
        }

        async fn handle(&self, _: &str, _: Ask) -> Answer {
            Answer::Done(Done {})
        }

        fn begin(&self, _: Ask, asker: Asker) -> Option<(Ask, Asker)> {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(asker);
            None
        }

        fn lead(&self) {
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
            for asker in waiting {
                asker.tell(Answer::Done(Done {}));
            }
        }
    }

    #[tokio::test]
    async fn more_asks_than_have_a_place_are_all_answered_in_their_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(listen(listener, Arc::new(Led::default()), CancellationToken::new()));
        let stream = TcpStream::connect(address).await.unwrap();
        let mut frames = greet(stream, &Hello::new("demo", "n1", "n2")).await.unwrap();
        // In one write, so that they are there together.
        frames.set_backpressure_boundary(1 << 20);
        let count = 2 * UNDER_WAY as u64 + TOGETHER as u64 / 2;
        for id in 0..count {
            let read = ReplicaRead { key: "k".into(), known: None, held_for: None };
            let ask = if id % 100 == 99 { Ask::Ping(Ping {}) } else { Ask::Read(read) };
            let request = Request { id, ask: Some(ask) };
            frames.feed(Bytes::from(request.encode_to_vec())).await.unwrap();
        }
        SinkExt::<Bytes>::flush(&mut frames).await.unwrap();
        let mut answered = Vec::new();
        let deadline = Duration::from_secs(20);
        while answered.len() < count as usize {
            let next = timeout(deadline, frames.next()).await;
            let next =
                next.unwrap_or_else(|_| panic!("only {} of {count} answers", answered.len()));
            answered.push(Response::decode(next.unwrap().unwrap().freeze()).unwrap().id);
        }
        let reads: Vec<u64> = answered.iter().copied().filter(|id| id % 100 != 99).collect();
        assert!(reads.is_sorted(), "reads are answered in the order in which they came");
        answered.sort_unstable();
        assert_eq!(answered, (0..count).collect::<Vec<_>>());
    }
}
