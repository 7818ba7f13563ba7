//! What can go wrong with the network of a run.

use std::io;
use std::net::Ipv4Addr;

use nix::errno::Errno;
use thiserror::Error;

/// Why the network could not be built or cut. All of these are failures of the harness or its
/// machine, never an outcome of the store.
#[derive(Debug, Error)]
pub enum FabricError {
    /// Not in the sandbox.
    #[error(
        "failed to build the network: this process has not entered the sandbox, and the machine's \
         own network is not ours to change"
    )]
    Outside,
    /// A link could not be made or changed.
    #[error(
        "failed to {doing}: {}\n  remedy: `schism doctor` tries each part of the network alone and \
         says what is missing",
        in_words(source)
    )]
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

/// The kernel's words alone, if it was the kernel that refused.
fn in_words(error: &rtnetlink::Error) -> String {
    match error {
        rtnetlink::Error::NetlinkError(said) => said.to_io().to_string(),
        other => other.to_string(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_filter_reads_as_a_sentence_with_a_remedy() {
        let refused = FabricError::Filter {
            doing: "change the cuts",
            source: io::Error::from_raw_os_error(Errno::EPERM as i32),
        };
        let said = refused.to_string();
        assert!(said.starts_with("failed to change the cuts: Operation not permitted"), "{said}");
        assert!(said.contains("\n  remedy: "), "{said}");
        assert_eq!(refused.errno(), Errno::EPERM);
    }

    #[test]
    fn an_error_that_is_not_the_kernels_has_no_number() {
        let unknown = FabricError::NoSuchNode { node: "n9".into() };
        assert_eq!(unknown.errno(), Errno::UnknownErrno);
    }
}
