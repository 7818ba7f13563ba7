//! What can go wrong with the network of a run.

use std::io;
use std::net::Ipv4Addr;

use nix::errno::Errno;
use thiserror::Error;

/// Why the network could not be built or cut. All of these are failures of the harness or its
/// machine, never an outcome of the store.
#[derive(Debug, Error)]
pub enum FabricError {
    /// A link could not be made or changed.
    #[error("failed to {doing}: {source}")]
    Link {
        /// What was being done, in words that follow "failed to".
        doing: String,
        /// What the kernel said.
        source: rtnetlink::Error,
    },
    /// A network namespace could not be made or entered.
    #[error("failed to make or enter a node's network namespace: {source}")]
    Namespace {
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused a packet filter.
    #[error(
        "failed to {doing}: {source}\n  remedy: the kernel must offer nftables for bridges \
         (`nf_tables`); `schism doctor` tries it"
    )]
    Filter {
        /// What was being done, in words that follow "failed to".
        doing: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A node's place never answered.
    #[error("failed to reach {node} at {address} over its new link within ten seconds")]
    Silent {
        /// The node.
        node: String,
        /// Its address.
        address: Ipv4Addr,
    },
    /// A cut names a node the network does not have.
    #[error("failed to cut off {node}: no such node in this network")]
    NoSuchNode {
        /// The unknown name.
        node: String,
    },
    /// Two nodes of one name.
    #[error("failed to build the network: two nodes are named {node}")]
    NamedTwice {
        /// The name.
        node: String,
    },
    /// More nodes than one atomic cut can name.
    #[error(
        "failed to build the network: {asked} nodes asked for, at most {most} can be cut at once"
    )]
    TooManyNodes {
        /// How many were asked for.
        asked: usize,
        /// How many fit.
        most: usize,
    },
}

impl FabricError {
    /// The kernel's error number, if it was the kernel that refused.
    pub(crate) fn errno(&self) -> Errno {
        let from = |error: &io::Error| error.raw_os_error().map(Errno::from_raw);
        let errno = match self {
            FabricError::Link { source: rtnetlink::Error::NetlinkError(said), .. } => {
                from(&said.to_io())
            }
            FabricError::Namespace { source } | FabricError::Filter { source, .. } => from(source),
            _ => None,
        };
        errno.unwrap_or(Errno::UnknownErrno)
    }
}
