//! Where a worker sits: with one node, over one connection, and where it goes when that node is gone.
//!
//! A worker may use several nodes, and has one of them for its *home*. It reconnects at home after
//! each lost connection, and moves on to the next of its nodes when connecting fails. Away from home,
//! it looks there again after a while: otherwise each kill would drive the load a little further onto
//! the nodes never killed, and nobody would ask the one that came back.
//!
//! A connection that cannot be made is not an operation: nothing was asked of the store, so nothing is
//! recorded. Pauses grow from one failure to the next, also where a node takes connections only to
//! drop them, so that a dead cluster costs no processor time and fills no history.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use workloads::{Client, Connector};

const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// How long a worker stays away from home before it looks there again.
const AWAY_MAX: Duration = Duration::from_secs(1);

/// A node as its clients know it: name and address.
pub type Node = (String, SocketAddr);

/// Where a worker sits.
pub struct Seat {
    nodes: Vec<Node>,
    home: usize,
    at: usize,
    /// When it was first found that nobody is at home.
    away: Option<Instant>,
    /// How long to wait before connecting; grows until an operation leaves its connection in order.
    pause: Duration,
    connector: Arc<dyn Connector>,
    timeout: Duration,
    client: Option<Box<dyn Client>>,
}

impl Seat {
    /// A seat for which `home` counts through `nodes`, of which there must be one at least.
    pub fn new(
        nodes: Vec<Node>,
        home: usize,
        connector: Arc<dyn Connector>,
        timeout: Duration,
    ) -> Seat {
        assert!(!nodes.is_empty(), "a worker has at least one node to sit with");
        let home = home % nodes.len();
        let (away, pause, client) = (None, Duration::ZERO, None);
        Seat { nodes, home, at: home, away, pause, connector, timeout, client }
    }

    /// A connection that can be used, opened if need be, and the name of the node it leads to;
    /// `None` when `stop` came first.
    pub async fn client(
        &mut self,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<(&str, &mut dyn Client)> {
        self.leave_if_needed();
        while self.client.is_none() {
            tokio::select! {
                biased;
                () = stopped(stop) => return None,
                () = self.try_here() => {}
            }
        }
        let client = self.client.as_deref_mut()?;
        Some((&self.nodes[self.at].0, client))
    }

    /// Gives up a connection that is lost, or that leads elsewhere than home for too long.
    fn leave_if_needed(&mut self) {
        let Some(client) = &self.client else { return };
        let is_lost = !client.is_usable();
        self.pause = if is_lost { longer(self.pause) } else { Duration::ZERO };
        if is_lost || self.away.is_some_and(|since| since.elapsed() >= AWAY_MAX) {
            self.client = None;
            self.at = self.home;
            self.away = None;
        }
    }

    /// Connects to the node at hand, or turns to the next.
    async fn try_here(&mut self) {
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause).await;
        }
        let (_, address) = self.nodes[self.at];
        if let Ok(client) = self.connector.connect(address, self.timeout).await {
            self.client = Some(client);
            if self.at == self.home {
                self.away = None;
            }
        } else {
            self.pause = longer(self.pause);
            self.away.get_or_insert_with(Instant::now);
            self.at = (self.at + 1) % self.nodes.len();
        }
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX)
}

/// Whether `stop` holds true, or nobody is left who could set it.
pub(crate) fn is_stopped(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Ends when `stop` holds true, or when nobody is left who could set it.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone: the run it belonged to is over.
    let _ = stop.wait_for(|stop| *stop).await;
}
