//! Guides brought into memory before anybody asks.
//!
//! A look-up in a partition whose guide is not in memory reads twice: the guide, then the block. Data
//! that is read at random from a disk slower than memory pays that for each partition once, which is
//! for most of its first reads. So the guides of a table go into their cache when it is written, and
//! after a start, while there is room, and leave when it is merged away: memory stays bounded by the
//! same number, and data with more guides than fit is served as before.

use super::Table;

impl Table {
    /// Brings guides into memory, first partition first, while there is room and `is_wanted`; whether
    /// there is room for more. One that cannot be read is left to those who ask for it.
    pub(crate) fn warm(&self, is_wanted: impl Fn() -> bool) -> bool {
        if self.damage().is_some() {
            return true;
        }
        for partition in 0..self.top().len() {
            let place = self.top().place(partition);
            if !is_wanted() || !self.shared.guides.has_room(u64::from(place.length)) {
                return false;
            }
            if let Ok(guide) = self.guide_from_disk(partition) {
                self.shared.guides.insert(self.facts.number, place.offset, guide.payload());
            }
        }
        true
    }

    /// Gives up the guides of a table that counts no more. They would go when others are asked for; but
    /// until then there is no room, and what merges write would be found cold.
    pub(crate) fn cool(&self) {
        if self.damage().is_some() {
            return;
        }
        for partition in 0..self.top().len() {
            self.shared.guides.remove(self.facts.number, self.top().place(partition).offset);
        }
    }
}
