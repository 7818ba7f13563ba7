//! The shell around exchanges: asks the other side and the own engine for what each needs, and
//! counts what travels.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::exchange::{Exchange, Found, Need};
use super::pages::Nonsense;
use super::tally::Tally;
use crate::merkle::{Bucket, Span};
use crate::peer::CallError;
use crate::peer::message::{
    Answer, Ask, Listing, OwnCopy, ReplicaRead, ReplicaWrite, TreeChildren, TreeList, TreeRoots,
};
use crate::placement::{Placement, TreeId};
use crate::replica::{Page, Replica, ReplicaError};
use crate::ring::NodeId;
use crate::stats::{Counter, Stats};
use crate::version::Record;

/// Keys on their way between both sides at once.
const WINDOW: usize = 32;

/// The other side of a session.
pub trait Other: Sync {
    /// Asks it, and waits for its answer for a while. A refusal comes back as an error.
    fn ask(&self, ask: Ask) -> impl Future<Output = Result<Answer, CallError>> + Send;
}

/// Why a session was left unfinished. What was exchanged stays; another finds the rest.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The other side did not answer, or refused what every replica must answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It answered what cannot be.
    #[error("the other side answered {0}")]
    Nonsense(#[from] Nonsense),
    /// The own side failed.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
}

/// This node's side of the exchange of all trees that it shares with another.
pub struct Session<'a, O> {
    placement: &'a Placement,
    replica: &'a Replica,
    stats: &'a Stats,
    with: &'a NodeId,
    other: O,
    sent: Counter,
    received: Counter,
}

impl<'a, O: Other> Session<'a, O> {
    /// A session with the node `with`, who is reached by `other`.
    pub fn new(
        placement: &'a Placement,
        replica: &'a Replica,
        stats: &'a Stats,
        with: &'a NodeId,
        other: O,
    ) -> Session<'a, O> {
        let (sent, received) = (Counter::default(), Counter::default());
        Session { placement, replica, stats, with, other, sent, received }
    }

    /// Exchanges one tree after the other. When this returns, what either side held when it was
    /// called is held by both, but for the keys that were refused.
    pub async fn run(&self) -> Result<Tally, SessionError> {
        let mut tally = Tally::default();
        for (id, theirs) in self.roots().await? {
            tally += self.exchange(id, theirs).await?;
        }
        if self.replica.catching_up_with() > 0 {
            // What they have forgotten since, we must not have missed.
            self.roots().await?;
        }
        self.stats.exchanges.add();
        tally.sent_bytes = self.sent.get();
        tally.received_bytes = self.received.get();
        Ok(tally)
    }

    /// Their roots of all trees that both have; it is nonsense to leave one out. Takes over their floor.
    async fn roots(&self) -> Result<Vec<(TreeId, u64)>, SessionError> {
        let Answer::Roots(roots) = self.ask(Ask::Roots(TreeRoots {})).await? else {
            return Err(CallError::Confused.into());
        };
        self.replica.raise_floor(roots.floor);
        let told = roots.trees.into_iter().map(|told| (told.tree, told.root));
        let mut told: BTreeMap<String, u64> = told.collect();
        let mut shared = Vec::new();
        for (id, tree) in self.placement.my_trees() {
            if tree.replicas.contains(self.with) {
                let root = told.remove(&tree.name);
                shared.push((id, root.ok_or_else(|| Nonsense::Trees(tree.name.clone()))?));
            }
        }
        match told.pop_first() {
            Some((name, _)) => Err(Nonsense::Trees(name).into()),
            None => Ok(shared),
        }
    }

    async fn exchange(&self, id: TreeId, theirs: u64) -> Result<Tally, SessionError> {
        let ours = self.replica.trees().root(id).unwrap_or_default();
        let mut exchange = Exchange::new(ours, theirs);
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < WINDOW
                && let Some(need) = exchange.need()
            {
                under_way.push(self.find(id, need));
            }
            match under_way.next().await {
                Some(found) => exchange.take(found?)?,
                None => break,
            }
        }
        let tally = exchange.tally();
        self.stats.exchanged_records.add_all(tally.received + tally.sent);
        Ok(tally)
    }

    async fn find(&self, id: TreeId, need: Need) -> Result<Found, SessionError> {
        match need {
            Need::Hashes(spans) => self.hashes(id, spans).await,
            Need::Keys(buckets, after) => self.keys(id, &buckets, after.as_ref()).await,
            Need::Copy(key) => self.copy(key).await,
            Need::Join(key, record) => {
                let home = self.placement.home(&key);
                if let Some(record) = record {
                    self.replica.join(home, &key, record).await?;
                }
                let own = self.replica.get(home, &key)?;
                Ok(Found::Joined(key, own))
            }
            Need::Push(key, record) => self.push(key, &record).await,
        }
    }

    /// Theirs first: what we hold when their answer is here is compared with what they just held.
    async fn hashes(&self, id: TreeId, spans: Vec<Span>) -> Result<Found, SessionError> {
        let ask = TreeChildren {
            tree: self.placement.trees()[id].name.clone(),
            level: spans.first().map_or(0, |span| span.level.into()),
            indices: spans.iter().map(|span| span.index).collect(),
        };
        let Answer::Children(theirs) = self.ask(Ask::Children(ask)).await? else {
            return Err(CallError::Confused.into());
        };
        let below = |span: &Span| self.replica.trees().children(id, *span);
        let ours = spans.iter().filter_map(below).flatten().collect();
        Ok(Found::Hashes(spans, ours, theirs.hashes))
    }

    async fn keys(
        &self,
        id: TreeId,
        buckets: &[Bucket],
        after: Option<&Bytes>,
    ) -> Result<Found, SessionError> {
        let ask = TreeList {
            tree: self.placement.trees()[id].name.clone(),
            buckets: buckets.iter().map(|bucket| bucket.0.into()).collect(),
            after: after.cloned(),
        };
        let Some(answer) = self.ask_for_some(Ask::List(ask)).await? else {
            return Ok(Found::Unlisted);
        };
        let Answer::Listing(Listing { keys, more }) = answer else {
            return Err(CallError::Confused.into());
        };
        if keys.iter().any(|listed| self.placement.home(&listed.key).tree != id) {
            return Err(Nonsense::Stray.into());
        }
        let keys = keys.into_iter().map(|listed| (listed.key, listed.hash)).collect();
        match self.replica.list(id, buckets, after).await {
            Ok(ours) => Ok(Found::Keys(ours, Page { keys, more })),
            Err(why) => {
                tracing::warn!("left some buckets out of an exchange: {why}");
                Ok(Found::Unlisted)
            }
        }
    }

    async fn copy(&self, key: Bytes) -> Result<Found, SessionError> {
        let ask = Ask::Fetch(ReplicaRead { key: key.clone(), known: None, held_for: None });
        let Some(answer) = self.ask_for_some(ask).await? else { return Ok(Found::Refused(key)) };
        let Answer::Record(OwnCopy { record, .. }) = answer else {
            return Err(CallError::Confused.into());
        };
        match record.map(|encoded| Record::decode(&encoded)).transpose() {
            Ok(record) => Ok(Found::Copy(key, record)),
            Err(why) => {
                tracing::warn!("a record of {} cannot be read: {why}", self.with);
                Ok(Found::Refused(key))
            }
        }
    }

    async fn push(&self, key: Bytes, record: &Record) -> Result<Found, SessionError> {
        let ask =
            Ask::Mend(ReplicaWrite { key: key.clone(), record: record.encode(), held_for: None });
        match self.ask_for_some(ask).await? {
            Some(Answer::Done(_)) => Ok(Found::Pushed(key)),
            Some(_) => Err(CallError::Confused.into()),
            None => Ok(Found::Refused(key)),
        }
    }

    /// An ask of some keys; `None` if it was refused, for others must not wait for those.
    async fn ask_for_some(&self, ask: Ask) -> Result<Option<Answer>, SessionError> {
        match self.ask(ask).await {
            Err(CallError::Refused(why)) => {
                tracing::warn!("{} refused its part in an exchange: {why}", self.with);
                Ok(None)
            }
            answer => Ok(Some(answer?)),
        }
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, CallError> {
        let bytes = ask.encoded_len() as u64;
        self.sent.add_all(bytes);
        self.stats.exchange_sent_bytes.add_all(bytes);
        let answer = self.other.ask(ask).await?;
        let bytes = answer.encoded_len() as u64;
        self.received.add_all(bytes);
        self.stats.exchange_received_bytes.add_all(bytes);
        Ok(answer)
    }
}
