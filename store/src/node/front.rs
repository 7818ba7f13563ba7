//! What this node answers to clients: commands in, replies out.
//!
//! A command that names several keys is one request a key, under way together; no client may take
//! `MSET` for a transaction. If some of its keys were written and others not, the reply is
//! `UNCERTAIN`, whatever became of the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{StreamExt, stream};

use super::info::Info;
use super::repair;
use crate::anti_entropy::AntiEntropy;
use crate::command::{Command, Level, Touched};
use crate::coordinator::{self, Change, Coordinator, UnderWay};
use crate::metrics::{Histogram, Request, Requests};
use crate::request::{Failure, Outcome};
use crate::resp::Reply;
use crate::server::Service;
use crate::turn::end_of_turn;
use crate::version::{Context, Record};

/// Keys of one command under way at once.
const WINDOW: usize = 64;

/// Answers clients.
pub(super) struct Front {
    pub(super) coordinator: Arc<Coordinator>,
    pub(super) anti_entropy: Arc<AntiEntropy>,
    pub(super) info: Info,
    pub(super) requests: Arc<Requests>,
}

/// A command, as far as it is when it was begun.
enum Begun<'a> {
    /// One request, whose client can be told.
    Told(Result<Outcome, Failure>, &'a Histogram),
    /// One request, which must hear of something.
    Waits(Request, UnderWay, &'a Histogram),
    /// Several requests, or something else altogether: not begun yet.
    Other(BoxFuture<'a, Reply>),
}

impl Service for Front {
    /// Begins them all; has what they left with the own engine committed, once; then waits for those
    /// that need more.
    async fn execute(&self, commands: Vec<Command>) -> Vec<Reply> {
        self.coordinator.stats.commands.add_all(commands.len() as u64);
        let start = Instant::now();
        if commands.len() > 1 {
            let touched: Vec<_> = commands.iter().map(Command::touched).collect();
            let keys = touched.iter().flat_map(Touched::keys).copied();
            self.coordinator.replica.expect(keys);
        }
        let mut begun: Vec<Begun<'_>> =
            commands.into_iter().map(|command| self.begin(command)).collect();
        if begun.iter().any(|it| matches!(it, Begun::Waits(Request::Write, ..))) {
            // Others who are about to leave theirs should share the commit.
            end_of_turn().await;
            self.coordinator.replica.lead();
            begun.iter_mut().for_each(Begun::look);
        }
        if begun.iter().all(|it| matches!(it, Begun::Told(..))) {
            // One look at the clock for all: they were over together.
            let took = start.elapsed();
            return begun.into_iter().filter_map(|it| self.said(it, took)).collect();
        }
        join_all(begun.into_iter().map(|it| self.end(it, start))).await
    }

    fn refused(&self, error: &str) {
        self.requests.count_error(error);
    }
}

impl Begun<'_> {
    /// Whether its client can be told by now.
    fn look(&mut self) {
        if let Begun::Waits(_, under_way, latency) = self
            && let Some(told) = under_way.look_after_lead()
        {
            *self = Begun::Told(told, latency);
        }
    }
}

impl Front {
    /// Begins a command: of one key, as most are, there and then.
    fn begin(&self, command: Command) -> Begun<'_> {
        let (request, begun, latency) = match command {
            Command::Get { mut keys, many: false } if keys.len() == 1 => {
                let key = keys.pop().expect("there is one");
                let latency = self.requests.latency(Request::Read, &key);
                (Request::Read, self.coordinator.begin_read(key, None), latency)
            }
            Command::Set { mut pairs } if pairs.len() == 1 => {
                let (key, value) = pairs.pop().expect("there is one");
                let latency = self.requests.latency(Request::Write, &key);
                let change = Change { value: Some(value), ..Change::default() };
                (Request::Write, self.coordinator.begin_write(key, change), latency)
            }
            other => return Begun::Other(Box::pin(self.carry_out(other))),
        };
        match begun {
            coordinator::Begun::Over(told) => Begun::Told(told, latency),
            coordinator::Begun::UnderWay(under_way) => Begun::Waits(request, under_way, latency),
        }
    }

    /// The reply to one `GET` or `SET` whose client can be told.
    fn said(&self, begun: Begun<'_>, took: Duration) -> Option<Reply> {
        let Begun::Told(told, latency) = begun else { return None };
        latency.record(took);
        Some(self.reply(told))
    }

    async fn end(&self, begun: Begun<'_>, start: Instant) -> Reply {
        let (told, latency) = match begun {
            Begun::Told(told, latency) => (told, latency),
            Begun::Waits(_, under_way, latency) => (under_way.end().await, latency),
            Begun::Other(reply) => return reply.await,
        };
        latency.record(start.elapsed());
        self.reply(told)
    }

    fn reply(&self, told: Result<Outcome, Failure>) -> Reply {
        match told {
            Ok(Outcome::Read(record)) => greatest(record.as_ref()).map_or(Reply::Nil, Reply::Bulk),
            Ok(Outcome::Written(_)) => Reply::OK,
            Err(failure) => self.failed(&failure),
        }
    }

    async fn carry_out(&self, command: Command) -> Reply {
        self.answer(command).await.unwrap_or_else(|failure| self.failed(&failure))
    }

    fn failed(&self, failure: &Failure) -> Reply {
        let error = failure.to_string();
        self.requests.count_error(&error);
        Reply::Error(error)
    }

    async fn answer(&self, command: Command) -> Result<Reply, Failure> {
        Ok(match command {
            Command::Get { keys, many } => self.get(keys, many).await?,
            Command::Set { pairs } => self.set(pairs).await?,
            Command::Delete { keys } => self.delete(keys).await?,
            Command::Exists { keys } => {
                let held = self.read_all(keys).await?;
                let count =
                    held.iter().filter(|record| greatest(record.as_ref()).is_some()).count();
                integer(count)
            }
            Command::KvGet { key, r } => self.kv_get(key, r).await?,
            Command::KvPut { key, value, context, r, w } => {
                let context = context.unwrap_or_default();
                let change = Change { value, context, r, w };
                let context = self.write(key.clone(), change).await?;
                text(context.to_text(&key))
            }
            Command::KvReplica { key } => {
                let own = self.coordinator.own_copy(&key)?;
                let version = own.as_ref().map(Record::version).unwrap_or_default();
                Reply::Array(vec![text(version), values(own.as_ref())])
            }
            Command::KvRoots => self.roots(),
            Command::KvRepair { node } => repair::repair(&self.anti_entropy, node).await,
            Command::Info { section } => text(self.info.text(section.as_deref())),
            Command::DbSize => {
                Reply::Integer(self.coordinator.replica.live_keys().try_into().unwrap_or(i64::MAX))
            }
            Command::ConfigGet { patterns } => {
                let pairs = self.info.settings(&patterns).into_iter();
                Reply::Map(pairs.map(|(name, value)| (text(name), text(value))).collect())
            }
        })
    }

    async fn get(&self, keys: Vec<Bytes>, many: bool) -> Result<Reply, Failure> {
        let held = self.read_all(keys).await?;
        let mut replies: Vec<Reply> = held
            .iter()
            .map(|record| greatest(record.as_ref()).map_or(Reply::Nil, Reply::Bulk))
            .collect();
        Ok(if many { Reply::Array(replies) } else { replies.pop().unwrap_or(Reply::Nil) })
    }

    async fn read_all(&self, mut keys: Vec<Bytes>) -> Result<Vec<Option<Record>>, Failure> {
        if keys.len() == 1 {
            let key = keys.pop().expect("there is one");
            return Ok(vec![self.read(key, None).await?]);
        }
        let reads = stream::iter(keys).map(|key| self.read(key, None));
        let results: Vec<_> = reads.buffered(WINDOW).collect().await;
        results.into_iter().collect()
    }

    async fn set(&self, mut pairs: Vec<(Bytes, Bytes)>) -> Result<Reply, Failure> {
        if pairs.len() == 1 {
            let (key, value) = pairs.pop().expect("there is one");
            self.put(key, value).await?;
            return Ok(Reply::OK);
        }
        // Of a key named twice the last value holds, as in Redis.
        let pairs: std::collections::BTreeMap<Bytes, Bytes> = pairs.into_iter().collect();
        let writes = stream::iter(pairs).map(|(key, value)| self.put(key, value));
        all_or_uncertain(writes.buffered(WINDOW).collect().await)?;
        Ok(Reply::OK)
    }

    async fn put(&self, key: Bytes, value: Bytes) -> Result<Context, Failure> {
        self.write(key, Change { value: Some(value), ..Change::default() }).await
    }

    async fn delete(&self, keys: Vec<Bytes>) -> Result<Reply, Failure> {
        // A key named twice is deleted once, and counted once.
        let keys: std::collections::BTreeSet<Bytes> = keys.into_iter().collect();
        let calls = stream::iter(keys).map(|key| self.delete_one(key));
        let deleted = all_or_uncertain(calls.buffered(WINDOW).collect().await)?;
        Ok(integer(deleted.into_iter().filter(|&deleted| deleted).count()))
    }

    async fn kv_get(&self, key: Bytes, r: Option<Level>) -> Result<Reply, Failure> {
        let record = self.read(key.clone(), r).await?;
        let context = record.as_ref().map(Record::context).unwrap_or_default();
        Ok(Reply::Array(vec![text(context.to_text(&key)), values(record.as_ref())]))
    }

    async fn read(&self, key: Bytes, r: Option<Level>) -> Result<Option<Record>, Failure> {
        let latency = self.requests.latency(Request::Read, &key);
        timed(latency, self.coordinator.read(key, r)).await
    }

    async fn write(&self, key: Bytes, change: Change) -> Result<Context, Failure> {
        let latency = self.requests.latency(Request::Write, &key);
        timed(latency, self.coordinator.write(key, change)).await
    }

    async fn delete_one(&self, key: Bytes) -> Result<bool, Failure> {
        let latency = self.requests.latency(Request::Delete, &key);
        timed(latency, self.coordinator.delete(key)).await
    }

    fn roots(&self) -> Reply {
        let Coordinator { placement, replica, .. } = &*self.coordinator;
        let roots = placement.my_trees().filter_map(|(id, tree)| {
            let root = replica.trees().root(id)?;
            Some(Reply::Array(vec![text(tree.name.clone()), text(format!("{root:016x}"))]))
        });
        Reply::Array(roots.collect())
    }
}

async fn timed<T>(latency: &Histogram, request: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let done = request.await;
    latency.record(start.elapsed());
    done
}

/// All of them, or the first failure; an indefinite one if anything else was done.
fn all_or_uncertain<T>(results: Vec<Result<T, Failure>>) -> Result<Vec<T>, Failure> {
    let is_touched = |result: &Result<T, Failure>| {
        result.as_ref().map_or_else(|failure| !failure.is_definite(), |_| true)
    };
    let touched = results.iter().any(is_touched);
    let done: Result<Vec<T>, Failure> = results.into_iter().collect();
    done.map_err(|failure| if touched { failure.after_a_write() } else { failure })
}

fn greatest(record: Option<&Record>) -> Option<Bytes> {
    record.and_then(Record::greatest)
}

fn values(record: Option<&Record>) -> Reply {
    let values = record.map(Record::values).unwrap_or_default();
    Reply::Array(values.into_iter().map(Reply::Bulk).collect())
}

fn text(text: String) -> Reply {
    Reply::Bulk(text.into())
}

fn integer(count: usize) -> Reply {
    Reply::Integer(count.try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Failure {
        Failure::TooBig(2, 1)
    }

    #[test]
    fn if_nothing_was_done_a_failure_of_several_keys_stays_definite() {
        let failure = all_or_uncertain::<()>(vec![Err(refused()), Err(refused())]).unwrap_err();
        assert_eq!(failure, refused());
    }

    #[test]
    fn if_one_key_was_written_a_failure_of_another_is_uncertain() {
        let failure = all_or_uncertain(vec![Ok(()), Err(refused())]).unwrap_err();
        assert!(failure.to_string().starts_with("UNCERTAIN"), "{failure}");
        let uncertain = Failure::Relayed("UNCERTAIN x".into());
        let failure = all_or_uncertain::<()>(vec![Err(refused()), Err(uncertain)]).unwrap_err();
        assert!(failure.to_string().starts_with("UNCERTAIN"), "{failure}");
    }
}
