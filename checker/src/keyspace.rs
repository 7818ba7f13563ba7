//! Which keys a checker judges: those of one keyspace, or all.
//!
//! A key is written `keyspace:name`. A keyspace has one policy, and so one set of promises: that is
//! why checkers are bound to one.

use std::collections::BTreeMap;

use crate::history::History;
use crate::operation::Operation;

/// The keys of one keyspace, or all keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyspace(Option<String>);

/// The operations on each key, keys ascending, operations by invocation.
pub(crate) type ByKey<'h> = BTreeMap<&'h str, Vec<&'h Operation>>;

impl Keyspace {
    /// All keys of a history, whatever their keyspace.
    pub fn all() -> Keyspace {
        Keyspace(None)
    }

    /// Its name, unless it stands for all keys.
    pub fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Whether `key` is one of its keys.
    pub fn covers(&self, key: &str) -> bool {
        let Some(name) = &self.0 else { return true };
        key.split_once(':').is_some_and(|(keyspace, _)| keyspace == name)
    }

    /// Its operations by key. An operation without a key is on the key of the empty name.
    pub(crate) fn by_key<'h>(&self, history: &'h History) -> ByKey<'h> {
        let mut keys = ByKey::new();
        for operation in history.operations() {
            let key = operation.key.as_deref().unwrap_or_default();
            if self.covers(key) {
                keys.entry(key).or_default().push(operation);
            }
        }
        keys
    }
}

impl From<&str> for Keyspace {
    fn from(name: &str) -> Keyspace {
        Keyspace(Some(name.to_owned()))
    }
}

impl From<Option<&str>> for Keyspace {
    fn from(name: Option<&str>) -> Keyspace {
        Keyspace(name.map(str::to_owned))
    }
}
