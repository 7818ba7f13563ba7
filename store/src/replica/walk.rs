//! A walk over the records of some neighbouring buckets, page by page.
//!
//! An engine is asked for so many pairs from a key on and knows no end, so what it gives beyond the
//! end is in vain. Pages begin small and double: a bucket of fifteen keys costs one look at a few
//! records, a whole keyspace few looks at many, and never is more than as much read again in vain.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::ReplicaError;
use crate::engine::Engine;
use crate::layout;
use crate::merkle::Bucket;

/// Records looked at first, and at most, in one go.
const PAGE: RangeInclusive<usize> = 32..=512;

/// A walk over the records of some neighbouring buckets of one keyspace.
pub(super) struct Walk<'a> {
    engine: &'a dyn Engine,
    keyspace: &'a str,
    /// Where the next page begins; `None` when the walk is done.
    from: Option<Bytes>,
    /// Before this it ends.
    end: Bytes,
    page: usize,
}

impl<'a> Walk<'a> {
    /// Over all of a keyspace, from the first key after `after` on.
    pub(super) fn everywhere(
        engine: &'a dyn Engine,
        keyspace: &'a str,
        after: Option<&Bytes>,
    ) -> Walk<'a> {
        let all = Bucket(0)..=Bucket(u16::MAX);
        Walk { page: *PAGE.end(), ..Walk::over(engine, keyspace, &all, after) }
    }

    /// Over these buckets, from the first key after `after` on.
    pub(super) fn over(
        engine: &'a dyn Engine,
        keyspace: &'a str,
        buckets: &RangeInclusive<Bucket>,
        after: Option<&Bytes>,
    ) -> Walk<'a> {
        let start = layout::bucket_start(keyspace, *buckets.start());
        let after = after.map(|key| layout::after(&layout::data(keyspace, key)));
        let from = Some(after.map_or(start.clone(), |after| after.max(start)));
        let end = match buckets.end().0.checked_add(1) {
            Some(next) => layout::bucket_start(keyspace, Bucket(next)),
            None => layout::keyspace_end(keyspace),
        };
        Walk { engine, keyspace, from, end, page: *PAGE.start() }
    }

    /// The next keys and their records, as stored; `None` when there are no more.
    pub(super) fn next(&mut self) -> Result<Option<Vec<(Bytes, Bytes)>>, ReplicaError> {
        let Some(from) = self.from.take() else { return Ok(None) };
        let mut pairs = self.engine.scan(&from, self.page)?;
        pairs.truncate(pairs.partition_point(|(stored, _)| *stored < self.end));
        // A page that came short has met the last pair of the engine, and one that was cut the end.
        if pairs.len() == self.page {
            self.from = pairs.last().map(|(last, _)| layout::after(last));
        }
        self.page = (self.page * 2).min(*PAGE.end());
        let page = pairs.into_iter().map(|(stored, record)| Ok((self.key(&stored)?, record)));
        page.collect::<Result<_, _>>().map(Some)
    }

    /// The client's key. Nothing is passed over: what is no key of its bucket ends the walk.
    fn key(&self, stored: &Bytes) -> Result<Bytes, ReplicaError> {
        match layout::data_key(self.keyspace, stored) {
            Some((bucket, key)) if Bucket::of(&key) == bucket => Ok(key),
            _ => Err(ReplicaError::Misplaced { place: stored.escape_ascii().to_string() }),
        }
    }
}
