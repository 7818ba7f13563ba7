//! How large each level should be, and which are over that.
//!
//! Targets are anchored at the last level, not the first: if the last level has `n` bytes, the one
//! above it should have `n / fanout`, and so on up, until a target is at most `level1_bytes`. That
//! level is the *base*: level 0 is merged into it, and those above it are not in use.
//!
//! ```text
//!            static, first level 256      anchored, last level 3 000
//! level 1    256                          unused
//! level 4    ...                          30    base
//! level 5    2 560                        300
//! level 6    25 600, with 3 000 in it     3 000
//! ```
//!
//! Why: with static targets the last level is hardly ever full, and the garbage that waits in the
//! levels above it, up to all they have, is measured against little. Anchored, the levels above the
//! last have about 1/9 of its bytes, so that at a fanout of 10 the tree has at most 1.11 times what
//! is alive, plus level 0. Source: Dong et al., CIDR 2017, §3.1; RocksDB's
//! `level_compaction_dynamic_level_bytes`.

use std::cmp::Reverse;

use super::Shape;
use crate::lsm::levels::{LAST, LEVELS, Levels, Placed};

/// How large each level should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Targets {
    /// The level that level 0 is merged into.
    pub(super) base: usize,
    /// By level, in bytes; 0 above the base.
    bytes: [u64; LEVELS],
}

impl Targets {
    pub(super) fn of<T: Placed + Clone>(levels: &Levels<T>, shape: &Shape) -> Targets {
        assert!(shape.fanout > 1, "a level is larger than the one above it");
        let mut targets = Targets { base: LAST, bytes: [0; LEVELS] };
        let mut target = levels.bytes(LAST).max(shape.level1_bytes);
        while targets.base > 1 && target > shape.level1_bytes {
            targets.bytes[targets.base] = target;
            targets.base -= 1;
            target /= shape.fanout;
        }
        targets.bytes[targets.base] = target;
        targets
    }

    /// The levels that are over their targets, the one furthest over first.
    pub(super) fn due<T: Placed + Clone>(&self, levels: &Levels<T>, shape: &Shape) -> Vec<usize> {
        let mut due: Vec<usize> =
            (0..LAST).filter(|&level| self.is_due(levels, shape, level)).collect();
        due.sort_by_key(|&level| Reverse(self.score(levels, shape, level)));
        due
    }

    fn is_due<T: Placed + Clone>(&self, levels: &Levels<T>, shape: &Shape, level: usize) -> bool {
        match level {
            0 => levels.level(0).len() >= shape.level0_trigger.max(1),
            level => levels.bytes(level) > self.bytes[level],
        }
    }

    /// How many thousandths of its target a level has; without bound above the base, where nothing
    /// should be.
    fn score<T: Placed + Clone>(&self, levels: &Levels<T>, shape: &Shape, level: usize) -> u128 {
        let (has, target) = match level {
            0 => (levels.level(0).len() as u128, shape.level0_trigger as u128),
            level => (u128::from(levels.bytes(level)), u128::from(self.bytes[level])),
        };
        (has * 1000).checked_div(target).unwrap_or(u128::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsm::levels::{Edit, Place};
    use crate::lsm::table::TableFacts;

    const SHAPE: Shape =
        Shape { level0_trigger: 4, level1_bytes: 256, fanout: 10, table_bytes: 64 };

    fn levels(bytes: &[(usize, u64)]) -> Levels<TableFacts> {
        let table = |number, bytes| TableFacts {
            number,
            bytes,
            entries: 1,
            tombstones: 0,
            smallest: "a".into(),
            largest: "z".into(),
        };
        let added = bytes.iter().zip(1..).map(|(&(level, bytes), number)| {
            (if level == 0 { Place::Newest } else { Place::Level(level) }, table(number, bytes))
        });
        Levels::new().apply(&Edit { removed: Vec::new(), added: added.collect() })
    }

    #[test]
    fn targets_are_anchored_at_the_last_level() {
        let targets = Targets::of(&levels(&[(6, 3000)]), &SHAPE);
        assert_eq!(targets, Targets { base: 4, bytes: [0, 0, 0, 0, 30, 300, 3000] });
        let small = Targets::of(&levels(&[(6, 256)]), &SHAPE);
        assert_eq!(small, Targets { base: 6, bytes: [0, 0, 0, 0, 0, 0, 256] });
        assert_eq!(Targets::of(&levels(&[]), &SHAPE), small);
        let huge = Targets::of(&levels(&[(6, 1_000_000_000)]), &SHAPE);
        assert_eq!(huge.base, 1);
        assert_eq!(
            huge.bytes[1], 10_000,
            "what level 1 cannot hold within its bound, it holds over it"
        );
    }

    #[test]
    fn the_level_furthest_over_its_target_is_first() {
        let due = |bytes: &[(usize, u64)]| {
            Targets::of(&levels(bytes), &SHAPE).due(&levels(bytes), &SHAPE)
        };
        assert_eq!(due(&[(6, 3000), (5, 300), (4, 30)]), []);
        assert_eq!(due(&[(6, 3000), (5, 301), (4, 60)]), [4, 5]);
        assert_eq!(due(&[(6, 3000), (5, 900), (4, 60), (0, 1), (0, 1), (0, 1)]), [5, 4]);
        assert_eq!(due(&[(0, 1), (0, 1), (0, 1), (0, 1)]), [0]);
        assert_eq!(due(&[(6, 3000), (2, 1), (5, 900)]), [2, 5], "above the base nothing should be");
    }
}
