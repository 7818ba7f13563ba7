//! The server over real TCP: what a client sees, from the first byte to a drained shutdown.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stderr, reason = "who reads a passed run must see what it skipped")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command as Program, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use store::Command;
use store::resp::{self, Reply, ReplyDecoder, encode_request};
use store::server::{Limits, Service, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_util::codec::Decoder;

/// Longer than any reply takes here; reached only when one never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A map, which answers `SET slow …` only once the gate has a permit.
struct Map {
    pairs: Mutex<BTreeMap<Bytes, Bytes>>,
    gate: Semaphore,
    entered: Semaphore,
}

impl Service for Map {
    async fn execute(&self, commands: Vec<Command>) -> Vec<Reply> {
        futures_util::future::join_all(commands.into_iter().map(|it| self.answer(it))).await
    }
}

impl Map {
    async fn answer(&self, command: Command) -> Reply {
        match command {
            Command::Get { keys, many } => {
                let pairs = self.pairs.lock().unwrap();
                let mut values = keys.iter().map(|key| {
                    pairs.get(key).map_or(Reply::Nil, |value| Reply::Bulk(value.clone()))
                });
                if many { Reply::Array(values.collect()) } else { values.next().unwrap() }
            }
            Command::Set { pairs } => {
                if pairs[0].0 == "slow" {
                    self.entered.add_permits(1);
                    self.gate.acquire().await.unwrap().forget();
                }
                self.pairs.lock().unwrap().extend(pairs);
                Reply::OK
            }
            Command::ConfigGet { patterns } => Reply::Map(
                patterns.iter().map(|name| (Reply::bulk(name), Reply::bulk(""))).collect(),
            ),
            Command::DbSize => Reply::Integer(self.pairs.lock().unwrap().len().try_into().unwrap()),
            other => Reply::Error(format!("ERR {other:?}")),
        }
    }
}

struct Running {
    address: SocketAddr,
    service: Arc<Map>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(limits: Limits) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = Arc::new(Map {
            pairs: Mutex::default(),
            gate: Semaphore::new(0),
            entered: Semaphore::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            stopped.await.ok();
        };
        let task = tokio::spawn(serve(listener, service.clone(), limits, shutdown));
        Running { address, service, stop, task }
    }

    async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Client { stream, decoder: ReplyDecoder::default(), incoming: BytesMut::new() }
    }
}

struct Client {
    stream: TcpStream,
    decoder: ReplyDecoder,
    incoming: BytesMut,
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next reply; `None` when the server has closed.
    async fn receive(&mut self) -> Option<Reply> {
        let reply = async {
            loop {
                if let Some(reply) = self.decoder.decode(&mut self.incoming).unwrap() {
                    return Some(reply);
                }
                if self.stream.read_buf(&mut self.incoming).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reply).await.expect("a reply within patience")
    }

    async fn ask(&mut self, request: &str) -> Reply {
        let words: Vec<&str> = request.split(' ').collect();
        let mut out = BytesMut::new();
        encode_request(&words, &mut out);
        self.send(&out).await;
        self.receive().await.expect("a reply, not the end of the connection")
    }
}

fn error(text: &str) -> Reply {
    Reply::Error(text.to_owned())
}

#[tokio::test]
async fn commands_reach_the_service_and_their_replies_the_client() {
    let server = Running::start(Limits::default()).await;
    let mut client = server.client().await;
    assert_eq!(client.ask("SET k v").await, Reply::OK);
    assert_eq!(client.ask("get k").await, Reply::bulk("v"));
    assert_eq!(client.ask("GET other").await, Reply::Nil);
    assert_eq!(client.ask("MGET k other").await, Reply::Array(vec![Reply::bulk("v"), Reply::Nil]));
    assert_eq!(client.ask("DBSIZE").await, Reply::Integer(1));
}

#[tokio::test]
async fn a_refused_request_leaves_the_connection_usable() {
    let server = Running::start(Limits::default()).await;
    let mut client = server.client().await;
    let arity = error("ERR wrong number of arguments for 'get' command");
    assert_eq!(client.ask("GET").await, arity);
    let unknown = error("ERR unknown command 'NOPE', with args beginning with: 'a' 'b' ");
    assert_eq!(client.ask("NOPE a b").await, unknown);
    assert_eq!(client.ask("SELECT 1").await, error("ERR DB index is out of range"));
    assert_eq!(client.ask("SELECT 0").await, Reply::OK);
    assert_eq!(client.ask("PING").await, Reply::Simple("PONG".into()));
}

#[tokio::test]
async fn hello_changes_the_version_of_its_own_reply_and_of_this_connection_alone() {
    let server = Running::start(Limits::default()).await;
    let (mut new, mut old) = (server.client().await, server.client().await);
    let Reply::Map(fields) = new.ask("HELLO 3").await else { panic!("RESP3 answers with a map") };
    assert!(fields.contains(&(Reply::bulk("proto"), Reply::Integer(3))), "{fields:?}");
    assert!(matches!(new.ask("CONFIG GET save").await, Reply::Map(_)));
    assert!(matches!(old.ask("CONFIG GET save").await, Reply::Array(_)));
    assert_eq!(new.ask("HELLO 4").await, error("NOPROTO unsupported protocol version"));
    assert_eq!(new.ask("RESET").await, Reply::Simple("RESET".into()));
    assert!(matches!(new.ask("CONFIG GET save").await, Reply::Array(_)));
}

#[tokio::test]
async fn a_connection_keeps_its_name() {
    let server = Running::start(Limits::default()).await;
    let mut client = server.client().await;
    assert_eq!(client.ask("CLIENT GETNAME").await, Reply::Nil);
    assert_eq!(client.ask("CLIENT SETNAME me").await, Reply::OK);
    assert_eq!(client.ask("CLIENT GETNAME").await, Reply::bulk("me"));
    assert_eq!(client.ask("CLIENT SETINFO LIB-NAME x").await, Reply::OK);
    let Reply::Bulk(list) = client.ask("CLIENT LIST").await else { panic!("a line") };
    assert!(String::from_utf8_lossy(&list).contains("name=me"), "{list:?}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Running::start(Limits::default()).await;
    let mut client = server.client().await;
    let mut out = BytesMut::new();
    for number in 0..500 {
        encode_request(&["SET", "k", &number.to_string()], &mut out);
        encode_request(&["GET", "k"], &mut out);
    }
    out.extend_from_slice(b"PING inline\r\nQUIT\r\n");
    client.send(&out).await;
    for number in 0..500 {
        assert_eq!(client.receive().await, Some(Reply::OK));
        assert_eq!(client.receive().await, Some(Reply::bulk(number.to_string())));
    }
    assert_eq!(client.receive().await, Some(Reply::bulk("inline")));
    assert_eq!(client.receive().await, Some(Reply::OK));
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn who_waits_in_a_pipeline_keeps_no_other_key_waiting_and_all_of_its_own() {
    let server = Running::start(Limits::default()).await;
    let mut client = server.client().await;
    let mut out = BytesMut::new();
    for request in [&["SET", "slow", "1"][..], &["SET", "b", "2"], &["GET", "slow"]] {
        encode_request(request, &mut out);
    }
    client.send(&out).await;
    let both = async {
        server.service.entered.acquire().await.unwrap().forget();
        while !server.service.pairs.lock().unwrap().contains_key("b".as_bytes()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("the second does not wait for the first");
    server.service.gate.add_permits(1);
    for reply in [Reply::OK, Reply::OK, Reply::bulk("1")] {
        assert_eq!(client.receive().await, Some(reply));
    }
}

#[tokio::test]
async fn a_broken_protocol_is_named_and_ends_the_connection() {
    let server = Running::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send("*1\r\n+PING\r\n").await;
    let expected = error("ERR Protocol error: expected '$', got '+'");
    assert_eq!(client.receive().await, Some(expected));
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn a_bulk_string_over_the_limit_is_refused_by_its_header() {
    let request = resp::Limits { bulk_bytes: 10, ..resp::Limits::default() };
    let server = Running::start(Limits { request, ..Limits::default() }).await;
    let mut client = server.client().await;
    client.send("*2\r\n$3\r\nGET\r\n$11\r\n").await;
    let expected = error("ERR Protocol error: invalid bulk length");
    assert_eq!(client.receive().await, Some(expected));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let server = Running::start(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = server.client().await;
    assert_eq!(first.ask("PING").await, Reply::Simple("PONG".into()));
    let mut second = server.client().await;
    assert_eq!(second.receive().await, Some(error("ERR max number of clients reached")));
    assert_eq!(second.receive().await, None);
    assert_eq!(first.ask("PING").await, Reply::Simple("PONG".into()));
}

#[tokio::test]
async fn shutdown_answers_the_requests_in_hand_and_begins_no_other() {
    let server = Running::start(Limits::default()).await;
    let (mut busy, mut idle) = (server.client().await, server.client().await);
    assert_eq!(idle.ask("PING").await, Reply::Simple("PONG".into()));
    busy.send("SET slow 1\r\nSET beside 1\r\nGET slow\r\nSET after 1\r\n").await;
    server.service.entered.acquire().await.unwrap().forget();
    server.stop.send(()).unwrap();
    assert_eq!(idle.receive().await, None);
    assert!(!server.task.is_finished(), "the request in hand is waited for");
    server.service.gate.add_permits(1);
    assert_eq!(busy.receive().await, Some(Reply::OK));
    assert_eq!(busy.receive().await, Some(Reply::OK));
    assert_eq!(busy.receive().await, None, "what had to wait was not begun");
    server.task.await.unwrap();
    let pairs = server.service.pairs.lock().unwrap();
    assert_eq!(pairs.keys().collect::<Vec<_>>(), ["beside", "slow"]);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let server = Running::start(limits).await;
    let mut busy = server.client().await;
    busy.send("SET slow 1\r\n").await;
    server.service.entered.acquire().await.unwrap().forget();
    server.stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, server.task).await.expect("the end").unwrap();
    assert_eq!(busy.receive().await, None);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_cancel_what_it_asked() {
    let server = Running::start(Limits::default()).await;
    let mut client = server.client().await;
    client.send("SET slow 1\r\n").await;
    server.service.entered.acquire().await.unwrap().forget();
    drop(client);
    server.service.gate.add_permits(1);
    let done = async {
        while !server.service.pairs.lock().unwrap().contains_key("slow".as_bytes()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, done).await.expect("the write within patience");
}

/// What `program` printed against the server at `address`, or `None` where it is not installed.
async fn run(program: &'static str, address: SocketAddr, arguments: &[&str]) -> Option<Output> {
    let port = address.port().to_string();
    let mut command = Program::new(program);
    command.args(["-h", "127.0.0.1", "-p", &port]).args(arguments);
    match tokio::task::spawn_blocking(move || command.output()).await.unwrap() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not installed (Debian: redis-tools)");
            None
        }
        Err(error) => panic!("failed to run {program}: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cli_is_served() {
    let server = Running::start(Limits::default()).await;
    let asked: [(&[&str], &str); 6] = [
        (&["SET", "k", "two words"], "OK\n"),
        (&["GET", "k"], "two words\n"),
        (&["-3", "GET", "none"], "\n"),
        (&["-3", "CONFIG", "GET", "save"], "save \n"),
        (&["ECHO", "hi"], "hi\n"),
        (&["NOPE"], "ERR unknown command 'NOPE', with args beginning with: \n\n"),
    ];
    for (arguments, expected) in asked {
        let Some(output) = run("redis-cli", server.address, arguments).await else { return };
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_benchmark_is_served() {
    let server = Running::start(Limits::default()).await;
    let arguments = ["-t", "set,get", "-q", "-n", "2000", "-P", "8"];
    let Some(output) = run("redis-benchmark", server.address, &arguments).await else { return };
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    for test in ["SET: ", "GET: "] {
        assert!(out.contains(test) && out.contains("requests per second"), "{out}{err}");
    }
    assert!(!out.contains("Error") && !err.contains("WARN"), "{out}{err}");
}
