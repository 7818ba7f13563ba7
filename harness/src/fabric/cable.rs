//! The bridge, and the cables that join nodes to it: links, addresses, and nothing more.
//!
//! A cable is a veth pair whose far end is born inside the node's namespace, as `eth0`; so the end is
//! never seen, nor has to be moved, outside. Links die with the namespace that holds either end.
//!
//! A netlink socket belongs to the namespace its thread was in when it was made. So a node's side is
//! set up on a thread that moved there, with a little runtime of its own.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use futures_util::TryStreamExt;
use nix::errno::Errno;
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkAttribute, LinkMessage};
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth};

use super::{FabricError, within_network};

const BRIDGE: &str = "schism0";
const CABLE: &str = "cable";
/// Given, not left to the kernel: it would change with each port, under the nodes' ARP entries.
const BRIDGE_MAC: [u8; 6] = [0x02, 0x66, 0, 0, 0, 254];
const PREFIX_BITS: u8 = 24;

/// A connection to the kernel in the namespace of the thread that called `open`.
struct Netlink {
    handle: Handle,
    carrier: tokio::task::JoinHandle<()>,
}

impl Netlink {
    fn open() -> Result<Self, FabricError> {
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|source| FabricError::Namespace { source })?;
        Ok(Netlink { handle, carrier: tokio::spawn(connection) })
    }

    async fn add(&self, link: LinkMessage, doing: String) -> Result<(), FabricError> {
        let added = self.handle.link().add(link).execute().await;
        added.map_err(|source| FabricError::Link { doing, source })
    }

    /// Removes what an earlier fabric of this run left: its links last as long as the run's namespace.
    async fn remove_leftovers(&self) -> Result<(), FabricError> {
        let failed = |source| FabricError::Link { doing: "remove an old link".into(), source };
        let links: Vec<LinkMessage> =
            self.handle.link().get().execute().try_collect().await.map_err(failed)?;
        for link in links.iter().filter(|link| is_ours(link)) {
            match self.handle.link().del(link.header.index).execute().await {
                // It went by itself, with the far end's namespace.
                Err(rtnetlink::Error::NetlinkError(said))
                    if said.raw_code() == -(Errno::ENODEV as i32) => {}
                removed => removed.map_err(failed)?,
            }
        }
        Ok(())
    }

    async fn index(&self, name: &str) -> Result<u32, FabricError> {
        let failed = |source| FabricError::Link { doing: format!("find the link {name}"), source };
        let mut found = self.handle.link().get().match_name(name).execute();
        let link = found.try_next().await.map_err(failed)?;
        link.map(|link| link.header.index).ok_or_else(|| failed(rtnetlink::Error::RequestFailed))
    }

    /// Gives a link its address, if any, and takes it up.
    async fn set_up(&self, name: &str, address: Option<Ipv4Addr>) -> Result<(), FabricError> {
        let index = self.index(name).await?;
        if let Some(address) = address {
            let added = self.handle.address().add(index, address.into(), PREFIX_BITS).execute();
            let doing = || format!("give {name} the address {address}");
            added.await.map_err(|source| FabricError::Link { doing: doing(), source })?;
        }
        let up = LinkUnspec::new_with_index(index).up().build();
        let changed = self.handle.link().change(up).execute().await;
        changed.map_err(|source| FabricError::Link { doing: format!("take {name} up"), source })
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

fn is_ours(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| match attribute {
        LinkAttribute::IfName(name) => name == BRIDGE || name.starts_with(CABLE),
        _ => false,
    })
}

/// The bridge of a run, in the run's own root namespace.
pub(super) struct Bridge {
    netlink: Netlink,
    index: u32,
}

impl Bridge {
    /// Makes the bridge, which is also the harness's own way into the network.
    pub(super) async fn raise(address: Ipv4Addr) -> Result<Self, FabricError> {
        let netlink = Netlink::open()?;
        netlink.remove_leftovers().await?;
        netlink.set_up("lo", None).await?;
        // No spanning tree, no snooping: frames flow from the first moment, and nobody chatters.
        let bridge =
            LinkBridge::new(BRIDGE).address(BRIDGE_MAC.to_vec()).mcast_snooping(false).build();
        netlink.add(bridge, "make the bridge of the run's network".into()).await?;
        netlink.set_up(BRIDGE, Some(address)).await?;
        let index = netlink.index(BRIDGE).await?;
        Ok(Bridge { netlink, index })
    }

    /// Lays a cable from the bridge into `network`, where it ends as `eth0` with `address`.
    pub(super) async fn plug_in(
        &self,
        number: u8,
        address: Ipv4Addr,
        network: BorrowedFd<'_>,
    ) -> Result<(), FabricError> {
        let name = format!("{CABLE}{number}");
        let far_end = LinkMessageBuilder::<LinkUnspec>::new()
            .name("eth0".to_owned())
            .setns_by_fd(network.as_raw_fd())
            .build();
        let cable = LinkVeth::new(&name, "eth0")
            .set_info_data(InfoData::Veth(InfoVeth::Peer(far_end)))
            .controller(self.index)
            .up()
            .build();
        self.netlink.add(cable, format!("lay the cable to {address}")).await?;
        within_network(network, || set_up_node(address))
            .map_err(|source| FabricError::Namespace { source })?
    }
}

/// Runs inside the node's namespace, on a thread that ends there.
fn set_up_node(address: Ipv4Addr) -> Result<(), FabricError> {
    small_runtime().map_err(|source| FabricError::Namespace { source })?.block_on(async {
        let netlink = Netlink::open()?;
        netlink.set_up("lo", None).await?;
        netlink.set_up("eth0", Some(address)).await
    })
}

fn small_runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_io().build()
}

/// Makes a bridge and a cable in the namespace of this thread, to see whether the kernel can.
///
/// *Requires*: to be in a throw-away namespace.
pub(crate) fn try_link_kinds() -> [Result<(), FabricError>; 2] {
    let attempt = |link: LinkMessage, what: &str| {
        small_runtime()
            .map_err(|source| FabricError::Namespace { source })?
            .block_on(async { Netlink::open()?.add(link, format!("make a {what}")).await })
    };
    [
        attempt(LinkBridge::new(BRIDGE).build(), "bridge"),
        attempt(LinkVeth::new("cable1", "cable2").build(), "virtual cable"),
    ]
}
