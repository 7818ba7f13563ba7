//! What this node answers to the asks of others: the other side of every message of the peers.

use std::sync::Arc;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::anti_entropy::AntiEntropy;
use crate::coordinator::Coordinator;
use crate::peer::Handler;
use crate::peer::frame::Hello;
use crate::peer::message::{
    Answer, Ask, Done, OwnCopy, ReplicaRead, ReplicaUpdate, ReplicaWrite, Updated,
};
use crate::ring::NodeId;
use crate::version::Record;

/// Answers other nodes.
pub(super) struct Asks {
    pub(super) cluster: String,
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) anti_entropy: Arc<AntiEntropy>,
}

impl Handler for Asks {
    fn judge(&self, hello: &Hello) -> Option<String> {
        let others: Vec<&str> = self.coordinator.peers.nodes().map(NodeId::as_str).collect();
        hello.refusal(&self.cluster, self.coordinator.placement.me().as_str(), &others)
    }

    async fn handle(&self, from: &str, ask: Ask) -> Answer {
        let from = NodeId::new(from).expect("a member's name, as the handshake made sure");
        match ask {
            Ask::Ping(_) => Answer::Done(Done {}),
            Ask::Read(read) => self.read(&read),
            Ask::Write(write) => self.write(write).await,
            Ask::Update(update) => match self.refusal(&update.key) {
                Some(refusal) => refusal,
                None => self.update(update).await,
            },
            Ask::Gossip(gossip) => Answer::Gossip(self.coordinator.view.answer(&gossip)),
            Ask::Roots(_) => Answer::Roots(self.anti_entropy.roots(&from)),
            Ask::Children(ask) => {
                let children = self.anti_entropy.children(&from, &ask);
                children.map_or_else(|| no_tree(&ask.tree), Answer::Children)
            }
            Ask::List(ask) => match self.anti_entropy.list(&from, &ask).await {
                Some(Ok(listing)) => Answer::Listing(listing),
                Some(Err(error)) => Answer::refused(error.to_string()),
                None => no_tree(&ask.tree),
            },
        }
    }
}

impl Asks {
    fn read(&self, read: &ReplicaRead) -> Answer {
        if let Some(owner) = &read.held_for {
            return self.read_held(owner, &read.key);
        }
        let home = self.coordinator.placement.home(&read.key);
        if let Some(refusal) = self.refusal(&read.key) {
            return refusal;
        }
        let record = match self.coordinator.replica.get_encoded(home, &read.key) {
            Ok(record) => record,
            Err(error) => return Answer::refused(error.to_string()),
        };
        // What is stored is what a digest is of: no need to decode it.
        let same = read.known.is_some() && record.as_deref().map(xxh3_64) == read.known;
        Answer::Record(OwnCopy { record: record.filter(|_| !same), same })
    }

    fn read_held(&self, owner: &str, key: &Bytes) -> Answer {
        let Ok(owner) = NodeId::new(owner) else { return no_member(owner) };
        let record = self.coordinator.hints.held(&owner, key).map(|record| record.encode());
        Answer::Record(OwnCopy { record, same: false })
    }

    async fn write(&self, write: ReplicaWrite) -> Answer {
        let record = match Record::decode(&write.record) {
            Ok(record) => record,
            Err(error) => return Answer::refused(format!("ERR a record cannot be read: {error}")),
        };
        if let Some(owner) = &write.held_for {
            return self.hold(owner, &write.key, &record).await;
        }
        let home = self.coordinator.placement.home(&write.key);
        if let Some(refusal) = self.refusal(&write.key) {
            return refusal;
        }
        match self.coordinator.replica.join(home, &write.key, record).await {
            Ok(()) => Answer::Done(Done {}),
            Err(error) => Answer::refused(error.to_string()),
        }
    }

    async fn hold(&self, owner: &str, key: &Bytes, record: &Record) -> Answer {
        let owner = NodeId::new(owner).ok();
        let is_other = |owner: &NodeId| self.coordinator.peers.nodes().any(|node| node == owner);
        let Some(owner) = owner.filter(is_other) else {
            return no_member("whom this would be kept for");
        };
        match self.coordinator.hints.hold(&owner, key, record).await {
            Ok(()) => Answer::Done(Done {}),
            Err(error) => Answer::refused(error.to_string()),
        }
    }

    async fn update(&self, update: ReplicaUpdate) -> Answer {
        let key = update.key.clone();
        match self.coordinator.serve_update(update).await {
            Ok(context) => Answer::Updated(Updated { context: context.to_text(&key).into() }),
            Err(failure) => Answer::refused(failure.to_string()),
        }
    }

    /// A key of which we are no primary: the other node is configured apart.
    fn refusal(&self, key: &[u8]) -> Option<Answer> {
        let home = self.coordinator.placement.home(key);
        let me = self.coordinator.placement.me();
        (!home.is_mine)
            .then(|| Answer::refused(format!("NOTREPLICA {me} is no primary of this key")))
    }
}

fn no_member(name: &str) -> Answer {
    Answer::refused(format!("ERR `{name}` is no other member"))
}

fn no_tree(name: &str) -> Answer {
    Answer::refused(format!("ERR no tree `{name}` is shared"))
}
