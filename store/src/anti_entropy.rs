//! Anti-entropy: replicas compare Merkle trees in the background, and exchange what differs.
//!
//! Every round takes one other node at random and, of each tree they share, walks down from the root
//! where hashes differ; lists the keys of the buckets found; and of each key that differs fetches
//! the other's copy, joins it with the own, and sends back the join if that says more. So both sides
//! end equal, writes nobody retried and hints nobody kept are mended, and equal trees cost one round
//! trip. What is decided is decided in [`Comparison`].
//!
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.7.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::gossip::View;
use crate::merkle::{Comparison, FANOUT, Span};
use crate::peer::message::{
    Answer, Ask, Children, KeyHash, Listing, OwnCopy, ReplicaRead, ReplicaWrite, Roots,
    TreeChildren, TreeList, TreeRoot, TreeRoots,
};
use crate::peer::{CallError, Peers};
use crate::placement::{Placement, TreeId};
use crate::replica::{Replica, ReplicaError};
use crate::ring::NodeId;
use crate::stats::Stats;
use crate::version::{DecodeError, Record};

/// Between rounds.
const TICK: Duration = Duration::from_secs(1);
/// For one answer of the other side.
const PATIENCE: Duration = Duration::from_secs(1);
/// Keys in one listing.
const PAGE: usize = 512;
/// Keys exchanged at once.
const WINDOW: usize = 16;

/// Compares this node's copies with those of others.
pub struct AntiEntropy {
    /// Which trees are shared with whom.
    pub placement: Arc<Placement>,
    /// The own copies.
    pub replica: Arc<Replica>,
    /// The others.
    pub peers: Arc<Peers>,
    /// Who is worth asking.
    pub view: Arc<View>,
    /// Where exchanges are counted.
    pub stats: Arc<Stats>,
}

/// Why an exchange was left unfinished; the next round begins another.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    #[error("the other side's record cannot be read: {0}")]
    Damaged(#[from] DecodeError),
}

impl AntiEntropy {
    /// Compares with one other after another, at random, until `shutdown`.
    pub async fn run(self: Arc<Self>, mut random: ChaCha8Rng, shutdown: CancellationToken) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rounds = async {
            loop {
                tick.tick().await;
                let Some(other) = self.partner(random.next_u64()) else { continue };
                match self.exchange(&other).await {
                    Ok(()) => self.stats.exchanges.add(),
                    Err(error) => tracing::debug!("exchange with {other} left: {error}"),
                }
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = rounds => {}
        }
    }

    /// The own roots of the trees shared with `other`.
    pub fn roots(&self, other: &NodeId) -> Roots {
        let trees = self.placement.my_trees().filter(|(_, tree)| tree.replicas.contains(other));
        let root = |id| self.replica.trees().root(id).unwrap_or_default();
        Roots {
            trees: trees
                .map(|(id, tree)| TreeRoot { tree: tree.name.clone(), root: root(id) })
                .collect(),
        }
    }

    /// The own hashes below the nodes asked for; `None` if there are no such nodes.
    pub fn children(&self, other: &NodeId, ask: &TreeChildren) -> Option<Children> {
        let id = self.placement.shared_tree(&ask.tree, other)?;
        let level = u8::try_from(ask.level).ok()?;
        let below = self.replica.trees().with(id, |tree| {
            let spans = ask.indices.iter().map(|&index| Span { level, index });
            spans.map(|span| tree.children(span).map(<[u64]>::to_vec)).collect::<Option<Vec<_>>>()
        });
        Some(Children { hashes: below??.concat() })
    }

    /// The own keys of the buckets asked for; `None` if there is no such tree.
    pub async fn list(
        &self,
        other: &NodeId,
        ask: &TreeList,
    ) -> Option<Result<Listing, ReplicaError>> {
        let id = self.placement.shared_tree(&ask.tree, other)?;
        let listed = self.replica.list(id, &ask.buckets, ask.after.as_ref(), None, PAGE).await;
        Some(listed.map(|(keys, more)| {
            let keys = keys.into_iter().map(|(key, hash)| KeyHash { key, hash });
            Listing { keys: keys.collect(), more }
        }))
    }

    fn partner(&self, random: u64) -> Option<NodeId> {
        let present = |node: &&NodeId| self.view.is_up(node) && self.peers.is_connected(node);
        let others: Vec<&NodeId> = self.peers.nodes().filter(present).collect();
        let at = random.checked_rem(others.len() as u64)? as usize;
        Some(others[at].clone())
    }

    async fn exchange(&self, other: &NodeId) -> Result<(), ExchangeError> {
        let Answer::Roots(theirs) = self.ask(other, Ask::Roots(TreeRoots {})).await? else {
            return Err(CallError::Confused.into());
        };
        for TreeRoot { tree, root } in theirs.trees {
            if let Some(id) = self.placement.shared_tree(&tree, other) {
                let buckets = self.differing(other, id, root).await?;
                if !buckets.is_empty() {
                    self.mend(other, id, buckets).await?;
                }
            }
        }
        Ok(())
    }

    /// Walks down both trees to the buckets that differ.
    async fn differing(
        &self,
        other: &NodeId,
        id: TreeId,
        root: u64,
    ) -> Result<Vec<u32>, ExchangeError> {
        let ours = self.replica.trees();
        let walk = ours.with(id, |tree| Comparison::new(tree, root));
        let mut walk = walk.expect("a shared tree is ours");
        loop {
            let asks = walk.asks();
            let Some(first) = asks.first() else { break };
            let level = first.level;
            let spans: Vec<Span> = asks.into_iter().filter(|span| span.level == level).collect();
            let ask = TreeChildren {
                tree: self.placement.trees()[id].name.clone(),
                level: level.into(),
                indices: spans.iter().map(|span| span.index).collect(),
            };
            let Answer::Children(below) = self.ask(other, Ask::Children(ask)).await? else {
                return Err(CallError::Confused.into());
            };
            let mut hashes = below.hashes.chunks(FANOUT);
            for span in spans {
                let theirs = hashes.next().unwrap_or_default();
                ours.with(id, |tree| walk.tell(tree, span, theirs));
            }
        }
        Ok(walk.buckets().iter().map(|span| span.index).collect())
    }

    /// Lists the keys of these buckets on both sides, page by page, and exchanges those that differ.
    async fn mend(
        &self,
        other: &NodeId,
        id: TreeId,
        buckets: Vec<u32>,
    ) -> Result<(), ExchangeError> {
        let mut after: Option<Bytes> = None;
        loop {
            let ask = TreeList {
                tree: self.placement.trees()[id].name.clone(),
                buckets: buckets.clone(),
                after: after.clone(),
            };
            let Answer::Listing(theirs) = self.ask(other, Ask::List(ask)).await? else {
                return Err(CallError::Confused.into());
            };
            let last = theirs.keys.last().map(|listed| listed.key.clone()).filter(|_| theirs.more);
            let (ours, _) =
                self.replica.list(id, &buckets, after.as_ref(), last.as_ref(), usize::MAX).await?;
            let keys = difference(ours, theirs.keys);
            let mut mended = stream::iter(keys)
                .map(|(key, held)| self.mend_key(other, key, held))
                .buffer_unordered(WINDOW);
            while let Some(result) = mended.next().await {
                match result {
                    // The other side may never take this key; it must not hold up those behind it.
                    Err(ExchangeError::Call(CallError::Refused(why))) => {
                        tracing::warn!("{other} refused its part in the exchange of a key: {why}");
                    }
                    result => result?,
                }
            }
            if last.is_none() {
                return Ok(());
            }
            after = last;
        }
    }

    /// Makes both sides hold the join of what both hold of `key`.
    async fn mend_key(&self, other: &NodeId, key: Bytes, held: bool) -> Result<(), ExchangeError> {
        let home = self.placement.home(&key);
        let mut theirs = None;
        if held {
            let ask = Ask::Read(ReplicaRead { key: key.clone(), known: None, held_for: None });
            let Answer::Record(OwnCopy { record, .. }) = self.ask(other, ask).await? else {
                return Err(CallError::Confused.into());
            };
            theirs = record.map(|encoded| Record::decode(&encoded)).transpose()?;
        }
        if let Some(record) = &theirs {
            self.replica.join(home, &key, record.clone()).await?;
        }
        let ours = self.replica.get(home, &key)?;
        if let Some(record) = ours.as_ref().filter(|_| ours != theirs) {
            let write = ReplicaWrite { key, record: record.encode(), held_for: None };
            self.ask(other, Ask::Write(write)).await?;
        }
        self.stats.exchanged_records.add();
        Ok(())
    }

    async fn ask(&self, other: &NodeId, ask: Ask) -> Result<Answer, CallError> {
        self.peers.call(other, ask, Instant::now() + PATIENCE).await
    }
}

/// Keys that one side lacks or of which both hold different records, ascending, and whether the
/// other side holds any.
fn difference(ours: Vec<(Bytes, u64)>, theirs: Vec<KeyHash>) -> Vec<(Bytes, bool)> {
    let mut ours: BTreeMap<Bytes, u64> = ours.into_iter().collect();
    let mut differing: BTreeMap<Bytes, bool> = BTreeMap::new();
    for KeyHash { key, hash } in theirs {
        if ours.remove(&key) != Some(hash) {
            differing.insert(key, true);
        }
    }
    differing.extend(ours.into_keys().map(|key| (key, false)));
    differing.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_lacks_or_holds_otherwise_differs() {
        let key = |text: &'static str| Bytes::from_static(text.as_bytes());
        let ours = vec![(key("both"), 1), (key("other"), 2), (key("ours"), 3)];
        let theirs = [("both", 1), ("other", 9), ("theirs", 4)]
            .map(|(name, hash)| KeyHash { key: key(name), hash })
            .to_vec();
        assert_eq!(
            difference(ours, theirs),
            [(key("other"), true), (key("ours"), false), (key("theirs"), true)]
        );
    }
}
