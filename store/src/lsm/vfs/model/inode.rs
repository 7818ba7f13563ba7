//! A modelled file without its name: what is read, and what of it is durable.

use super::content::{Change, Content};
use super::remains::Data;

/// Which file: its place among all that the disk ever held.
pub(super) type InodeId = usize;

/// A file. *Shape*: while no sync failed, `seen` is `durable` with `pending` applied.
#[derive(Debug, Default)]
pub(super) struct Inode {
    durable: Content,
    seen: Content,
    /// Changes since the last sync, in order.
    pending: Vec<Change>,
}

impl Inode {
    pub(super) fn holding(content: Content) -> Inode {
        Inode { durable: content.clone(), seen: content, pending: Vec::new() }
    }

    pub(super) fn seen(&self) -> &Content {
        &self.seen
    }

    pub(super) fn change(&mut self, change: Change) {
        self.seen.apply(&change);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            self.durable.apply(&change);
        }
    }

    /// What a failed sync does: the pages are marked clean, so that no later sync writes them.
    pub(super) fn forget_unsynced(&mut self) {
        self.pending.clear();
    }

    pub(super) fn after_power_loss(&self, data: Data) -> Content {
        data.of(&self.durable, &self.pending)
    }

    /// Damages what is read, and makes that durable.
    pub(super) fn damage(&mut self, damage: impl Fn(&mut Content)) {
        self.pending.clear();
        damage(&mut self.seen);
        self.durable = self.seen.clone();
    }
}
