//! The door for whoever collects metrics: `GET /metrics`, and nothing else.
//!
//! It must never cost the node more than a reply is worth. So a connection has one request and one
//! deadline for all of it, from its first byte to the last of the reply: a client that says nothing,
//! or does not read, is dropped when it has passed. Headers are bounded in bytes, a request's body is
//! never read, and there are a few connections at a time; one more is closed unheard. Whoever holds
//! all of them blinds the collector until the deadline, but the clients of the store notice nothing.
//!
//! No `keep-alive`: a collector comes every few seconds, and idle connections would have to be bounded
//! too.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Where metrics are.
const PATH: &str = "/metrics";
/// How long to leave `accept` alone after it failed, as it does while files are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How much who collects metrics may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at a time.
    pub connections: usize,
    /// Request line and headers, in bytes; at least 8192.
    pub head_bytes: usize,
    /// For a connection from its beginning to its end.
    pub deadline: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { connections: 8, head_bytes: 8 << 10, deadline: Duration::from_secs(10) }
    }
}

/// Answers with what `text` says at that moment, until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    text: impl Fn() -> String + Send + Sync + 'static,
    bounds: Bounds,
    shutdown: CancellationToken,
) {
    let (text, permits) = (Arc::new(text), Arc::new(Semaphore::new(bounds.connections)));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => {}
            stream = accept(&listener) => {
                let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
                let text = text.clone();
                connections.spawn(async move {
                    converse(stream, &*text, bounds).await;
                    drop(permit);
                });
            }
        }
    }
    // Waits for them to be gone: they hold what `text` holds.
    connections.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a collector of metrics");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One request, one reply, one deadline.
async fn converse(stream: TcpStream, text: &(impl Fn() -> String + Sync), bounds: Bounds) {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(answer(request.method(), request.uri().path(), text))
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(bounds.head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(bounds.deadline, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a collector's connection broke"),
        Err(_) => tracing::debug!("a collector took too long, and was dropped"),
    }
}

/// What a request is answered.
fn answer(method: &Method, path: &str, text: impl Fn() -> String) -> Response<Full<Bytes>> {
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    if path != PATH {
        let body = format!("nothing is here; metrics are at {PATH}\n");
        return response(StatusCode::NOT_FOUND, plain, body);
    }
    if method != Method::GET {
        let body = "metrics can only be read: GET\n".to_owned();
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, plain, body);
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return refusal;
    }
    response(StatusCode::OK, HeaderValue::from_static(super::CONTENT_TYPE), text())
}

fn response(status: StatusCode, kind: HeaderValue, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;

    /// Longer than anything takes here; reached only when it never comes.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Door {
        address: SocketAddr,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    impl Door {
        async fn open(bounds: Bounds) -> Door {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
            let text = || "a_total 1\n# EOF\n".to_owned();
            let task = tokio::spawn(serve(listener, text, bounds, stop.clone()));
            Door { address, stop, task }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }

        /// All that is said to a client who says this, until it is hung up on.
        async fn ask(&self, request: &str) -> String {
            let mut stream = self.connect().await;
            stream.write_all(request.as_bytes()).await.unwrap();
            heard(&mut stream).await
        }
    }

    /// What comes until the other side hangs up, cleanly or not.
    async fn heard(stream: &mut TcpStream) -> String {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
        let _ended = read.expect("the other side hangs up within 20 s");
        String::from_utf8(bytes).unwrap()
    }

    fn impatient() -> Bounds {
        Bounds { deadline: Duration::from_millis(100), ..Bounds::default() }
    }

    const GET: &str = "GET /metrics HTTP/1.1\r\nHost: n1\r\n\r\n";

    #[tokio::test]
    async fn metrics_come_with_their_type_and_the_connection_ends() {
        let door = Door::open(Bounds::default()).await;
        let reply = door.ask(GET).await;
        assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
        let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
        assert!(reply.contains(kind), "{reply}");
        assert!(reply.ends_with("\r\n\r\na_total 1\n# EOF\n"), "{reply}");
    }

    #[tokio::test]
    async fn nothing_else_is_here_and_nothing_can_be_changed() {
        let door = Door::open(Bounds::default()).await;
        for path in ["/", "/metrics/", "/metricsx", "/../metrics"] {
            let reply = door.ask(&GET.replace("/metrics", path)).await;
            assert!(reply.starts_with("HTTP/1.1 404 Not Found\r\n"), "{path} {reply}");
            assert!(reply.ends_with("metrics are at /metrics\n"), "{reply}");
        }
        for method in ["POST", "DELETE", "OPTIONS", "HEAD"] {
            let reply = door.ask(&GET.replace("GET", method)).await;
            assert!(reply.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{method} {reply}");
            assert!(reply.contains("allow: GET\r\n"), "{reply}");
        }
        assert!(door.ask("GET /metrics?x=1 HTTP/1.0\r\n\r\n").await.contains("200 OK"));
    }

    #[tokio::test]
    async fn who_says_nothing_or_no_end_is_dropped() {
        let door = Door::open(impatient()).await;
        for start in ["", "GET", "GET /metrics HTTP/1.1\r\nHost: n1\r\n"] {
            assert_eq!(door.ask(start).await, "", "after {start:?}");
        }
    }

    #[tokio::test]
    async fn who_is_no_http_client_is_told_so() {
        let door = Door::open(Bounds::default()).await;
        let reply = door.ask("*1\r\n$4\r\nPING\r\n\r\n").await;
        assert!(reply.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{reply}");
    }

    #[tokio::test]
    async fn a_huge_header_is_refused_before_it_has_ended() {
        // Not by the deadline, which is far.
        let far = Bounds { deadline: 10 * PATIENCE, ..Bounds::default() };
        let door = Door::open(far).await;
        let mut stream = door.connect().await;
        let head = format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(far.head_bytes));
        stream.write_all(head.as_bytes()).await.unwrap();
        let reply = heard(&mut stream).await;
        assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
    }

    #[tokio::test]
    async fn who_does_not_read_is_dropped_and_holds_up_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // More than both sockets' buffers take.
        let text = || "x".repeat(64 << 20);
        tokio::spawn(serve(listener, text, impatient(), CancellationToken::new()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(GET.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        // A second connection is dropped by its own, later deadline: so the first one's has passed.
        let mut second = TcpStream::connect(address).await.unwrap();
        assert_eq!(heard(&mut second).await, "");
        let rest = heard(&mut stream).await;
        assert!(rest.len() < 64 << 20, "all was sent to who did not read");
    }

    #[tokio::test]
    async fn one_connection_too_many_is_closed_unheard() {
        let bounds = Bounds { connections: 1, deadline: 10 * PATIENCE, ..Bounds::default() };
        let door = Door::open(bounds).await;
        let mut first = door.connect().await;
        // Twice: by the second, the first connection has long been served.
        for _ in 0..2 {
            assert_eq!(door.ask(GET).await, "");
        }
        first.write_all(GET.as_bytes()).await.unwrap();
        assert!(heard(&mut first).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn shutdown_ends_what_is_open() {
        let door = Door::open(Bounds { deadline: 10 * PATIENCE, ..Bounds::default() }).await;
        let mut silent = door.connect().await;
        // Answered after the silent one was accepted, so that one is served too.
        assert!(door.ask(GET).await.contains("200 OK"));
        door.stop.cancel();
        tokio::time::timeout(PATIENCE, door.task).await.expect("the end").unwrap();
        assert_eq!(heard(&mut silent).await, "");
        assert!(TcpStream::connect(door.address).await.is_err(), "nobody listens any more");
    }
}
