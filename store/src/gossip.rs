//! Heartbeats on their way: what this node believes of the others, and the loop that spreads it.
//!
//! Every tick raises our own heartbeat and exchanges rumours with two others taken at random, down
//! ones included: a half of a split cluster that stopped asking the other would never see it return.
//! What is decided from rumours is decided in [`Membership`]; here are only its lock, its clock and
//! its wire.

mod wire;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::ChaCha8Rng;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::membership::{Change, Health, Membership};
use crate::peer::Peers;
use crate::peer::message::{Answer, Ask, Gossip};
use crate::ring::NodeId;

/// Between heartbeats.
pub const TICK: Duration = Duration::from_millis(100);
/// Without a heartbeat for this long a node is suspected.
const SUSPECT_AFTER_MS: u64 = 1000;
/// An exchange is given up after this; the next tick begins another.
const PATIENCE: Duration = Duration::from_millis(500);
/// Nodes told in one tick.
const TARGETS: usize = 2;

/// What this node believes of the others.
pub struct View {
    start: Instant,
    // A plain lock: held for a decision, never across an await.
    membership: Mutex<Membership>,
}

impl View {
    /// `me`, just started in this `boot`, among `members`.
    pub fn new(me: NodeId, boot: u64, members: impl IntoIterator<Item = NodeId>) -> View {
        let membership = Membership::new(me, boot, members, SUSPECT_AFTER_MS, 0);
        View { start: Instant::now(), membership: Mutex::new(membership) }
    }

    /// Whether `node` is worth a request: not known to be down.
    pub fn is_up(&self, node: &NodeId) -> bool {
        self.look(|membership| membership.health(node)).is_some_and(|health| health != Health::Down)
    }

    /// Those of `nodes` that are known to be down.
    pub fn down_among<'a>(&self, nodes: impl Iterator<Item = &'a NodeId>) -> BTreeSet<NodeId> {
        let mut nodes = nodes.peekable();
        if nodes.peek().is_none() {
            return BTreeSet::new();
        }
        self.look(|membership| {
            let is_up =
                |node: &NodeId| membership.health(node).is_some_and(|it| it != Health::Down);
            nodes.filter(|node| !is_up(node)).cloned().collect()
        })
    }

    /// Every member with what is believed of it, ascending.
    pub fn members(&self) -> Vec<(NodeId, Health)> {
        self.look(|membership| {
            membership.members().map(|(node, health)| (node.clone(), health)).collect()
        })
    }

    /// Takes in what another says, and answers what it lacks.
    pub fn answer(&self, gossip: &Gossip) -> Gossip {
        let digest = wire::digest(&gossip.digest);
        self.hear(gossip);
        let rumours = self.look(|membership| membership.exchange(&digest));
        Gossip { digest: Vec::new(), rumours: rumours.iter().map(wire::pack).collect() }
    }

    /// Takes in what another says.
    pub fn hear(&self, gossip: &Gossip) {
        let now = self.now_ms();
        let rumours = gossip.rumours.iter().filter_map(wire::unpack);
        tell(&self.look(|membership| membership.hear(rumours, now)));
    }

    /// What to say to whoever knows nothing.
    fn all(&self) -> Gossip {
        let (digest, rumours) =
            self.look(|view| (view.digest(), view.exchange(&wire::digest(&[]))));
        Gossip {
            digest: digest.iter().map(|(node, at)| wire::beat(node, *at)).collect(),
            rumours: rumours.iter().map(wire::pack).collect(),
        }
    }

    fn tick(&self, random: &mut ChaCha8Rng) -> Vec<NodeId> {
        let now = self.now_ms();
        let (changes, mut targets) = self.look(|membership| {
            let changes = membership.tick(now);
            let targets =
                (0..TARGETS).filter_map(|_| membership.target(random.next_u64()).cloned());
            (changes, targets.collect::<Vec<_>>())
        });
        tell(&changes);
        targets.dedup();
        targets
    }

    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    fn look<T>(&self, look: impl FnOnce(&mut Membership) -> T) -> T {
        look(&mut self.membership.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn tell(changes: &[Change]) {
    for Change { node, from, to } in changes {
        tracing::info!("{node} was {from:?} and is {to:?}");
    }
}

/// Spreads heartbeats until `shutdown`.
pub async fn run(
    view: Arc<View>,
    peers: Arc<Peers>,
    mut random: ChaCha8Rng,
    shutdown: CancellationToken,
) {
    let mut tick = tokio::time::interval(TICK);
    // Who was paused for an hour must not make up for every tick of it.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut exchanges = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(_) = exchanges.join_next() => {}
            _ = tick.tick() => {
                for node in view.tick(&mut random) {
                    exchanges.spawn(exchange(view.clone(), peers.clone(), node));
                }
            }
        }
    }
}

async fn exchange(view: Arc<View>, peers: Arc<Peers>, node: NodeId) {
    let ask = Ask::Gossip(view.all());
    if let Ok(Answer::Gossip(gossip)) = peers.call(&node, ask, Instant::now() + PATIENCE).await {
        view.hear(&gossip);
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::peer::Timing;

    #[tokio::test(start_paused = true)]
    async fn ticks_missed_in_a_pause_are_not_made_up_for() {
        let config = "{cluster: demo, node: n1, data: /nowhere, \
                      members: [{node: n1, client: '127.0.0.1:1', peer: '127.0.0.1:2'}]}";
        let peers = Peers::dial(&serde_yaml::from_str(config).unwrap(), Timing::default()).unwrap();
        let (me, other) = (NodeId::new("n1").unwrap(), NodeId::new("n2").unwrap());
        let view = Arc::new(View::new(me.clone(), 1, [other]));
        let random = ChaCha8Rng::seed_from_u64(1);
        let stop = CancellationToken::new();
        let gossip = tokio::spawn(run(view.clone(), Arc::new(peers), random, stop.clone()));
        let beats = || view.look(|membership| membership.digest()[&me].counter);
        while beats() == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(Duration::from_hours(1)).await;
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(beats(), 2, "one tick before the pause and one after");
        stop.cancel();
        gossip.await.unwrap();
    }
}
