//! Who is alive, by heartbeats that spread as rumours.
//!
//! Each node raises its own [`Heartbeat`] with every tick and now and then tells a node taken at
//! random all the [rumours](Rumour) it knows; so a heartbeat reaches everyone in O(log n) rounds even if
//! some links are cut. A node whose heartbeat has not advanced here for `suspect_after_ms` is
//! *suspected* here, and our own rumour says so.
//!
//! One observer's silence proves nothing: its own link may be the one that is cut. So a node is
//! [down](Health::Down) only when two observers suspect it (in a cluster of two, the only other).
//! A suspicion names the heartbeat after which nothing came. A later heartbeat voids every older
//! suspicion at once, from whomever, so that a node is up again as soon as it is heard of, and old
//! rumours, or those of a node that cannot hear, do no harm.
//!
//! Health steers work (who is worth a request, when to replay hints). It never decides what is safe:
//! quorums do that, and they count only answers.
//!
//! Shape: a pure state machine; time comes in as milliseconds of any clock that does not go back,
//! and randomness as a number.
//! Source: van Renesse, Minsky and Hayden, "A Gossip-Style Failure Detection Service", Middleware
//! 1998; the second opinion as in Das, Gupta and Motivala, "SWIM", DSN 2002, §4.2.
//! Departure: members are those of the configuration; rumours of others are ignored.

mod heartbeat;
mod rumour;

pub use heartbeat::Heartbeat;
pub use rumour::{Digest, Rumour};

use std::collections::BTreeMap;

use crate::ring::NodeId;

/// Observers that must suspect a node before it is down, where there are as many.
pub const OBSERVERS: usize = 2;

/// What a node believes of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// Heard of lately, or missed by others only.
    Up,
    /// Missed by this node, but not by enough others.
    Suspected,
    /// Missed by enough observers.
    Down,
}

/// A node whose health has changed, for logs and for the replay of hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose health.
    pub node: NodeId,
    /// What was believed.
    pub from: Health,
    /// What is believed now.
    pub to: Health,
}

/// What is known of one member.
#[derive(Clone, Debug)]
struct Peer {
    rumour: Rumour,
    /// When its heartbeat last advanced here.
    advanced_ms: u64,
    health: Health,
}

/// The members of a cluster, as one of them sees them.
#[derive(Clone, Debug)]
pub struct Membership {
    me: NodeId,
    own: Rumour,
    others: BTreeMap<NodeId, Peer>,
    suspect_after_ms: u64,
    ticked_ms: u64,
}

impl Membership {
    /// `me`, just started in its `epoch` (higher than in any start before), among `members`. Nobody
    /// has been heard yet, and everybody has until `now_ms + suspect_after_ms` to be.
    pub fn new(
        me: NodeId,
        epoch: u64,
        members: impl IntoIterator<Item = NodeId>,
        suspect_after_ms: u64,
        now_ms: u64,
    ) -> Membership {
        let own = silent(me.clone(), Heartbeat { epoch, counter: 0 });
        let others = members
            .into_iter()
            .filter(|node| *node != me)
            .map(|node| {
                let rumour = silent(node.clone(), Heartbeat::default());
                (node, Peer { rumour, advanced_ms: now_ms, health: Health::Up })
            })
            .collect();
        Membership { me, own, others, suspect_after_ms, ticked_ms: now_ms }
    }

    /// Time passes: our heartbeat rises, and who was not heard of for too long is suspected.
    ///
    /// *Requires* several ticks within `suspect_after_ms`. A gap as long as that means that we slept
    /// ourselves (paused, or starved of a processor) and listened to nobody: all counts start anew,
    /// or else whoever sleeps together would wake to call everybody down.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Change> {
        if now_ms.saturating_sub(self.ticked_ms) >= self.suspect_after_ms {
            self.others.values_mut().for_each(|peer| peer.advanced_ms = now_ms);
        }
        self.ticked_ms = now_ms;
        self.own.heartbeat.counter += 1;
        self.own.suspects = self
            .others
            .iter()
            .filter(|(_, peer)| now_ms.saturating_sub(peer.advanced_ms) >= self.suspect_after_ms)
            .map(|(node, peer)| (node.clone(), peer.rumour.heartbeat))
            .collect();
        self.judge()
    }

    /// Takes in rumours; those older than what is known here or of strangers are ignored.
    ///
    /// A later heartbeat of ourselves than we remember is from a life before we lost our disk, under a
    /// clock that has been set back since. We count on from there: else the others would take our
    /// heartbeats for old news, and us for dead, until the clock has caught up.
    pub fn hear(&mut self, rumours: impl IntoIterator<Item = Rumour>, now_ms: u64) -> Vec<Change> {
        for rumour in rumours {
            if rumour.node == self.me {
                self.own.heartbeat = self.own.heartbeat.max(rumour.heartbeat);
            }
            if let Some(peer) = self.others.get_mut(&rumour.node)
                && rumour.heartbeat > peer.rumour.heartbeat
            {
                peer.rumour = rumour;
                peer.advanced_ms = now_ms;
            }
        }
        self.judge()
    }

    /// The heartbeats known here: what a partner needs to see what to tell.
    pub fn digest(&self) -> Digest {
        self.known().map(|rumour| (rumour.node.clone(), rumour.heartbeat)).collect()
    }

    /// The rumours that whoever sent `theirs` lacks, ascending by node. Of an empty digest: all.
    ///
    /// One exchange is: we send our digest and all rumours of an empty one, or what we think they lack;
    /// they [hear](Membership::hear) it and send back what our digest lacks.
    pub fn exchange(&self, theirs: &Digest) -> Vec<Rumour> {
        self.known()
            .filter(|rumour| theirs.get(&rumour.node).is_none_or(|at| *at < rumour.heartbeat))
            .cloned()
            .collect()
    }

    /// Whom to tell next: any other member, each as likely, given a `random` number. A node that is
    /// down is told too; else two halves, each down in the other's eyes, would never meet again.
    pub fn target(&self, random: u64) -> Option<&NodeId> {
        let count = self.others.len() as u64;
        self.others.keys().nth(random.checked_rem(count)? as usize)
    }

    /// What is believed of `node`; `None` if it is no member. Of ourselves: up.
    pub fn health(&self, node: &NodeId) -> Option<Health> {
        if *node == self.me {
            return Some(Health::Up);
        }
        self.others.get(node).map(|peer| peer.health)
    }

    /// Every member with what is believed of it, ascending by node.
    pub fn members(&self) -> impl Iterator<Item = (&NodeId, Health)> {
        let mut members: Vec<(&NodeId, Health)> =
            self.others.iter().map(|(node, peer)| (node, peer.health)).collect();
        members.push((&self.me, Health::Up));
        members.sort_unstable();
        members.into_iter()
    }

    /// Who suspects `node` of having stopped after the last heartbeat known here, ascending.
    pub fn observers(&self, node: &NodeId) -> Vec<NodeId> {
        let Some(peer) = self.others.get(node) else { return Vec::new() };
        self.known()
            .filter(|rumour| rumour.node != *node)
            .filter(|rumour| {
                rumour.suspects.get(node).is_some_and(|at| *at >= peer.rumour.heartbeat)
            })
            .map(|rumour| rumour.node.clone())
            .collect()
    }

    fn known(&self) -> impl Iterator<Item = &Rumour> {
        let others = self.others.values().map(|peer| &peer.rumour);
        let (before, after): (Vec<_>, Vec<_>) = others.partition(|rumour| rumour.node < self.me);
        before.into_iter().chain([&self.own]).chain(after)
    }

    fn judge(&mut self) -> Vec<Change> {
        let verdicts: Vec<(NodeId, Health)> =
            self.others.keys().map(|node| (node.clone(), self.verdict(node))).collect();
        let mut changes = Vec::new();
        for (node, to) in verdicts {
            let peer = self.others.get_mut(&node).expect("verdicts are of the members");
            let from = std::mem::replace(&mut peer.health, to);
            if from != to {
                changes.push(Change { node, from, to });
            }
        }
        changes
    }

    fn verdict(&self, node: &NodeId) -> Health {
        // All who can observe it are the members but itself, of whom we are one.
        let enough = OBSERVERS.min(self.others.len());
        let observers = self.observers(node);
        if observers.len() >= enough {
            Health::Down
        } else if observers.contains(&self.me) {
            Health::Suspected
        } else {
            Health::Up
        }
    }
}

fn silent(node: NodeId, heartbeat: Heartbeat) -> Rumour {
    Rumour { node, heartbeat, suspects: BTreeMap::new() }
}

#[cfg(test)]
mod tests;
