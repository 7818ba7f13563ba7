//! A cluster in this process: nodes by number, each with its directory, wires between them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use store::engine::EngineError;
use store::peer::frame::Hello;
use store::peer::message::{Answer, Ask};
use store::peer::{CallError, Link, Timing};
use store::resp::{Reply, ReplyDecoder, encode_request};
use store::{Config, Node, StartError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::codec::Decoder;

use super::wire::Wire;

/// Longer than anything takes here; reached only when it never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every policy, three replicas, majorities.
pub(crate) const MAJORITIES: &str = "keyspaces: { r: { policy: register, n: 3, r: 2, w: 2 }, \
     s: { policy: siblings, n: 3, r: 2, w: 2 }, l: { policy: lww, n: 3, r: 2, w: 2 } }";

pub(crate) struct Fleet {
    directory: TempDir,
    configs: BTreeMap<usize, Config>,
    running: BTreeMap<usize, Running>,
    wires: BTreeMap<(usize, usize), Wire>,
}

struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), EngineError>>,
}

impl Fleet {
    /// `count` nodes, all connected with each other and answering, with these lines in their
    /// configuration.
    pub(crate) async fn start(count: usize, lines: &str) -> Fleet {
        let mut fleet = Fleet::prepare(count, lines).await;
        for node in 1..=count {
            fleet.begin(node).await;
        }
        for node in 1..=count {
            fleet.until_info(node, "nodes_connected", &(count - 1).to_string()).await;
            fleet.until_info(node, "catching_up", "0").await;
        }
        fleet
    }

    /// The same, with no node started.
    pub(crate) async fn prepare(count: usize, lines: &str) -> Fleet {
        let directory = tempfile::tempdir().unwrap();
        let address = lonely_address();
        let at = |port: usize| SocketAddr::from((address, u16::try_from(port).unwrap()));
        let (mut wires, mut configs) = (BTreeMap::new(), BTreeMap::new());
        for node in 1..=count {
            let data = directory.path().join(format!("n{node}"));
            let mut members = Vec::new();
            for other in 1..=count {
                let (client, mut peer) = (at(7000 + other), at(8000 + other));
                if other != node {
                    let wire = Wire::to(peer).await;
                    peer = wire.address;
                    wires.insert((node, other), wire);
                }
                members.push(format!("{{node: n{other}, client: '{client}', peer: '{peer}'}}"));
            }
            let yaml = format!(
                "cluster: test
node: n{node}
data: {}
members: [{}]
{lines}
",
                data.display(),
                members.join(", ")
            );
            configs.insert(node, serde_yaml::from_str(&yaml).unwrap());
        }
        Fleet { directory, configs, running: BTreeMap::new(), wires }
    }

    /// Starts a node that is not running.
    pub(crate) async fn begin(&mut self, node: usize) {
        let started = Node::start(self.configs[&node].clone()).await;
        let started = started.unwrap_or_else(|error: StartError| panic!("n{node}: {error}"));
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(started.run_until(async {
            stopped.await.ok();
        }));
        self.running.insert(node, Running { stop, ended });
    }

    /// Stops a node cleanly, and waits until it is closed.
    pub(crate) async fn stop(&mut self, node: usize) {
        let Running { stop, ended } = self.running.remove(&node).expect("it runs");
        stop.send(()).unwrap();
        let ended = tokio::time::timeout(PATIENCE, ended).await.expect("it ends within 30 s");
        ended.unwrap().unwrap();
    }

    /// Takes away all that a stopped node had on disk.
    pub(crate) fn wipe(&self, node: usize) {
        assert!(!self.running.contains_key(&node));
        std::fs::remove_dir_all(self.directory.path().join(format!("n{node}"))).unwrap();
    }

    /// Cuts or mends all wires between one node and the others.
    pub(crate) fn cut_off(&self, node: usize, cut: bool) {
        for ((from, to), wire) in &self.wires {
            if *from == node || *to == node {
                wire.set_cut(cut);
            }
        }
    }

    /// The nodes of the keyspace's primaries of `key`, then the others, by who answers `KV.REPLICA`.
    pub(crate) async fn primaries(&self, key: &str) -> (Vec<usize>, Vec<usize>) {
        let mut split = (Vec::new(), Vec::new());
        for &node in self.configs.keys() {
            match self.ask(node, &["KV.REPLICA", key]).await {
                Reply::Error(_) => split.1.push(node),
                _ => split.0.push(node),
            }
        }
        split
    }

    /// What `node` answers to `from`, another member, who asks it directly.
    pub(crate) async fn ask_as_peer(
        &self,
        from: usize,
        node: usize,
        ask: Ask,
    ) -> Result<Answer, CallError> {
        let config = &self.configs[&node];
        let member = config.members.iter().find(|member| member.node == config.node).unwrap();
        let hello = Hello::new(&config.cluster, &format!("n{from}"), &config.node);
        let link = Link::dial(hello, member.peer, Timing::default());
        eventually("a connection", async || if link.is_connected() { Ok(()) } else { Err(()) })
            .await;
        link.call(ask, Instant::now() + PATIENCE).await
    }

    /// What `node` replies.
    pub(crate) async fn ask(&self, node: usize, request: &[&str]) -> Reply {
        let config = &self.configs[&node];
        let member = config.members.iter().find(|member| member.node == config.node).unwrap();
        ask(member.client, request).await
    }

    /// Asks until the reply is `wanted`.
    pub(crate) async fn until(
        &self,
        node: usize,
        request: &[&str],
        wanted: impl Fn(&Reply) -> bool,
    ) {
        eventually(&format!("n{node} {request:?}"), async || {
            let reply = self.ask(node, request).await;
            if wanted(&reply) { Ok(()) } else { Err(reply) }
        })
        .await;
    }

    /// Asks `INFO` until this field has this value.
    pub(crate) async fn until_info(&self, node: usize, field: &str, value: &str) {
        eventually(&format!("{field}:{value} at n{node}"), async || {
            let info = self.info(node).await;
            if info.get(field).is_some_and(|it| it == value) { Ok(()) } else { Err(info) }
        })
        .await;
    }

    /// One count of `INFO`.
    pub(crate) async fn count(&self, node: usize, field: &str) -> u64 {
        let info = self.info(node).await;
        info.get(field).unwrap_or_else(|| panic!("no {field} in {info:?}")).parse().unwrap()
    }

    /// Asks for roots until all these nodes tell the same of the trees they share.
    pub(crate) async fn until_equal(&self, nodes: &[usize]) {
        eventually("equal roots", async || {
            let mut roots: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for &node in nodes {
                for tree in array(self.ask(node, &["KV.ROOTS"]).await) {
                    let [name, root] = array(tree).try_into().unwrap();
                    roots.entry(text(name)).or_default().push(text(root));
                }
            }
            let differs = |roots: &Vec<String>| roots.iter().any(|root| *root != roots[0]);
            roots.retain(|_, roots| differs(roots));
            if roots.is_empty() { Ok(()) } else { Err(roots) }
        })
        .await;
    }

    async fn info(&self, node: usize) -> BTreeMap<String, String> {
        let info = text(self.ask(node, &["INFO"]).await);
        let pairs = info.lines().filter_map(|line| line.split_once(':'));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// Tries until it succeeds, and panics with what was seen last if it never does.
pub(crate) async fn eventually<T, E: Debug>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(seen) => assert!(start.elapsed() < PATIENCE, "waited for {what}, saw {seen:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, request: &[&str]) -> Reply {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (mut bytes, mut decoder) = (BytesMut::new(), ReplyDecoder::default());
        encode_request(request, &mut bytes);
        stream.write_all(&bytes).await.unwrap();
        bytes.clear();
        loop {
            if let Some(reply) = decoder.decode(&mut bytes).unwrap() {
                return reply;
            }
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "hung up on {request:?}");
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("a reply within 30 s")
}

pub(crate) fn bulk(text: &str) -> Reply {
    Reply::bulk(text)
}

pub(crate) fn array(reply: Reply) -> Vec<Reply> {
    match reply {
        Reply::Array(elements) => elements,
        other => panic!("{other:?} is no array"),
    }
}

pub(crate) fn text(reply: Reply) -> String {
    match reply {
        Reply::Bulk(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?} is no text"),
    }
}

/// Context and values of a `KV.GET`, or version and values of a `KV.REPLICA`.
pub(crate) fn version_and_values(reply: Reply) -> (String, Vec<String>) {
    let [version, values] = array(reply).try_into().expect("two elements");
    (text(version), array(values).into_iter().map(text).collect())
}

#[track_caller]
pub(crate) fn assert_error(reply: &Reply, word: &str) {
    match reply {
        Reply::Error(error) => assert!(error.starts_with(word), "{error:?} is not {word}"),
        other => panic!("{other:?} is not {word}"),
    }
}

/// A loopback address for each fleet, whatever else this machine tests at the same time. Its nodes take
/// ports below those the system gives away, so a port is free again when its node returns.
fn lonely_address() -> Ipv4Addr {
    static FLEETS: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 1 + high % 254, low, FLEETS.fetch_add(1, Ordering::Relaxed))
}
