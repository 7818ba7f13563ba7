//! A node of a cluster of two, whose other node is away, with a door for collectors.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use store::engine::{Batch, Engine, EngineError};
use store::layout;
use store::lsm::{Lsm, Options};
use store::resp::{Reply, ReplyDecoder, encode_request};
use store::{Config, Node};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::codec::Decoder;

use super::exposition::Exposition;

/// Longer than anything takes here; reached only when it never comes.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Site {
    // Goes away with the site.
    directory: TempDir,
    config: Config,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), EngineError>>,
}

impl Site {
    /// Keys of `l:` are written on one of two replicas, those of `r:` on both or not.
    pub(crate) async fn start() -> Site {
        let directory = tempfile::tempdir().unwrap();
        has_caught_up(&directory.path().join("n1"));
        let yaml = format!(
            "cluster: test
node: n1
data: {data}
members:
  - {{ node: n1, client: '{at}:7001', peer: '{at}:8001' }}
  - {{ node: n2, client: '{at}:7002', peer: '{at}:8002' }}
metrics: '{at}:9001'
keyspaces:
  l: {{ policy: lww, n: 2, r: 1, w: 1 }}
  r: {{ policy: register, n: 2, r: 2, w: 2 }}
",
            data = directory.path().join("n1").display(),
            at = lonely_address(),
        );
        Site::run(directory, serde_yaml::from_str(&yaml).unwrap()).await
    }

    async fn run(directory: TempDir, config: Config) -> Site {
        let node = Node::start(config.clone()).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(node.run_until(async {
            stopped.await.ok();
        }));
        Site { directory, config, stop, ended }
    }

    /// The same node, ended and begun again.
    pub(crate) async fn restart(self) -> Site {
        self.stop.send(()).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.ended).await;
        ended.expect("it ends within 30 s").unwrap().unwrap();
        Site::run(self.directory, self.config).await
    }

    pub(crate) fn collectors(&self) -> SocketAddr {
        self.config.metrics.unwrap()
    }

    /// What the node replies to a client.
    pub(crate) async fn ask(&self, request: &str) -> Reply {
        let words: Vec<&str> = request.split(' ').collect();
        let mut bytes = BytesMut::new();
        encode_request(&words, &mut bytes);
        self.say(&bytes).await
    }

    /// What the node replies to these bytes of a client.
    pub(crate) async fn say(&self, bytes: &[u8]) -> Reply {
        let asked = async {
            let mut stream = TcpStream::connect(self.config.members[0].client).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            let (mut bytes, mut decoder) = (BytesMut::new(), ReplyDecoder::default());
            loop {
                if let Some(reply) = decoder.decode(&mut bytes).unwrap() {
                    return reply;
                }
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "hung up");
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("a reply within 30 s")
    }

    /// `INFO` by field.
    pub(crate) async fn info(&self) -> BTreeMap<String, String> {
        let Reply::Bulk(text) = self.ask("INFO").await else { panic!("INFO is no text") };
        let text = String::from_utf8(text.to_vec()).unwrap();
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// What `GET /metrics` says, head and body.
    pub(crate) async fn collect(&self) -> (String, String) {
        let collected = async {
            let mut stream = TcpStream::connect(self.collectors()).await.unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: n1\r\n\r\n").await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        };
        let text = tokio::time::timeout(PATIENCE, collected).await.expect("a reply within 30 s");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        (head.to_owned(), body.to_owned())
    }

    pub(crate) async fn metrics(&self) -> Exposition {
        let (_, body) = self.collect().await;
        Exposition::parse(&body).unwrap_or_else(|error| panic!("{error}, in\n{body}"))
    }

    /// Collects until `wanted`.
    pub(crate) async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&Exposition) -> bool,
    ) -> Exposition {
        eventually(what, async || {
            let metrics = self.metrics().await;
            if wanted(&metrics) { Ok(metrics) } else { Err(metrics) }
        })
        .await
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

/// Leaves in `data` what a node remembers that has met the other and lacks nothing: it answers alone.
fn has_caught_up(data: &Path) {
    let engine = Lsm::open(data, Options::default()).unwrap();
    let layout = layout::VERSION.to_be_bytes().to_vec();
    let entries = [(layout::LAYOUT, layout), (layout::WHOLE, vec![1])];
    let entries = entries.map(|(name, value)| (layout::meta(name), Some(value.into())));
    engine.write(Batch { entries: entries.into() }, Box::new(|result| result.unwrap()));
    engine.close().unwrap();
}

/// A loopback address for each site, whatever else this machine tests at the same time.
fn lonely_address() -> Ipv4Addr {
    static SITES: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 1 + high % 254, low, SITES.fetch_add(1, Ordering::Relaxed))
}
