//! What other nodes ask of us, on the connections they opened.
//!
//! An ask is begun where it is read, in the order in which they came: most reads are done there and
//! then, and writes are in the engine's hands together before any of them waits for the disk. One that
//! waits goes on in a task of its own, so that it does not hold up the ping behind it; how many may be under way on a connection is bounded, and beyond that we stop
//! reading, which the other side feels as a full pipe. A connection over which nothing came for a
//! while is closed: its dialler, which pings, has given it up long ago. So is one whose dialler has opened
//! another.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, Stream, StreamExt};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frame::{HandshakeError, Hello, welcome};
use super::message::{Answer, Ask, Request, Response};
use super::turn::Turns;

/// Asks of one connection served at once.
const UNDER_WAY: usize = 1024;
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
    let (answers, mut answered) = mpsc::channel::<Bytes>(UNDER_WAY);
    let write = async {
        while let Some(frame) = answered.recv().await {
            sink.feed(frame).await?;
            // Whoever else has an answer by now should share the system call.
            yield_now().await;
            while let Ok(frame) = answered.try_recv() {
                sink.feed(frame).await?;
            }
            sink.flush().await?;
        }
        Ok(())
    };
    tokio::select! {
        end = write => end,
        end = read(stream, handler, from, answers, asks) => end,
        () = turn.over() => Ok(()),
    }
}

async fn read<H: Handler>(
    mut stream: impl Stream<Item = std::io::Result<BytesMut>> + Unpin,
    handler: Arc<H>,
    from: Arc<str>,
    answers: mpsc::Sender<Bytes>,
    asks: TaskTracker,
) -> Result<(), HandshakeError> {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    while let Ok(Some(frame)) = timeout(ABANDONED, stream.next()).await {
        let Request { id, ask } = Request::decode(frame?.freeze())?;
        let place = places.clone().acquire_owned().await.expect("nobody closes the semaphore");
        let (handler, from, answers) = (handler.clone(), from.clone(), answers.clone());
        let mut served = Box::pin(async move {
            let answer = match ask {
                Some(Ask::Ping(_)) => Answer::Done(super::message::Done {}),
                Some(ask) => handler.handle(&from, ask).await,
                None => Answer::refused("ERR this node is too old to know what is asked"),
            };
            // Nobody to send it to means the connection is gone, and the asker knows.
            let _ =
                answers.send(Response { id, answer: Some(answer) }.encode_to_vec().into()).await;
            drop(place);
        });
        if !is_done(served.as_mut()).await {
            asks.spawn(served);
        }
    }
    Ok(())
}

/// Begins `work` here and now; whether that was all of it.
async fn is_done(mut work: Pin<&mut (impl Future<Output = ()> + Send)>) -> bool {
    poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await
}
