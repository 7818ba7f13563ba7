//! Which tables count, and on which level each stands.
//!
//! ```text
//! level 0   |---- newest ----|  |-- ... --|  |---- oldest ----|   may overlap
//! level 1   |--|    |---|        |-----|                          ascending, disjoint
//!   ...
//! level 6   |---||---||---||---||---||---||---||---||---||---|    ascending, disjoint
//! ```
//!
//! The order of reading is level 0 from its first table on, then level 1, and so on down; of two
//! tables that both have a key, the one read first has the newer version of it. That *read order* is
//! the promise of the whole structure. What an edit can see of it is asserted here (levels from 1 on
//! are disjoint, no table stands twice, what is removed was there); choosing inputs that keep it is
//! the business of the [picker](super::picker).
//!
//! A value is never changed: an edit makes new levels, so that readers keep those they began with.
//! Copying a few hundred pointers a flush is cheaper than any cleverness.
//! Source: O'Neil et al., "The LSM-Tree", 1996; the levels are LevelDB's (`doc/impl.md`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::table::TableFacts;

/// How many levels there are: 0 to 6.
pub(super) const LEVELS: usize = 7;
/// The deepest level.
pub(super) const LAST: usize = LEVELS - 1;

/// What can stand on a level.
pub(super) trait Placed {
    /// What is known of it.
    fn facts(&self) -> &TableFacts;
}

impl Placed for TableFacts {
    fn facts(&self) -> &TableFacts {
        self
    }
}

impl<P: Placed> Placed for Arc<P> {
    fn facts(&self) -> &TableFacts {
        self.as_ref().facts()
    }
}

/// Where an edit puts a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// First in level 0: newer than all that stands there. A flush.
    Newest,
    /// In level 0, in the gap left by the tables of level 0 that the same edit removes, which
    /// *must* be neighbours: then the product is as old as they were, to all the others.
    Gap,
    /// By its keys, on one of the levels from 1 on.
    Level(usize),
}

/// One step from levels to the next: a flush, or a finished task of compaction.
#[derive(Clone, Debug)]
pub(super) struct Edit<T> {
    /// Numbers of the tables that go.
    pub(super) removed: Vec<u64>,
    /// The tables that come. Where several come to one place of level 0, they are in the order in
    /// which they were flushed ([`Place::Newest`]) or in which they are to be read ([`Place::Gap`]).
    pub(super) added: Vec<(Place, T)>,
}

/// Why tables cannot stand as they were put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misplaced {
    /// Its first key is after its last.
    #[error("table {0} ends before it begins")]
    Reversed(u64),
    /// It stands in two places.
    #[error("table {0} stands twice")]
    Twice(u64),
    /// A table is not wholly after the one before it on its level.
    #[error("table {0} begins before the one on its left has ended")]
    Overlap(u64),
}

/// All tables, by level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Levels<T> {
    levels: [Vec<T>; LEVELS],
}

impl<T: Placed + Clone> Levels<T> {
    /// No tables at all.
    pub(super) fn new() -> Levels<T> {
        Levels { levels: std::array::from_fn(|_| Vec::new()) }
    }

    /// These tables, in this order, if they may stand so.
    pub(super) fn of(levels: [Vec<T>; LEVELS]) -> Result<Levels<T>, Misplaced> {
        let mut seen = BTreeSet::new();
        for facts in levels.iter().flatten().map(Placed::facts) {
            if facts.smallest > facts.largest {
                return Err(Misplaced::Reversed(facts.number));
            }
            if !seen.insert(facts.number) {
                return Err(Misplaced::Twice(facts.number));
            }
        }
        for (left, right) in
            levels[1..].iter().flat_map(|level| level.iter().zip(&level[1.min(level.len())..]))
        {
            if left.facts().largest >= right.facts().smallest {
                return Err(Misplaced::Overlap(right.facts().number));
            }
        }
        Ok(Levels { levels })
    }

    /// The same places, with what `open` makes of each table: facts become open tables, or back.
    pub(super) fn try_map<U: Placed + Clone, E>(
        &self,
        mut open: impl FnMut(&T) -> Result<U, E>,
    ) -> Result<Levels<U>, E> {
        let mut mapped = Levels::new();
        for (level, tables) in self.levels.iter().enumerate() {
            mapped.levels[level] = tables.iter().map(&mut open).collect::<Result<_, E>>()?;
        }
        Ok(mapped)
    }

    /// The tables of a level, in read order.
    pub(super) fn level(&self, level: usize) -> &[T] {
        &self.levels[level]
    }

    /// How many tables there are.
    pub(super) fn count(&self) -> usize {
        self.levels.iter().map(Vec::len).sum()
    }

    /// How many bytes the tables of a level have.
    pub(super) fn bytes(&self, level: usize) -> u64 {
        self.levels[level].iter().map(|table| table.facts().bytes).sum()
    }

    /// Every table with its level, in read order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.levels
            .iter()
            .enumerate()
            .flat_map(|(level, tables)| tables.iter().map(move |table| (level, table)))
    }

    /// The tables of a level that may have a key between `from` and `to`, both included, in read order.
    pub(super) fn overlapping<'a>(
        &'a self,
        level: usize,
        from: &'a [u8],
        to: &'a [u8],
    ) -> impl Iterator<Item = &'a T> {
        let tables = self.levels[level].as_slice();
        let begin = if level == 0 { 0 } else { first_ending_at_or_after(tables, from) };
        // On a sorted level those that overlap are neighbours: the first that does not ends the walk.
        tables[begin..]
            .iter()
            .take_while(move |table| level == 0 || table.facts().smallest <= to)
            .filter(move |table| table.facts().overlaps(from, to))
    }

    /// The one table of a level from 1 on that may have `key`.
    pub(super) fn find(&self, level: usize, key: &[u8]) -> Option<&T> {
        assert!(level > 0, "any table of level 0 may have the key");
        let tables = self.levels[level].as_slice();
        let table = tables.get(first_ending_at_or_after(tables, key))?;
        (table.facts().smallest <= key).then_some(table)
    }

    /// These levels after an edit.
    ///
    /// Panics where the edit does not fit, which only a bug can cause: what it removes is not there,
    /// or what it adds breaks the order of a level.
    pub(super) fn apply(&self, edit: &Edit<T>) -> Levels<T> {
        let removed: BTreeSet<u64> = edit.removed.iter().copied().collect();
        let mut gap = self.gap(&removed, edit);
        let mut levels = self.levels.clone();
        for level in &mut levels {
            level.retain(|table| !removed.contains(&table.facts().number));
        }
        let left: usize = levels.iter().map(Vec::len).sum();
        assert_eq!(self.count() - left, edit.removed.len(), "an edit removes what is there, once");
        for (place, table) in &edit.added {
            match place {
                Place::Newest => {
                    levels[0].insert(0, table.clone());
                    gap += 1;
                }
                Place::Gap => {
                    levels[0].insert(gap, table.clone());
                    gap += 1;
                }
                Place::Level(level) => insert_by_key(&mut levels[*level], table.clone()),
            }
        }
        Levels::of(levels)
            .unwrap_or_else(|misplaced| panic!("an edit keeps the levels: {misplaced}"))
    }

    /// Where in level 0 the newest of the removed tables stood; asserts that, if something is to
    /// take their place, they are neighbours.
    fn gap(&self, removed: &BTreeSet<u64>, edit: &Edit<T>) -> usize {
        let is_removed = |table: &T| removed.contains(&table.facts().number);
        let begin = self.levels[0].iter().position(is_removed);
        if edit.added.iter().any(|(place, _)| *place == Place::Gap) {
            let begin = begin.expect("the place taken is that of tables removed from level 0");
            let all = self.levels[0].iter().filter(|table| is_removed(table)).count();
            let run = self.levels[0][begin..].iter().take_while(|table| is_removed(table)).count();
            assert_eq!(run, all, "tables merged inside level 0 are neighbours");
        }
        begin.unwrap_or(0)
    }
}

/// Where on a sorted level the first table stands that does not end before `key`.
fn first_ending_at_or_after<T: Placed>(tables: &[T], key: &[u8]) -> usize {
    tables.partition_point(|table| table.facts().largest < key)
}

fn insert_by_key<T: Placed>(tables: &mut Vec<T>, table: T) {
    let at = tables.partition_point(|other| other.facts().smallest < table.facts().smallest);
    tables.insert(at, table);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use bytes::Bytes;

    use super::*;

    fn table(number: u64, smallest: &str, largest: &str) -> TableFacts {
        TableFacts {
            number,
            bytes: 10,
            entries: 2,
            tombstones: 0,
            smallest: Bytes::copy_from_slice(smallest.as_bytes()),
            largest: Bytes::copy_from_slice(largest.as_bytes()),
        }
    }

    fn with(added: Vec<(Place, TableFacts)>) -> Levels<TableFacts> {
        Levels::new().apply(&Edit { removed: Vec::new(), added })
    }

    fn numbers<'a>(tables: impl IntoIterator<Item = &'a TableFacts>) -> Vec<u64> {
        tables.into_iter().map(|table| table.number).collect()
    }

    #[test]
    fn a_flushed_table_is_read_first() {
        let levels =
            with(vec![(Place::Newest, table(1, "a", "z")), (Place::Newest, table(2, "a", "z"))]);
        assert_eq!(numbers(levels.level(0)), [2, 1]);
    }

    #[test]
    fn the_product_of_a_merge_inside_level_0_is_as_old_as_its_inputs() {
        let levels = with((1..=5).map(|number| (Place::Newest, table(number, "a", "z"))).collect());
        let merged = Edit { removed: vec![2, 3], added: vec![(Place::Gap, table(6, "a", "z"))] };
        assert_eq!(numbers(levels.apply(&merged).level(0)), [5, 4, 6, 1]);
        let with_flush = Edit {
            removed: vec![4, 5],
            added: vec![(Place::Newest, table(7, "a", "z")), (Place::Gap, table(6, "a", "z"))],
        };
        assert_eq!(numbers(levels.apply(&with_flush).level(0)), [7, 6, 3, 2, 1]);
    }

    #[test]
    #[should_panic(expected = "neighbours")]
    fn tables_of_level_0_that_are_not_neighbours_leave_no_gap() {
        let levels = with((1..=3).map(|number| (Place::Newest, table(number, "a", "z"))).collect());
        levels.apply(&Edit { removed: vec![1, 3], added: vec![(Place::Gap, table(4, "a", "z"))] });
    }

    #[test]
    fn a_table_moves_in_one_edit() {
        let levels = with(vec![(Place::Newest, table(1, "a", "z"))]);
        let moved = levels
            .apply(&Edit { removed: vec![1], added: vec![(Place::Level(6), table(1, "a", "z"))] });
        assert_eq!(moved.level(0), []);
        assert_eq!(numbers(moved.level(6)), [1]);
    }

    #[test]
    #[should_panic(expected = "removes what is there, once")]
    fn what_is_not_there_cannot_be_removed() {
        with(vec![(Place::Newest, table(1, "a", "z"))])
            .apply(&Edit { removed: vec![2], added: Vec::new() });
    }

    #[test]
    #[should_panic(expected = "removes what is there, once")]
    fn nothing_is_removed_twice() {
        with(vec![(Place::Newest, table(1, "a", "z"))])
            .apply(&Edit { removed: vec![1, 1], added: Vec::new() });
    }

    #[test]
    #[should_panic(expected = "table 1 stands twice")]
    fn no_table_stands_twice() {
        with(vec![(Place::Newest, table(1, "a", "z")), (Place::Level(3), table(1, "a", "z"))]);
    }

    #[test]
    fn a_level_whose_tables_share_even_one_key_is_refused() {
        let level = |tables: Vec<TableFacts>| {
            let mut levels: [Vec<TableFacts>; LEVELS] = std::array::from_fn(|_| Vec::new());
            levels[2] = tables;
            Levels::of(levels).map(|_| ())
        };
        assert_eq!(level(vec![table(1, "a", "c"), table(2, "d", "f")]), Ok(()));
        assert_eq!(level(vec![table(1, "a", "c"), table(2, "c", "f")]), Err(Misplaced::Overlap(2)));
        assert_eq!(level(vec![table(1, "d", "f"), table(2, "a", "c")]), Err(Misplaced::Overlap(2)));
        assert_eq!(level(vec![table(1, "c", "a")]), Err(Misplaced::Reversed(1)));
    }

    /// Disjoint tables, each over one or more of the keys from 0 to 255, as cuts of that range.
    fn disjoint() -> impl Strategy<Value = Vec<(u8, u8)>> {
        prop::collection::btree_set(any::<u8>(), 0..24).prop_map(|cuts| {
            let cuts: Vec<u8> = cuts.into_iter().collect();
            cuts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
        })
    }

    fn spanning(number: u64, (smallest, largest): (u8, u8)) -> TableFacts {
        let (smallest, largest) = (Bytes::from(vec![smallest]), Bytes::from(vec![largest]));
        TableFacts { smallest, largest, ..table(number, "", "") }
    }

    proptest! {
        #[test]
        fn looking_up_agrees_with_asking_every_table(
            spans in disjoint(), from in any::<u8>(), to in any::<u8>(), level in 0..LEVELS,
        ) {
            let place = if level == 0 { Place::Newest } else { Place::Level(level) };
            let tables = spans.iter().zip(1..).map(|(&span, number)| (place, spanning(number, span)));
            // In an order that is not theirs.
            let mut tables: Vec<_> = tables.collect();
            tables.reverse();
            let levels = with(tables);
            let (from, to) = (from.min(to), from.max(to));
            let expected: Vec<u64> = levels
                .level(level)
                .iter()
                .filter(|table| (from..=to).any(|key| (table.smallest[0]..=table.largest[0]).contains(&key)))
                .map(|table| table.number)
                .collect();
            prop_assert_eq!(numbers(levels.overlapping(level, &[from], &[to])), expected);
            if level > 0 {
                let found = levels.find(level, &[from]).map(|table| table.number);
                let expected = levels.level(level).iter().find(|table| table.overlaps(&[from], &[from]));
                prop_assert_eq!(found, expected.map(|table| table.number));
            }
        }

        #[test]
        fn an_edit_adds_and_removes_exactly_what_it_says(
            spans in disjoint(), picks in any::<u32>(), level in 1..LEVELS,
        ) {
            let tables = spans.iter().zip(1..).map(|(&span, number)| (Place::Level(level), spanning(number, span)));
            let levels = with(tables.collect());
            let (removed, kept): (Vec<u64>, Vec<u64>) =
                numbers(levels.level(level)).into_iter().partition(|number| picks >> number & 1 == 1);
            let flushed = (Place::Newest, table(99, "a", "z"));
            let after = levels.apply(&Edit { removed, added: vec![flushed] });
            prop_assert_eq!(numbers(after.level(level)), kept.clone());
            prop_assert_eq!(after.count(), kept.len() + 1);
            prop_assert_eq!(after.bytes(level), 10 * kept.len() as u64);
            prop_assert_eq!(numbers(after.iter().map(|(_, table)| table))[0], 99);
        }
    }
}
