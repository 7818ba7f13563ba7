//! How the trees and the count of a node come to be when it starts: from every record, once.
//!
//! Trees are kept in memory only. To keep them on disk would be a write more for each write, and a
//! tree that does not fit its records is worse than none: it hides a difference for ever. So they are
//! planted from the records themselves. Nothing is passed over: a record that cannot be read, or a
//! damaged block, ends the start with its name.

use bytes::Bytes;

use super::walk::Walk;
use super::{Replica, ReplicaError, Step, own_kind};
use crate::layout;
use crate::version::Encoded;

impl Replica {
    /// Reads every record once, to know what the trees and the count must say.
    pub(super) fn plant(&self) -> Result<(), ReplicaError> {
        // Those on disk, not those of the configuration: one that was taken out of it must not be
        // passed over either.
        let mut from = layout::data_start();
        while let Some(keyspace) = self.keyspace_at(&from)? {
            let mut walk = Walk::everywhere(&*self.shared.engine, &keyspace, None);
            while let Some(page) = walk.next()? {
                for (key, encoded) in page {
                    let step = self.judge(&keyspace, &key, &encoded)?;
                    self.shared.note(&step);
                }
            }
            from = layout::keyspace_end(&keyspace);
        }
        Ok(())
    }

    /// The keyspace of the first record at or after `from`.
    fn keyspace_at(&self, from: &[u8]) -> Result<Option<String>, ReplicaError> {
        let first = self.shared.engine.scan(from, 1)?.pop();
        let Some((stored, _)) = first.filter(|(stored, _)| *stored < layout::data_end()) else {
            return Ok(None);
        };
        let place = || ReplicaError::Misplaced { place: stored.escape_ascii().to_string() };
        let keyspace = layout::keyspace_of(&stored).ok_or_else(place)?;
        Ok(Some(keyspace.to_owned()))
    }

    /// What a stored record adds to the books, if it belongs where it was found.
    fn judge(&self, keyspace: &str, key: &Bytes, encoded: &Bytes) -> Result<Step, ReplicaError> {
        let name = || String::from_utf8_lossy(key).into_owned();
        let held = Encoded::read(encoded.clone());
        let held = held.map_err(|why| ReplicaError::Unreadable { key: name(), why })?;
        let home = self.placement.home(key);
        if *home.keyspace != *keyspace {
            let (keyspace, asked) = (keyspace.to_owned(), home.keyspace.to_string());
            return Err(ReplicaError::Moved { key: name(), keyspace, asked });
        }
        own_kind(home, held.record())?;
        Ok(Step::between(home.tree, key, None, Some(&held)))
    }
}
