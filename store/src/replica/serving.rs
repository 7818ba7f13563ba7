//! What a replica answers to other nodes who ask for its copies, or bring theirs.

use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::Replica;
use crate::peer::message::{Answer, Done, OwnCopy, ReplicaRead, ReplicaWrite};
use crate::version::Encoded;

impl Replica {
    /// [`Replica::answer_fetch`], to a request whose quorum counts on the answer.
    pub fn answer_read(&self, read: &ReplicaRead) -> Answer {
        let home = self.placement.home(&read.key);
        match self.answers(home) {
            Err(not_yet) if home.is_mine => Answer::refused(not_yet.to_string()),
            _ => self.answer_fetch(read),
        }
    }

    /// The own copy, as stored; or that it is what the other node knows.
    pub fn answer_fetch(&self, read: &ReplicaRead) -> Answer {
        if let Some(refusal) = self.refusal(&read.key) {
            return refusal;
        }
        let record = match self.get_encoded(self.placement.home(&read.key), &read.key) {
            Ok(record) => record,
            Err(error) => return Answer::refused(error.to_string()),
        };
        // What is stored is what a digest is of: no need to decode it.
        let same = read.known.is_some() && record.as_deref().map(xxh3_64) == read.known;
        // Read after the copy: it had risen before the copy was gone.
        let floor = if record.is_none() { self.floor() } else { 0 };
        Answer::Record(OwnCopy { record: record.filter(|_| !same), same, floor })
    }

    /// `Done`, once the record is joined with the own copy and that is durable.
    pub async fn answer_write(&self, write: ReplicaWrite) -> Answer {
        let (tell, told) = oneshot::channel();
        self.begin_answer_write(&write, |answer| drop(tell.send(answer)));
        self.lead();
        told.await.unwrap_or_else(|_| Answer::refused("ERR the engine ended with a write in hand"))
    }

    /// Begins to join the record with the own copy, and tells `Done` when that is durable.
    pub fn begin_answer_write(
        &self,
        write: &ReplicaWrite,
        tell: impl FnOnce(Answer) + Send + 'static,
    ) {
        if let Some(refusal) = self.refusal(&write.key) {
            return tell(refusal);
        }
        let record = match Encoded::read(write.record.clone()) {
            Ok(record) => record,
            Err(error) => {
                return tell(Answer::refused(format!("ERR a record cannot be read: {error}")));
            }
        };
        self.begin_join(self.placement.home(&write.key), &write.key, record, |result| {
            tell(result.map_or_else(
                |error| Answer::refused(error.to_string()),
                |()| Answer::Done(Done {}),
            ));
        });
    }

    /// Of a key of which we are no primary: the other node is configured apart.
    pub fn refusal(&self, key: &[u8]) -> Option<Answer> {
        let me = self.placement.me();
        let is_mine = self.placement.home(key).is_mine;
        (!is_mine).then(|| Answer::refused(format!("NOTREPLICA {me} is no primary of this key")))
    }
}
