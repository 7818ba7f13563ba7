//! The network of a run: a bridge, a cable and a namespace for each node, and cuts between them.
//!
//! ```text
//!   harness's clients           n1's namespace          n2's namespace
//!   10.66.0.254 ┐               10.66.0.1 eth0          10.66.0.2 eth0
//!            schism0 (bridge) ──── cable1 ┘ ─── … ──── cable2 ┘
//!                └── forward hook: one drop rule for each cut, directed pair of nodes
//! ```
//!
//! Clients speak to nodes from the bridge itself, a path the forward hook does not see: traffic
//! between harness and nodes is never cut.
//!
//! **A cut is about IPv4 packets, not about a plug.** A rule compares source and destination address,
//! eight bytes side by side in the header. So ARP passes always, and that is meant: were it cut, the
//! kernel would note a neighbour as failed, and after healing nodes would stay apart for a second or
//! more until it asks again: a fault we did not order. The price: a pulled plug would silence ARP
//! too. IPv6 would be a way around the rules, so the bridge
//! passes none from node to node. Rules know nothing of
//! connections: an established TCP stream stalls, as with a real partition, and is not reset.
//!
//! **Evidence.** Each rule counts what it dropped; [`Fabric::dropped`] sums these counts over all
//! cuts since the fabric was built. Counters are read just before a set of rules is replaced, so
//! packets dropped within those few microseconds are not counted: the sum is a lower bound.
//!
//! Shape: at most 30 nodes, so that every grudge fits into one message to the kernel; addresses follow
//! the order given. One fabric at a time: building one removes what an earlier one left.

mod cable;
mod error;
mod filter;
mod rule;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use tokio::net::TcpStream;
use tokio::time::Instant;

pub use error::FabricError;

use crate::grudge::Grudge;
use crate::sandbox::{self, namespaces::new_network};
pub(crate) use cable::try_link_kinds;
pub(crate) use filter::Filter;
use rule::Pair;

/// Where the harness's clients speak from.
pub const HARNESS_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 66, 0, 254);
/// With more, the largest grudge might not fit into one message, and no cut would be atomic.
pub(crate) const NODES_MAX: usize = 30;
/// Between two looks whether a link is up.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How long a fresh link may take until the first packet goes through.
const LINK_DEADLINE: Duration = Duration::from_secs(10);

/// A node's place in the network.
#[derive(Debug)]
struct Place {
    address: Ipv4Addr,
    network: OwnedFd,
}

/// The network of a run. Dropping it takes the nodes' namespaces with it, once their processes end.
#[derive(Debug)]
pub struct Fabric {
    places: BTreeMap<String, Place>,
    filter: Filter,
    /// Packets dropped by rules that exist no more.
    dropped_before: BTreeMap<(String, String), u64>,
}

impl Fabric {
    /// Builds the network and returns once every node's place answers.
    ///
    /// *Requires*: names without duplicates. Refused outside the sandbox.
    pub async fn build(nodes: &[String]) -> Result<Fabric, FabricError> {
        if sandbox::inside().is_none() {
            return Err(FabricError::Outside);
        }
        if nodes.len() > NODES_MAX {
            return Err(FabricError::TooManyNodes { asked: nodes.len(), most: NODES_MAX });
        }
        let bridge = cable::Bridge::raise(HARNESS_ADDRESS).await?;
        let mut places = BTreeMap::new();
        for (number, node) in (1u8..).zip(nodes) {
            let address = Ipv4Addr::new(10, 66, 0, number);
            let network = new_network().map_err(|source| FabricError::Namespace { source })?;
            bridge.plug_in(number, address, network.as_fd()).await?;
            if places.insert(node.clone(), Place { address, network }).is_some() {
                return Err(FabricError::NamedTwice { node: node.clone() });
            }
        }
        let filter = Filter::load()?;
        let fabric = Fabric { places, filter, dropped_before: BTreeMap::new() };
        fabric.await_links().await?;
        Ok(fabric)
    }

    /// The nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The address of a node.
    ///
    /// *Panics* if the fabric was built without it.
    pub fn address(&self, node: &str) -> Ipv4Addr {
        self.place(node).address
    }

    /// The network namespace of a node.
    ///
    /// *Panics* if the fabric was built without it.
    pub fn namespace(&self, node: &str) -> BorrowedFd<'_> {
        self.place(node).network.as_fd()
    }

    fn place(&self, node: &str) -> &Place {
        self.places.get(node).expect("a plan names only nodes of its own cluster")
    }

    /// Runs `work` inside a node's network, on a thread made for it: what it binds or connects there
    /// stays there, and can be used from anywhere.
    pub fn within<T: Send>(
        &self,
        node: &str,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, FabricError> {
        let network = self.namespace(node);
        within_network(network, work).map_err(|source| FabricError::Namespace { source })
    }

    /// Replaces all cuts by those of `grudge`, all at once: no packet sees half of it.
    ///
    /// An empty grudge heals. On an error the cuts are what they were. No `async`: it is one message
    /// to the kernel, which answers before the call returns.
    pub fn set_cut(&mut self, grudge: &Grudge) -> Result<(), FabricError> {
        let pairs = self.addressed(grudge)?;
        let counted = self.filter.counts()?;
        self.filter.replace(&pairs)?;
        // Only now are the old rules, and their counters, gone.
        self.dropped_before = self.summed(&counted);
        Ok(())
    }

    /// Packets dropped since the fabric was built, for each pair `(from, to)` ever cut.
    pub fn dropped(&mut self) -> Result<BTreeMap<(String, String), u64>, FabricError> {
        let counted = self.filter.counts()?;
        Ok(self.summed(&counted))
    }

    fn addressed(&self, grudge: &Grudge) -> Result<Vec<Pair>, FabricError> {
        let find = |node: &str| {
            let place = self.places.get(node);
            place.map(|p| p.address).ok_or_else(|| FabricError::NoSuchNode { node: node.into() })
        };
        let pairs = grudge.pairs();
        pairs.map(|(from, to)| Ok(Pair { from: find(from)?, to: find(to)? })).collect()
    }

    /// The sums so far, with what the present rules have counted.
    fn summed(&self, counted: &[(Pair, u64)]) -> BTreeMap<(String, String), u64> {
        let name = |address| {
            let owner = self.places.iter().find(|(_, place)| place.address == address);
            owner.expect("rules are made from places, and places never go").0.clone()
        };
        let mut sums = self.dropped_before.clone();
        for &(pair, packets) in counted {
            *sums.entry((name(pair.from), name(pair.to))).or_default() += packets;
        }
        sums
    }

    /// A refused connection is an answer: it went there and came back. The kernel brings links up a
    /// little after it was told to, and a run must not begin with that.
    async fn await_links(&self) -> Result<(), FabricError> {
        let deadline = Instant::now() + LINK_DEADLINE;
        for (node, place) in &self.places {
            loop {
                let attempt = TcpStream::connect((place.address, 1));
                let answer = tokio::time::timeout(Duration::from_millis(100), attempt).await;
                match answer {
                    Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                        break;
                    }
                    _ if Instant::now() > deadline => {
                        return Err(FabricError::Silent {
                            node: node.clone(),
                            address: place.address,
                        });
                    }
                    _ => tokio::time::sleep(LOOK_AGAIN).await,
                }
            }
        }
        Ok(())
    }
}

/// Runs `work` on a thread that has moved into `network`. No thread that lives on may move: a
/// runtime's worker would take whatever runs on it next along.
fn within_network<T: Send>(
    network: BorrowedFd<'_>,
    work: impl FnOnce() -> T + Send,
) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let guest = move || -> std::io::Result<T> {
            setns(network, CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        };
        let thread = std::thread::Builder::new().name("netns-guest".into());
        match thread.spawn_scoped(scope, guest)?.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_machines_own_network_is_left_alone() {
        let refused = Fabric::build(&["n1".to_owned()]).await.err();
        assert!(matches!(refused, Some(FabricError::Outside)), "{refused:?}");
    }
}
