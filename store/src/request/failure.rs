//! Why a request was not carried out, and whether it may have been all the same.
//!
//! The first word is the promise: `UNAVAILABLE` only where nothing can have been written anywhere,
//! `UNCERTAIN` as soon as anything was sent. A client that takes the second for "did not happen"
//! will one day read a value it believes it never wrote.

use std::fmt;

use crate::peer::CallError;
use crate::ring::NodeId;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Refused before anything was done.
    Refused(String),
    /// The pair has this many bytes, and may have so many.
    TooBig(usize, usize),
    /// This node has so many requests under way that it takes no more.
    Overloaded(usize),
    /// No quorum, and nothing was written anywhere.
    Unavailable(Shortfall),
    /// Something was sent, and too few acknowledged.
    Uncertain(Shortfall),
    /// This node is no primary of the key; these are.
    NotReplica(String),
    /// As another node put it.
    Relayed(String),
}

/// What was needed and reached, and why who said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The quorum in words: `read needs 2 of 3, 1 replied: n2; refused: n1, n3`.
    pub quorum: String,
    /// Who did not reply, and why.
    pub missing: Vec<(NodeId, CallError)>,
}

impl Shortfall {
    /// What `quorum` lacks.
    pub fn new(quorum: &impl fmt::Display, missing: &[(NodeId, CallError)]) -> Shortfall {
        Shortfall { quorum: quorum.to_string(), missing: missing.to_vec() }
    }
}

impl Failure {
    /// Whether the request certainly had no effect.
    pub fn is_definite(&self) -> bool {
        match self {
            Failure::Uncertain(_) => false,
            Failure::Relayed(text) => !text.starts_with("UNCERTAIN"),
            _ => true,
        }
    }

    /// The same, of a request of which something else was already written.
    #[must_use]
    pub fn after_a_write(self) -> Failure {
        match self {
            failure if !failure.is_definite() => failure,
            Failure::Unavailable(shortfall) => Failure::Uncertain(shortfall),
            other => Failure::Relayed(format!("UNCERTAIN part of it was written; then: {other}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(why) => write!(f, "ERR {why}"),
            Failure::TooBig(bytes, limit) => {
                write!(f, "TOOBIG key and value are {bytes} bytes, the limit is {limit}")
            }
            Failure::Overloaded(requests) => {
                write!(
                    f,
                    "OVERLOADED this node has {requests} requests under way; nothing was done"
                )
            }
            Failure::Unavailable(shortfall) => write!(f, "UNAVAILABLE {shortfall}"),
            Failure::Uncertain(shortfall) => write!(f, "UNCERTAIN {shortfall}"),
            Failure::NotReplica(primaries) => {
                write!(f, "NOTREPLICA the primaries of this key are {primaries}")
            }
            Failure::Relayed(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.quorum)?;
        for (place, (node, why)) in self.missing.iter().enumerate() {
            write!(f, "{} {node}: {why}", if place == 0 { ";" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortfall() -> Shortfall {
        let [n1, n2, n3] = ["n1", "n2", "n3"].map(|name| NodeId::new(name).unwrap());
        let mut quorum = crate::quorum::ReadQuorum::new([n1.clone(), n2.clone(), n3.clone()], 2);
        quorum.add(&n1, None);
        quorum.refuse(&n2);
        quorum.refuse(&n3);
        Shortfall::new(&quorum, &[(n2, CallError::NotConnected), (n3, CallError::Late)])
    }

    #[test]
    fn a_shortfall_says_needed_reached_and_who_refused() {
        assert_eq!(
            Failure::Unavailable(shortfall()).to_string(),
            "UNAVAILABLE read needs 2 of 3, 1 replied: n1; refused: n2, n3; \
             n2: not connected, n3: no answer in time"
        );
    }

    #[test]
    fn after_a_write_nothing_is_definite() {
        let failures = [
            Failure::Refused("no".into()),
            Failure::TooBig(2, 1),
            Failure::Overloaded(9),
            Failure::Unavailable(shortfall()),
            Failure::Uncertain(shortfall()),
            Failure::Relayed("UNAVAILABLE x".into()),
        ];
        for failure in failures {
            let after = failure.clone().after_a_write();
            assert!(!after.is_definite(), "{failure} became {after}");
            assert!(after.to_string().starts_with("UNCERTAIN "), "{after}");
        }
    }
}
