//! One node: what a crash leaves of it, and what not.
//!
//! ```text
//! durable    own copies and hints (on its disk), the epoch of its actor, how often it started
//! volatile   requests, calls under way, connections, the queue of hints (filled again from disk)
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use store::hint::{Hint, HintId, HintQueue};
use store::request::{CallId, Request};
use store::ring::NodeId;
use store::version::{Actor, Nonce};

use crate::agenda::Micros;
use crate::catch_up::Fetches;
use crate::disk::Disk;
use crate::letter::{CallNumber, Key, Return};

/// Room for hints: none is ever dropped for lack of it.
const HINT_BYTES: usize = 1 << 30;

/// For whom a request is coordinated.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asker {
    /// A client: the operation.
    Client(usize),
    /// Another node, which forwarded an update.
    Node(Return),
}

/// A request under way.
pub(crate) struct Running {
    pub(crate) request: Request,
    pub(crate) asker: Asker,
    pub(crate) key: Key,
    pub(crate) deadline: Micros,
    pub(crate) is_read: bool,
    pub(crate) is_answered: bool,
}

/// What a call was made for.
#[derive(Clone, Debug)]
pub(crate) enum Errand {
    /// A request.
    Request(u64, CallId),
    /// The owner of a hint is to have it.
    Hint(NodeId, HintId),
    /// Anti-entropy wants to know another's copy, since then.
    Fetch(Key, Micros),
    /// Anti-entropy brings another what it lacks, or has it forget.
    Push,
    /// The leader of a round, begun then, brings another a tombstone.
    Compare(Key, Micros),
}

/// A call under way.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) to: usize,
    pub(crate) errand: Errand,
}

/// One node.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) is_up: bool,
    /// How often it has started.
    pub(crate) life: u64,
    pub(crate) actor: Actor,
    sequence: u64,
    pub(crate) disk: Disk,
    /// When the last write handed to the disk will be durable.
    pub(crate) disk_busy_until: Micros,
    pub(crate) hints: HintQueue,
    /// Where each hint lies on disk.
    pub(crate) stored: BTreeMap<HintId, u64>,
    next_hint: u64,
    /// Hints on their way to their owners.
    pub(crate) sent: BTreeSet<HintId>,
    /// Of each other node: its life with which there is a connection.
    pub(crate) links: Vec<Option<u64>>,
    pub(crate) running: BTreeMap<u64, Running>,
    pub(crate) waiting: BTreeMap<CallNumber, Waiting>,
    pub(crate) catch_up: Fetches,
    /// The highest counter forgotten with a tombstone.
    pub(crate) floor: u64,
}

impl Node {
    /// The node in place `at` of a cluster of `nodes`, connected to all.
    pub(crate) fn new(at: usize, nodes: usize) -> Node {
        let id = Node::name(at);
        Node {
            actor: Actor::new(id.clone(), 1),
            id,
            is_up: true,
            life: 1,
            sequence: 0,
            disk: Disk::default(),
            disk_busy_until: 0,
            hints: HintQueue::new(HINT_BYTES),
            stored: BTreeMap::new(),
            next_hint: 0,
            sent: BTreeSet::new(),
            links: vec![Some(1); nodes],
            running: BTreeMap::new(),
            waiting: BTreeMap::new(),
            catch_up: Fetches::default(),
            floor: 0,
        }
    }

    /// The name of the node in this place.
    pub(crate) fn name(at: usize) -> NodeId {
        NodeId::new(&format!("n{}", at + 1)).expect("a plain name")
    }

    /// The place of a node in its cluster.
    pub(crate) fn place(id: &NodeId) -> usize {
        id.as_str()[1..].parse::<usize>().expect("nodes are named by number") - 1
    }

    /// What no other write of this node has.
    pub(crate) fn nonce(&mut self) -> Nonce {
        self.sequence += 1;
        Nonce { epoch: self.life, sequence: self.sequence }
    }

    /// Takes a hint; its place on disk.
    pub(crate) fn take(&mut self, hint: Hint) -> u64 {
        let id = self.hints.take(hint, Duration::ZERO).expect("there is room for all hints");
        let number = self.next_hint;
        self.next_hint += 1;
        self.stored.insert(id, number);
        number
    }

    /// Hints taken so far.
    pub(crate) fn hints_taken(&self) -> u64 {
        self.next_hint
    }

    /// Forgets all that is volatile.
    pub(crate) fn stop(&mut self) {
        self.is_up = false;
        self.hints = HintQueue::new(HINT_BYTES);
        self.stored.clear();
        self.sent.clear();
        self.links.fill(None);
        self.running.clear();
        self.waiting.clear();
        self.disk_busy_until = 0;
    }

    /// Lives again, with what its disk holds.
    pub(crate) fn start(&mut self) {
        self.is_up = true;
        self.life += 1;
        self.floor = self.disk.floor;
        self.next_hint = self.disk.hints.keys().next_back().map_or(0, |last| last + 1);
        for (number, hint) in &self.disk.hints {
            let id =
                self.hints.take(hint.clone(), Duration::ZERO).expect("there is room for all hints");
            self.stored.insert(id, *number);
        }
    }
}
