//! Which keys of a tree lie in some of its buckets, and with which records: what two replicas lay
//! side by side once their trees have told them where they differ.

use std::ops::RangeInclusive;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use super::walk::Walk;
use super::{Replica, ReplicaError};
use crate::merkle::Bucket;
use crate::placement::TreeId;

/// A key of a tree, and the digest of its record.
pub type Listed = (Bytes, u64);

/// Some keys of some buckets, ascending by bucket, then by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys.
    pub keys: Vec<Listed>,
    /// Whether there are more, after the last of these.
    pub more: bool,
}

impl Page {
    /// Keys on one page, at most.
    pub const KEYS_MAX: usize = 512;
    /// A page ends with the key that brings it to so many bytes.
    pub(super) const KEY_BYTES: usize = 256 << 10;
}

impl Replica {
    /// Keys of these buckets of a tree, after `after`, with the digests of their records.
    ///
    /// *Requires* ascending buckets. Looks at the records of these buckets only, those of other trees
    /// among them: of a keyspace on as many nodes as it has replicas there are none.
    pub async fn list(
        &self,
        tree: TreeId,
        buckets: &[Bucket],
        after: Option<&Bytes>,
    ) -> Result<Page, ReplicaError> {
        let keyspace = self.placement.trees()[tree].keyspace.clone();
        let begin = after.map_or(Bucket(0), |key| Bucket::of(key));
        let buckets = &buckets[buckets.partition_point(|bucket| *bucket < begin)..];
        let (mut keys, mut bytes): (Vec<Listed>, _) = (Vec::new(), 0);
        for run in runs(buckets) {
            let mut walk = Walk::over(&*self.shared.engine, &keyspace, &run, after);
            while let Some(page) = walk.next()? {
                for (key, record) in page {
                    if self.placement.home(&key).tree != tree {
                        continue;
                    }
                    if keys.len() == Page::KEYS_MAX || bytes >= Page::KEY_BYTES {
                        return Ok(Page { keys, more: true });
                    }
                    bytes += key.len();
                    keys.push((key, xxh3_64(&record)));
                }
                tokio::task::yield_now().await;
            }
        }
        Ok(Page { keys, more: false })
    }
}

/// Neighbours among ascending buckets, taken together: each run is one range on disk.
fn runs(buckets: &[Bucket]) -> impl Iterator<Item = RangeInclusive<Bucket>> {
    let follows = |one: &Bucket, other: &Bucket| u32::from(one.0) + 1 == u32::from(other.0);
    buckets.chunk_by(follows).map(|run| run[0]..=run[run.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_run() {
        let runs = |buckets: &[u16]| -> Vec<(u16, u16)> {
            let buckets: Vec<Bucket> = buckets.iter().copied().map(Bucket).collect();
            runs(&buckets).map(|run| (run.start().0, run.end().0)).collect()
        };
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[0, 1, 2, 7, 9, 65534, 65535]), [(0, 2), (7, 7), (9, 9), (65534, 65535)]);
    }
}
