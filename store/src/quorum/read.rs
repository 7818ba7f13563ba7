//! Replies in; the newest that any of them held, and who must still learn of it, out.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::tally::{Progress, Tally};
use super::write::WriteQuorum;
use crate::ring::NodeId;
use crate::version::{Record, Tag};

/// What a replica replied.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    /// Nothing yet.
    None,
    /// What it holds.
    Holds(Option<Record>),
}

/// The replies to one read.
///
/// Prints what was reached: `read needs 2 of 3, 1 replied: n2; refused: n1, n3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadQuorum {
    tally: Tally,
    /// What each replica held when it first replied, at its place in the list: a later reply may tell
    /// of a later write, whose copy the first no longer proves.
    replies: SmallVec<[Reply; 1]>,
    /// The join of all replies.
    joined: Option<Record>,
    /// The highest floor of those that hold nothing.
    floor: u64,
}

impl ReadQuorum {
    /// A read of `replicas` of which `r` must reply.
    pub fn new(replicas: impl IntoIterator<Item = NodeId>, r: usize) -> ReadQuorum {
        ReadQuorum::over(Tally::new(replicas, r))
    }

    /// The same. *Requires* that no node stands in the list twice.
    pub fn of(replicas: Arc<[NodeId]>, r: usize) -> ReadQuorum {
        ReadQuorum::over(Tally::of(replicas, r))
    }

    fn over(tally: Tally) -> ReadQuorum {
        let replies = SmallVec::from_elem(Reply::None, tally.replicas().len());
        ReadQuorum { tally, replies, joined: None, floor: 0 }
    }

    /// `from` holds `record`; `None` is a reply too: it holds nothing of the key.
    pub fn add(&mut self, from: &NodeId, record: Option<Record>) -> Progress {
        if let Some(place) = self.tally.place(from).filter(|_| self.tally.answer(from)) {
            self.joined = Record::join_held(self.joined.take(), record.clone());
            self.replies[place] = Reply::Holds(record);
        }
        self.progress()
    }

    /// `from` holds nothing of the key, and may have forgotten a tombstone of it with this counter at
    /// most.
    pub fn add_nothing(&mut self, from: &NodeId, floor: u64) -> Progress {
        self.floor = self.floor.max(floor);
        self.add(from, None)
    }

    /// `from` answered with an error, or not in time.
    pub fn refuse(&mut self, from: &NodeId) -> Progress {
        self.tally.refuse(from);
        self.progress()
    }

    /// How far the read is.
    pub fn progress(&self) -> Progress {
        self.tally.progress()
    }

    /// The join of what was replied so far: what the read returns. `None`: nobody held anything.
    pub fn joined(&self) -> Option<&Record> {
        self.joined.as_ref()
    }

    /// The highest tag replied.
    pub fn highest_tag(&self) -> Option<&Tag> {
        self.joined().and_then(Record::tag)
    }

    /// The counter above which a register's write must be whose read phase this is: no replica that
    /// replied has held a higher one, not even under a tombstone it has forgotten since.
    pub fn highest_counter(&self) -> u64 {
        self.highest_tag().map_or(0, |tag| tag.counter).max(self.floor)
    }

    /// Whether replicas that replied hold different records.
    pub fn differs(&self) -> bool {
        !self.behind().is_empty()
    }

    /// Replicas that replied with less than the join, in the order of the preference list: read repair
    /// sends it to them.
    pub fn behind(&self) -> Vec<NodeId> {
        let replicas = self.tally.replicas().iter().zip(&self.replies);
        let behind = replicas.filter(|(_, reply)| match reply {
            Reply::Holds(record) => *record != self.joined,
            Reply::None => false,
        });
        behind.map(|(node, _)| node.clone()).collect()
    }

    /// The write-back that a register's read must wait for before it may return the join: a write
    /// quorum of `w` in which the replicas that replied with the join count already.
    ///
    /// *Returns* `None` where there is nothing to wait for: `w` replicas are known to hold the join,
    /// or nobody holds anything. Else the join is to go to all who are
    /// [silent](WriteQuorum::silent) in the quorum returned, and the client is to wait until it is met.
    pub fn write_back(&self, w: usize) -> Option<WriteQuorum> {
        self.joined.as_ref()?;
        let mut quorum = WriteQuorum::of(self.tally.shared_replicas(), w);
        let replicas = self.tally.replicas().iter().zip(&self.replies);
        let holds_it = |reply: &Reply| matches!(reply, Reply::Holds(it) if *it == self.joined);
        for (node, _) in replicas.filter(|(_, reply)| holds_it(reply)) {
            quorum.add(node);
        }
        (quorum.progress() != Progress::Met).then_some(quorum)
    }

    /// The counts behind the progress.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl fmt::Display for ReadQuorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("read ")?;
        self.tally.describe(f, "replied")
    }
}
