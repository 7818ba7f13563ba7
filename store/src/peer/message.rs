//! What one node asks of another, and what it answers: the messages of the peer protocol.
//!
//! Protobuf, because a field may be added without two versions of a node misreading each other, and
//! because its `bytes` are slices of the frame they came in. Tags are never reused. Records travel
//! in the encoding in which they are stored, so that a copy is the same bytes everywhere.

use bytes::Bytes;

/// An ask and the number its answer must carry.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Request {
    /// Unique among the asks of one connection.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// What is asked; absent if a newer node asks what this one does not know.
    #[prost(oneof = "Ask", tags = "2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 22, 23")]
    pub ask: Option<Ask>,
}

/// An answer and the number of its ask.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Response {
    /// Of the request.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// What is answered.
    #[prost(oneof = "Answer", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10")]
    pub answer: Option<Answer>,
}

/// What a node may ask of another.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Ask {
    /// Are you there? Answered by `Done`.
    #[prost(message, tag = "2")]
    Ping(Ping),
    /// Your own copy of a key. Answered by `Record`.
    #[prost(message, tag = "3")]
    Read(ReplicaRead),
    /// Join this record with your own copy. Answered by `Done` once that is durable.
    #[prost(message, tag = "4")]
    Write(ReplicaWrite),
    /// Coordinate this sibling update, as a primary of its key. Answered by `Updated`.
    #[prost(message, tag = "5")]
    Update(ReplicaUpdate),
    /// What I know of everybody's heartbeats. Answered by `Gossip`, what you know.
    #[prost(message, tag = "6")]
    Gossip(Gossip),
    /// The roots of the trees we share. Answered by `Roots`.
    #[prost(message, tag = "7")]
    Roots(TreeRoots),
    /// The hashes below some nodes of a tree. Answered by `Children`.
    #[prost(message, tag = "8")]
    Children(TreeChildren),
    /// Which keys lie in some buckets of a tree. Answered by `Listing`.
    #[prost(message, tag = "9")]
    List(TreeList),
    /// Your own copy of a key that our lists disagree on. Answered by `Record`.
    ///
    /// Like `Read`; another ask, so that what anti-entropy costs is known at both sides.
    #[prost(message, tag = "20")]
    Fetch(ReplicaRead),
    /// Join this record of such a key with your own copy. Answered by `Done` once that is durable.
    #[prost(message, tag = "21")]
    Mend(ReplicaWrite),
    /// Let what you have begun be over and delivered. Answered by `Calm` when it is.
    #[prost(message, tag = "22")]
    Settle(Settle),
    /// Forget these tombstones, which every replica holds. Answered by `Done` once that is durable.
    #[prost(message, tag = "23")]
    Forget(Forget),
}

/// What a node may answer.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Answer {
    /// It is done, and durable.
    #[prost(message, tag = "2")]
    Done(Done),
    /// It was refused.
    #[prost(message, tag = "3")]
    Refused(Refused),
    /// The copy asked for.
    #[prost(message, tag = "4")]
    Record(OwnCopy),
    /// A sibling update is through.
    #[prost(message, tag = "5")]
    Updated(Updated),
    /// What the other knows of heartbeats.
    #[prost(message, tag = "6")]
    Gossip(Gossip),
    /// Roots of shared trees.
    #[prost(message, tag = "7")]
    Roots(Roots),
    /// Hashes below the nodes asked for.
    #[prost(message, tag = "8")]
    Children(Children),
    /// Keys of the buckets asked for.
    #[prost(message, tag = "9")]
    Listing(Listing),
    /// What was begun is over.
    #[prost(message, tag = "10")]
    Calm(Calm),
}

/// See [`Ask::Ping`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Ping {}

/// See [`Ask::Read`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReplicaRead {
    /// As clients write it, keyspace and all.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Digest of the copy the asking node has: the same need not be sent. Absent if it has none.
    #[prost(fixed64, optional, tag = "2")]
    pub known: Option<u64>,
    /// Not the own copy is meant, but what is kept in the stead of this node.
    #[prost(string, optional, tag = "3")]
    pub held_for: Option<String>,
}

/// See [`Ask::Write`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReplicaWrite {
    /// As clients write it, keyspace and all.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// As stored.
    #[prost(bytes = "bytes", tag = "2")]
    pub record: Bytes,
    /// Not to be joined with the own copy, but kept in the stead of this node until that is back.
    #[prost(string, optional, tag = "3")]
    pub held_for: Option<String>,
}

/// See [`Ask::Update`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReplicaUpdate {
    /// As clients write it, keyspace and all.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The past the client has seen, as it handed it over; empty for none.
    #[prost(bytes = "bytes", tag = "2")]
    pub context: Bytes,
    /// The new value; absent to delete.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub value: Option<Bytes>,
    /// Acknowledgements to wait for.
    #[prost(uint32, tag = "4")]
    pub w: u32,
    /// Time left to the asker, in milliseconds: an interval, for clocks differ.
    #[prost(uint64, tag = "5")]
    pub left_ms: u64,
}

/// See [`Ask::Gossip`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Gossip {
    /// The heartbeats the sender knows; in an answer, none.
    #[prost(message, repeated, tag = "1")]
    pub digest: Vec<Beat>,
    /// What the other may not have heard.
    #[prost(message, repeated, tag = "2")]
    pub rumours: Vec<WireRumour>,
}

/// A node and a heartbeat of it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Beat {
    /// The node.
    #[prost(string, tag = "1")]
    pub node: String,
    /// Which of its boots.
    #[prost(uint64, tag = "2")]
    pub epoch: u64,
    /// Which tick of that boot.
    #[prost(uint64, tag = "3")]
    pub counter: u64,
}

/// A rumour of the membership.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WireRumour {
    /// Who said it, and when.
    #[prost(message, required, tag = "1")]
    pub of: Beat,
    /// Whom it missed, each after this heartbeat.
    #[prost(message, repeated, tag = "2")]
    pub suspects: Vec<Beat>,
}

/// See [`Ask::Roots`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct TreeRoots {}

/// See [`Ask::Children`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct TreeChildren {
    /// Name of the tree.
    #[prost(string, tag = "1")]
    pub tree: String,
    /// The level of the nodes; zero is the root's.
    #[prost(uint32, tag = "2")]
    pub level: u32,
    /// Which nodes of the level, from the left.
    #[prost(uint32, repeated, tag = "3")]
    pub indices: Vec<u32>,
}

/// See [`Ask::List`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct TreeList {
    /// Name of the tree.
    #[prost(string, tag = "1")]
    pub tree: String,
    /// Which buckets, ascending.
    #[prost(uint32, repeated, tag = "2")]
    pub buckets: Vec<u32>,
    /// Only keys after this one; absent for all.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub after: Option<Bytes>,
}

/// See [`Ask::Settle`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Settle {}

/// See [`Ask::Forget`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Forget {
    /// Name of the tree.
    #[prost(string, tag = "1")]
    pub tree: String,
    /// The tombstones, by key and hash: whoever holds another record of the key keeps it.
    #[prost(message, repeated, tag = "2")]
    pub keys: Vec<KeyHash>,
}

/// See [`Answer::Calm`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Calm {
    /// Hints kept now.
    #[prost(uint64, tag = "1")]
    pub hints_kept: u64,
    /// Hints taken since this node started.
    #[prost(uint64, tag = "2")]
    pub hints_taken: u64,
    /// Which of its starts.
    #[prost(uint64, tag = "3")]
    pub boot: u64,
}

/// See [`Answer::Done`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Done {}

/// See [`Answer::Refused`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Refused {
    /// As a client would read it, beginning with one of the words of the store.
    #[prost(string, tag = "1")]
    pub error: String,
}

/// See [`Answer::Record`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct OwnCopy {
    /// As stored; absent if there is none.
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub record: Option<Bytes>,
    /// It has the digest that the asking node knows, and is left out.
    #[prost(bool, tag = "2")]
    pub same: bool,
    /// If there is none: no tombstone with a counter above this was ever forgotten.
    #[prost(uint64, tag = "3")]
    pub floor: u64,
}

/// See [`Answer::Updated`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Updated {
    /// The context after the update.
    #[prost(bytes = "bytes", tag = "1")]
    pub context: Bytes,
}

/// See [`Answer::Roots`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Roots {
    /// By name, ascending.
    #[prost(message, repeated, tag = "1")]
    pub trees: Vec<TreeRoot>,
    /// No tombstone with a counter above this was ever forgotten.
    #[prost(uint64, tag = "2")]
    pub floor: u64,
}

/// One tree and its root.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TreeRoot {
    /// `keyspace/n1,n2,n3`.
    #[prost(string, tag = "1")]
    pub tree: String,
    /// Its root.
    #[prost(fixed64, tag = "2")]
    pub root: u64,
}

/// See [`Answer::Children`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Children {
    /// The hashes below each node asked for, one after the other.
    #[prost(fixed64, repeated, tag = "1")]
    pub hashes: Vec<u64>,
}

/// See [`Answer::Listing`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Listing {
    /// By bucket, then by key, ascending.
    #[prost(message, repeated, tag = "1")]
    pub keys: Vec<KeyHash>,
    /// Whether there are more, after the last of these.
    #[prost(bool, tag = "2")]
    pub more: bool,
}

/// A key and the hash of its record.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeyHash {
    /// As clients write it.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Of the record as stored.
    #[prost(fixed64, tag = "2")]
    pub hash: u64,
}

impl Answer {
    /// A refusal with this text.
    pub fn refused(error: impl Into<String>) -> Answer {
        Answer::Refused(Refused { error: error.into() })
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::peer::frame::Hello;

    fn hex(message: &impl Message) -> String {
        let digits =
            |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16));
        message.encode_to_vec().iter().flat_map(digits).flatten().collect()
    }

    #[test]
    fn the_wire_is_the_same_in_every_release() {
        let write = ReplicaWrite { key: "k".into(), record: "r".into(), held_for: None };
        let request = Request { id: 1, ask: Some(Ask::Write(write)) };
        assert_eq!(
            hex(&request),
            "0801\
                                   22060a016b120172"
        );
        let mend = ReplicaWrite { key: "k".into(), record: "r".into(), held_for: None };
        let request = Request { id: 1, ask: Some(Ask::Mend(mend)) };
        assert_eq!(hex(&request), "0801aa01060a016b120172");
        let response = Response { id: 1, answer: Some(Answer::Done(Done {})) };
        assert_eq!(hex(&response), "08011200");
        assert_eq!(hex(&Hello::new("c", "n1", "n2")), "0d6d68637310011a016322026e312a026e32");
    }

    #[test]
    fn what_only_a_newer_node_asks_is_seen_to_be_unknown() {
        let unknown = [0x08, 0x01, 0xfa, 0x01, 0x00];
        assert_eq!(Request::decode(&unknown[..]), Ok(Request { id: 1, ask: None }));
    }
}
