//! A set of integers as the text a store keeps for it: ascending, parted by single spaces.
//!
//! ```text
//! {3, 1, 20}  ->  "1 3 20"        {}  ->  ""
//! ```
//!
//! One set has one text, so replicas that hold equal sets hold equal bytes. Text that no client of
//! ours wrote is not dropped: it becomes [`ALIEN`], which no workload ever writes, so that the
//! checkers see a value out of nowhere instead of seeing nothing.

use std::collections::BTreeSet;

/// Stands for what cannot be read. The values written are all at least one.
pub const ALIEN: i64 = -1;

/// The text of `elements`.
pub(crate) fn encode(elements: &BTreeSet<i64>) -> String {
    let texts: Vec<String> = elements.iter().map(i64::to_string).collect();
    texts.join(" ")
}

/// The elements of `text`.
pub(crate) fn decode(text: &[u8]) -> impl Iterator<Item = i64> {
    text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).map(integer)
}

/// One value in decimal.
pub(crate) fn integer(text: &[u8]) -> i64 {
    std::str::from_utf8(text).ok().and_then(|digits| digits.parse().ok()).unwrap_or(ALIEN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_is_written_ascending() {
        assert_eq!(encode(&BTreeSet::from([3, 1, 20])), "1 3 20");
        assert_eq!(encode(&BTreeSet::new()), "");
    }

    #[test]
    fn what_nobody_wrote_reads_as_an_alien() {
        assert_eq!(decode(b"1 two \xff 4").collect::<Vec<_>>(), [1, ALIEN, ALIEN, 4]);
        assert_eq!(integer(b""), ALIEN);
        assert_eq!(integer(b"99999999999999999999"), ALIEN);
    }

    proptest! {
        #[test]
        fn a_set_reads_back_as_it_was_written(set: BTreeSet<i64>) {
            prop_assert_eq!(decode(encode(&set).as_bytes()).collect::<BTreeSet<_>>(), set);
        }
    }
}
