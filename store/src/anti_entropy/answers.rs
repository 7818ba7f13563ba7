//! What this node answers to one that began an exchange, or has tombstones forgotten.
//!
//! Every answer is bounded, whatever is asked: by [`LOOK`] nodes or buckets, by a page of keys, by one
//! record. Who asks more is refused, for no healthy node does.

use std::sync::Arc;

use super::exchange::LOOK;
use crate::merkle::{Bucket, Span};
use crate::peer::message::{
    Answer, Ask, Children, Done, Forget, KeyHash, Listing, Roots, TreeChildren, TreeList, TreeRoot,
};
use crate::placement::{Placement, TreeId};
use crate::replica::{Listed, Page, Replica};
use crate::ring::NodeId;
use crate::stats::Stats;

/// Answers those who compare their copies with ours.
pub struct Answers {
    /// Which trees are shared with whom.
    pub placement: Arc<Placement>,
    /// The own copies.
    pub replica: Arc<Replica>,
    /// Where bytes are counted.
    pub stats: Arc<Stats>,
}

impl Answers {
    /// The answer to one ask of an exchange; any other is refused.
    pub async fn answer(&self, from: &NodeId, ask: Ask) -> Answer {
        self.stats.exchange_received_bytes.add_all(ask.encoded_len() as u64);
        let answer = match ask {
            Ask::Roots(_) => Ok(self.roots(from)),
            Ask::Children(ask) => self.children(from, &ask),
            Ask::List(ask) => self.list(from, &ask).await,
            Ask::Fetch(read) => Ok(self.replica.answer_fetch(&read)),
            Ask::Mend(write) => Ok(self.replica.answer_write(write).await),
            Ask::Forget(ask) => self.forget(from, ask).await,
            _ => Err("ERR that is no ask of an exchange".to_owned()),
        };
        let answer = answer.unwrap_or_else(Answer::refused);
        self.stats.exchange_sent_bytes.add_all(answer.encoded_len() as u64);
        answer
    }

    fn roots(&self, other: &NodeId) -> Answer {
        let trees = self.placement.my_trees().filter(|(_, tree)| tree.replicas.contains(other));
        let root = |id| self.replica.trees().root(id).unwrap_or_default();
        let trees = trees.map(|(id, tree)| TreeRoot { tree: tree.name.clone(), root: root(id) });
        Answer::Roots(Roots { trees: trees.collect(), floor: self.replica.floor() })
    }

    fn children(&self, other: &NodeId, ask: &TreeChildren) -> Result<Answer, String> {
        let id = self.tree(other, &ask.tree, ask.indices.len())?;
        let spans = ask.indices.iter().map(|&index| Span::inner(ask.level, index));
        let spans: Option<Vec<Span>> = spans.collect();
        let spans = spans.ok_or_else(|| "ERR no tree has such a node".to_owned())?;
        let below = |span: &Span| self.replica.trees().children(id, *span);
        let hashes = spans.iter().filter_map(below).flatten().collect();
        Ok(Answer::Children(Children { hashes }))
    }

    async fn list(&self, other: &NodeId, ask: &TreeList) -> Result<Answer, String> {
        let id = self.tree(other, &ask.tree, ask.buckets.len())?;
        let buckets = ask.buckets.iter().map(|&index| u16::try_from(index).map(Bucket));
        let buckets: Vec<Bucket> =
            buckets.collect::<Result<_, _>>().map_err(|_| "ERR no tree has such a bucket")?;
        if !buckets.is_sorted() {
            return Err("ERR buckets are asked for in order".to_owned());
        }
        let listed = self.replica.list(id, &buckets, ask.after.as_ref()).await;
        let page = listed.map_err(|error| error.to_string())?;
        let keys = page.keys.into_iter().map(|(key, hash)| KeyHash { key, hash });
        Ok(Answer::Listing(Listing { keys: keys.collect(), more: page.more }))
    }

    async fn forget(&self, other: &NodeId, ask: Forget) -> Result<Answer, String> {
        let id = self.tree(other, &ask.tree, 0)?;
        if ask.keys.len() > Page::KEYS_MAX {
            return Err(format!("ERR {} keys at once, at most {}", ask.keys.len(), Page::KEYS_MAX));
        }
        let tombstones: Vec<Listed> =
            ask.keys.into_iter().map(|listed| (listed.key, listed.hash)).collect();
        let forgotten = self.replica.forget(id, &tombstones).await;
        self.stats.tombstones_reaped.add_all(forgotten.map_err(|error| error.to_string())?);
        Ok(Answer::Done(Done {}))
    }

    /// The tree of this name, if it is shared and not too much of it is asked for.
    fn tree(&self, other: &NodeId, name: &str, asked: usize) -> Result<TreeId, String> {
        if asked > LOOK {
            return Err(format!("ERR {asked} places of a tree in one look, at most {LOOK}"));
        }
        let id = self.placement.shared_tree(name, other);
        id.ok_or_else(|| format!("ERR no tree `{name}` is shared"))
    }
}
