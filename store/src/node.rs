//! One node: started from its configuration, served until told to stop, closed cleanly.
//!
//! ```text
//! start      check -> bind all doors -> open engine -> claim -> incarnation -> plant trees -> loops
//! run_until  serve clients … shutdown -> drain clients -> late work -> loops -> close engine
//! ```
//!
//! All doors (for clients, for nodes, for metrics if asked for) are bound before anything is opened or made, so that an address in use is said first and
//! leaves nothing behind. Whatever a client was told before the end is on disk; what is not yet
//! replicated is hinted or found by anti-entropy later.

mod asks;
mod check;
mod claim;
mod figures;
mod front;
mod incarnation;
mod info;
mod repair;

pub use check::{ConfigError, check};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::{ChaCha8Rng, SysRng};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::anti_entropy::{AntiEntropy, Reaper};
use crate::catch_up::CatchUp;
use crate::clock::{Clock, WallClock};
use crate::config::{Causality, Config};
use crate::coordinator::{Coordinator, Nonces, PLACES};
use crate::engine::{Engine, EngineError};
use crate::gossip::View;
use crate::handoff::Hints;
use crate::lsm::{Lsm, Options};
use crate::metrics::{self, Requests};
use crate::peer::{Peers, Timing, listen};
use crate::placement::{DEFAULT_KEYSPACE, Placement};
use crate::replica::{Replica, ReplicaError};
use crate::ring::NodeId;
use crate::server::{self, serve};
use crate::settle::Settling;
use crate::stats::Stats;
use crate::version::{Actor, RECORD_BYTES};
use crate::{gossip, handoff};

/// How long work begun for clients may go on after the last of them has left.
const LATE: Duration = Duration::from_secs(3);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be meant so.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address of this node cannot be listened at.
    #[error("failed to listen for {who} at {address}: {source}")]
    Bind {
        /// `clients`, `nodes`, or `metrics` as the setting is called.
        who: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory cannot be used.
    #[error("failed to open the data in {path}: {source}")]
    Data {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        source: ReplicaError,
    },
    /// The system gave no randomness.
    #[error("failed to draw random numbers: {0}")]
    Random(String),
}

/// One node, started.
pub struct Node {
    name: String,
    coordinator: Arc<Coordinator>,
    front: Arc<front::Front>,
    engine: Arc<Lsm>,
    clients: TcpListener,
    loops: JoinSet<()>,
    stop: CancellationToken,
}

impl Node {
    /// Starts the node that `config` describes: when this returns, clients and nodes can connect.
    pub async fn start(config: Config) -> Result<Node, StartError> {
        Node::start_with(config, Arc::new(WallClock)).await
    }

    /// [`Node::start`] with another wall clock.
    pub async fn start_with(config: Config, clock: Arc<dyn Clock>) -> Result<Node, StartError> {
        check(&config)?;
        warn_of_lost_writes(&config);
        let me = config.members.iter().find(|member| member.node == config.node);
        let me = me.expect("the check found this node among the members");
        let clients = bind("clients", me.client).await?;
        let nodes = bind("nodes", me.peer).await?;
        let collectors = match config.metrics {
            Some(address) => Some(bind("`metrics`", address).await?),
            None => None,
        };
        let mut random = ChaCha8Rng::try_from_rng(&mut SysRng)
            .map_err(|error| StartError::Random(error.to_string()))?;
        let opened = open(&config, clock, &mut random).await;
        let (engine, coordinator) =
            opened.map_err(|source| StartError::Data { path: config.data.clone(), source })?;
        // Where it listens in truth: port 0 was any free one.
        let at = clients.local_addr().unwrap_or(me.client);
        let nodes_at = nodes.local_addr().unwrap_or(me.peer);
        let stop = CancellationToken::new();
        let mut loops = JoinSet::new();
        let anti_entropy = Arc::new(anti_entropy(&coordinator));
        begin(&mut loops, &config.cluster, &coordinator, &anti_entropy, nodes, &mut random, &stop);
        let requests = Arc::new(Requests::new(config.keyspaces.keys()));
        let figures =
            figures::Figures::new(&config, coordinator.clone(), engine.clone(), requests.clone());
        let figures = Arc::new(figures);
        let metrics_at = collectors.as_ref().and_then(|it| it.local_addr().ok());
        if let Some(collectors) = collectors {
            loops.spawn(tell(collectors, figures.clone(), stop.clone()));
        }
        let info = info::Info::new(&config, figures);
        let coordinates = coordinator.clone();
        let front = front::Front { coordinator: coordinates, anti_entropy, info, requests };
        let front = Arc::new(front);
        let metrics = metrics_at.map(tracing::field::display);
        tracing::info!(node = config.node, clients = %at, nodes = %nodes_at, metrics, "serving");
        Ok(Node { name: config.node, coordinator, front, engine, clients, loops, stop })
    }

    /// Serves until `shutdown`, then finishes what is under way and closes the data.
    pub async fn run_until(
        self,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), EngineError> {
        let Node { name, coordinator, front, engine, clients, mut loops, stop } = self;
        serve(clients, front, server::Limits::with_room(), shutdown).await;
        coordinator.late.close();
        if tokio::time::timeout(LATE, coordinator.late.wait()).await.is_err() {
            tracing::warn!(node = name, "closing with writes still under way");
        }
        stop.cancel();
        while loops.join_next().await.is_some() {}
        drop(coordinator);
        let closed = tokio::task::spawn_blocking(move || engine.close()).await;
        tracing::info!(node = name, "closed");
        closed.unwrap_or_else(|_| Err(EngineError::Closed("closing it panicked".to_owned())))
    }
}

/// Tells collectors what this node can be measured by.
async fn tell(listener: TcpListener, figures: Arc<figures::Figures>, stop: CancellationToken) {
    let text = move || metrics::text(figures.metrics(&figures.members()));
    metrics::serve(listener, text, metrics::Bounds::default(), stop).await;
}

/// What is wrong on purpose should be in the log of whoever did not mean it.
fn warn_of_lost_writes(config: &Config) {
    let default = (DEFAULT_KEYSPACE, &config.default);
    let keyspaces = config.keyspaces.iter().map(|(name, keyspace)| (name.as_str(), keyspace));
    for (keyspace, settings) in keyspaces.chain([default]) {
        if settings.causality == Causality::ServerVector {
            tracing::warn!(keyspace, "server vectors lose writes of clients that share a server");
        }
    }
}

async fn bind(who: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Bind { who, address, source })
}

/// Opens the data, and puts the coordinator over it.
async fn open(
    config: &Config,
    clock: Arc<dyn Clock>,
    random: &mut ChaCha8Rng,
) -> Result<(Arc<Lsm>, Arc<Coordinator>), ReplicaError> {
    let placement = Arc::new(Placement::new(config).expect("the check has seen every name"));
    let me = placement.me().clone();
    let (path, options) =
        (config.data.clone(), Options { sync: config.sync, ..Options::default() });
    let opened = tokio::task::spawn_blocking(move || Lsm::open(&path, options)).await;
    let engine = Arc::new(opened.map_err(|_| EngineError::Closed("opening it panicked".into()))??);
    claim::claim(&*engine).await?;
    let life = incarnation::begin(&*engine, &*clock, config.sync, random).await?;
    let stats = Arc::new(Stats::default());
    let peers = Peers::dial(config, Timing::default()).expect("the check has seen every name");
    let peers = Arc::new(peers);
    let others: Vec<NodeId> = peers.nodes().cloned().collect();
    let kept: Arc<dyn Engine> = engine.clone();
    let actor = Actor::new(me.clone(), life.epoch);
    let missing = if life.is_whole { CatchUp::default() } else { all_missing(config, &placement) };
    let replica = Replica::open(kept.clone(), placement.clone(), actor, RECORD_BYTES)?
        .with_clock(clock.clone())
        .catching_up(missing);
    let hints = Hints::open(kept, stats.clone(), others.iter().cloned(), &config.limits)?;
    let coordinator = Coordinator {
        view: Arc::new(View::new(me, life.boot, others)),
        nonces: Nonces::new(life.boot),
        limits: config.limits,
        replica: Arc::new(replica),
        hints: Arc::new(hints),
        late: TaskTracker::new(),
        grace: Arc::default(),
        places: Arc::new(Semaphore::new(PLACES)),
        placement,
        peers,
        stats,
        clock,
    };
    Ok((engine, Arc::new(coordinator)))
}

/// What a node has to hear whose directory may lack anything.
fn all_missing(config: &Config, placement: &Placement) -> CatchUp {
    let deadline = Duration::from_millis(config.limits.deadline_ms);
    CatchUp::begin(placement.fellows(), deadline)
}

fn anti_entropy(coordinator: &Coordinator) -> AntiEntropy {
    let Coordinator { placement, replica, peers, view, stats, grace, .. } = coordinator;
    AntiEntropy {
        placement: placement.clone(),
        replica: replica.clone(),
        peers: peers.clone(),
        view: view.clone(),
        stats: stats.clone(),
        grace: grace.clone(),
    }
}

fn settling(coordinator: &Coordinator) -> Settling {
    let Coordinator { grace, hints, stats, peers, nonces, .. } = coordinator;
    Settling {
        grace: grace.clone(),
        hints: hints.clone(),
        stats: stats.clone(),
        peers: peers.clone(),
        boot: nonces.boot(),
    }
}

/// Begins all that goes on by itself: the door for nodes, gossip, handoff, anti-entropy.
fn begin(
    loops: &mut JoinSet<()>,
    cluster: &str,
    coordinator: &Arc<Coordinator>,
    anti_entropy: &Arc<AntiEntropy>,
    nodes: TcpListener,
    random: &mut ChaCha8Rng,
    stop: &CancellationToken,
) {
    let Coordinator { peers, view, hints, limits, .. } = &**coordinator;
    let settling = Arc::new(settling(coordinator));
    let asks = Arc::new(asks::Asks {
        cluster: cluster.to_owned(),
        coordinator: coordinator.clone(),
        exchanges: anti_entropy.answers(),
        settling: settling.clone(),
    });
    loops.spawn(listen(nodes, asks, stop.clone()));
    loops.spawn(gossip::run(
        view.clone(),
        peers.clone(),
        ChaCha8Rng::from_rng(random),
        stop.clone(),
    ));
    loops.spawn(handoff::run(hints.clone(), view.clone(), peers.clone(), stop.clone()));
    loops.spawn(anti_entropy.clone().run(ChaCha8Rng::from_rng(random), stop.clone()));
    let reaper = Reaper { anti_entropy: anti_entropy.clone(), settling };
    loops.spawn(reaper.run(Duration::from_millis(limits.reap_every_ms), stop.clone()));
}
