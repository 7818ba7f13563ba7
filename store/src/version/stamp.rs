//! The wall time of a last-writer-wins write, as its coordinator believed it to be.
//!
//! Fast, for nobody is asked; and wrong under clock skew: a write stamped by a slow clock is
//! acknowledged and then hidden by an older one. That is the policy's bargain, and the harness shows it.
//! Ties are broken by node and nonce, alike on every replica: never by order of arrival, which
//! replicas do not share.
//!
//! Source: Thomas, "A majority consensus approach to concurrency control", ACM TODS 1979 (the write
//! rule); Cassandra's cell timestamps, in microseconds.

use std::fmt;

use super::tag::Nonce;
use crate::ring::NodeId;

/// The wall time of a last-writer-wins write, ordered by time, node, nonce.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Microseconds since 1970 by the coordinator's clock.
    pub wall_micros: u64,
    /// Who coordinated the write.
    pub node: NodeId,
    /// Which write of that node.
    pub nonce: Nonce,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us/{}/{}", self.wall_micros, self.node, self.nonce)
    }
}
