//! Concurrent values of a key, each with a server vector of its own: **wrong on purpose**.
//!
//! This is the vector clock as Dynamo describes it and as it is usually taught. A version carries the
//! pairs `[server, counter]` of all the writes it descends from; the server that takes a write advances
//! its own pair in the context of the client; a version goes as soon as another covers its vector, and
//! those that none covers are the *branches* a reader gets to reconcile. A keyspace has it only where
//! `causality: server-vector` says so; who wants no write lost takes the default, [`Siblings`].
//!
//! How it loses writes. A vector names servers, and so takes all clients of one server for one
//! writer. Two clients write through Sx, and neither has seen the other:
//!
//! ```text
//! ada, nothing seen:  [Sx,1]
//! bob, nothing seen:  [Sx,2]      covers [Sx,1], though bob has never seen it: ada's write is gone
//! ```
//!
//! Both were acknowledged, no clock was skewed and no node failed; two clients of one server suffice.
//! Counting on from the client's context instead would give both writes [Sx,1], and one vector to
//! two values, of which a join can keep only one. There is no right answer, for the pair says
//! "all writes of Sx up to this one" where "this one, and what it saw" is meant. A dot says that.
//!
//! Invariants: of the versions held none covers another; a server's counter is above all that its
//! own copies and the client's context know of it, so it gives no pair twice.
//! Source: DeCandia et al., "Dynamo: Amazon's Highly Available Key-value Store", SOSP 2007, §4.4. The
//! fault: Preguiça, Baquero, Almeida, Fonte and Gonçalves, "Dotted Version Vectors: Logical Clocks for
//! Optimistic Replication", arXiv 1011.5808, 2010, on version vectors with one entry a server.
//! Departures: a server is an [`Actor`], so that a lost disk adds no second fault to the one shown
//! here; pairs are dropped by the server that takes a write and nowhere else. A replica that dropped
//! them from what others send it would differ from the sender for ever, as in Riak (riak_kv #1864).
//!
//! [`Siblings`]: super::Siblings

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;

use super::context::Context;
use super::dot::Actor;
use super::vector_clock::VectorClock;

/// Concurrent values of a key, each with a server vector of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branches(BTreeSet<Branch>);

/// One version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch {
    /// What it descends from, itself included.
    pub clock: VectorClock,
    /// Its value; `None` is a tombstone.
    pub value: Option<Bytes>,
}

impl Branches {
    /// Writes `value` (`None` deletes) in the knowledge of `context`, as `actor` at this time: what the
    /// new version's vector covers goes, seen or not. Returns that vector, cut down to `limit` pairs.
    pub fn update(
        &mut self,
        context: &Context,
        actor: &Actor,
        micros: u64,
        limit: Option<usize>,
        value: Option<Bytes>,
    ) -> VectorClock {
        let mut clock: VectorClock = context.clock().pairs().collect();
        let last = self.0.iter().map(|branch| branch.clock.vector().counter(actor)).max();
        let counter = last.unwrap_or(0).max(clock.vector().counter(actor)) + 1;
        clock.learn(actor, counter, micros);
        self.0.retain(|branch| !clock.covers(&branch.clock));
        if let Some(limit) = limit {
            clock.drop_oldest(limit, actor);
        }
        self.0.insert(Branch { clock: clock.clone(), value });
        clock
    }

    /// The versions of both that none of the other covers; the join of the lattice.
    #[must_use]
    pub fn join(self, other: Branches) -> Branches {
        let (mine, theirs) = (self.0, other.0);
        let stays = |branch: &&Branch, others: &BTreeSet<Branch>| {
            !others.iter().any(|other| branch.is_below(other))
        };
        let kept = mine.iter().filter(|branch| stays(branch, &theirs));
        Branches(kept.chain(theirs.iter().filter(|branch| stays(branch, &mine))).cloned().collect())
    }

    /// All that is known here: a client hands it back with its next write.
    pub fn context(&self) -> Context {
        let clock: VectorClock = self.0.iter().flat_map(|branch| branch.clock.pairs()).collect();
        Context::from(clock)
    }

    /// The values, ascending, tombstones left out.
    pub fn values(&self) -> Vec<Bytes> {
        let mut values: Vec<Bytes> =
            self.iter().filter_map(|branch| branch.value.clone()).collect();
        values.sort_unstable();
        values
    }

    /// How many versions are held, tombstones included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no version is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The versions, ascending by vector.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Branch> {
        self.0.iter()
    }
}

impl FromIterator<Branch> for Branches {
    /// *Requires* that none covers another.
    fn from_iter<I: IntoIterator<Item = Branch>>(branches: I) -> Branches {
        Branches(branches.into_iter().collect())
    }
}

impl Branch {
    /// Whether `other` supersedes this. Equal counters mean the same write, for no pair is given twice;
    /// should that promise be broken, one of the two stays, on every replica the same.
    fn is_below(&self, other: &Branch) -> bool {
        other.clock.covers(&self.clock) && (!self.clock.covers(&other.clock) || self < other)
    }
}

/// The vectors, ascending: `[n1/1:2,n2/1:1][n1/1:2,n3/1:1]`.
impl fmt::Display for Branches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|branch| write!(f, "[{}]", branch.clock))
    }
}

#[cfg(test)]
mod tests;
