//! The names in a modelled directory: which there are, and which are durable.

use std::collections::BTreeMap;

use super::inode::InodeId;
use super::remains::Names;

/// A directory. *Shape*: while no sync failed, `seen` is `durable` with `pending` applied.
#[derive(Debug, Default)]
pub(super) struct Directory {
    durable: BTreeMap<String, InodeId>,
    seen: BTreeMap<String, InodeId>,
    /// Changes since the last sync, in order.
    pending: Vec<NameChange>,
}

/// One change of a directory. It names the file, not only the name it had: a rename whose `from` was
/// never durable still puts the right file at `to`.
#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Create { name: String, id: InodeId },
    Rename { from: String, to: String, id: InodeId },
    Remove(String),
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, InodeId>) {
        match self {
            NameChange::Create { name, id } => {
                names.insert(name.clone(), *id);
            }
            NameChange::Rename { from, to, id } => {
                names.remove(from);
                names.insert(to.clone(), *id);
            }
            NameChange::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Directory {
    pub(super) fn names(&self) -> &BTreeMap<String, InodeId> {
        &self.seen
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    pub(super) fn put_durably(&mut self, name: &str, id: InodeId) {
        self.seen.insert(name.to_owned(), id);
        self.durable.insert(name.to_owned(), id);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What a failed sync does: no later one makes these changes durable.
    pub(super) fn forget_unsynced(&mut self) {
        self.pending.clear();
    }

    pub(super) fn after_power_loss(&self, names: Names) -> BTreeMap<String, InodeId> {
        let mut left = self.durable.clone();
        let pending = self.pending.iter().enumerate();
        let kept = pending.filter(|(at, _)| names.keeps(*at, self.pending.len()));
        kept.for_each(|(_, change)| change.apply(&mut left));
        left
    }
}
