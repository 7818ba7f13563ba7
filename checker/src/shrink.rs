//! The fewest items that still fail: no single one of them can be left out.
//!
//! Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002, §3
//! (`ddmin`).

/// A sub-sequence of `items` for which `fails` holds and ceases to hold when any one item is left
/// out (as far as `fails` always answers the same). Once it answers nothing, the smallest known so
/// far. Requires that it holds for `items`.
pub(crate) fn minimal<T: Clone>(
    items: &[T],
    mut fails: impl FnMut(&[T]) -> Option<bool>,
) -> Vec<T> {
    let mut kept = items.to_vec();
    let mut parts = 2;
    while kept.len() >= 2 {
        let size = kept.len().div_ceil(parts);
        let without = |at: usize| {
            let end = (at + size).min(kept.len());
            [&kept[..at], &kept[end..]].concat()
        };
        let parts_left_out = (0..kept.len()).step_by(size).map(without);
        let decided = parts_left_out
            .map(|rest| (fails(&rest), rest))
            .find(|(fails, _)| *fails != Some(false));
        match decided {
            Some((None, _)) => break,
            Some((Some(_), rest)) => {
                kept = rest;
                parts = (parts - 1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(kept.len()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::minimal;

    #[test]
    fn only_the_guilty_remain() {
        let items: Vec<u32> = (0..100).collect();
        let fails = |part: &[u32]| Some([17, 18, 93].iter().all(|guilty| part.contains(guilty)));
        assert_eq!(minimal(&items, fails), [17, 18, 93]);
    }

    #[test]
    fn without_an_answer_the_smallest_known_so_far_remains() {
        let items: Vec<u32> = (0..32).collect();
        let mut asked = 0;
        let smaller = minimal(&items, |part| {
            asked += 1;
            (part.len() >= 8).then(|| part.contains(&17))
        });
        assert_eq!(smaller, [16, 17, 18, 19, 20, 21, 22, 23]);
        assert!(asked < 10, "it asked {asked} times, though nobody answered");
    }

    #[test]
    fn a_single_guilty_item_is_found() {
        let items: Vec<u32> = (0..33).collect();
        assert_eq!(minimal(&items, |part| Some(part.contains(&32))), [32]);
    }
}
