//! An exchange told by hand: what it needs next, and what it refuses.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::pages::{check, differing, place};
use super::*;
use crate::merkle::{Bucket, FANOUT, Span, Uneven};
use crate::replica::Page;
use crate::version::Record;
use crate::version::test_records::lww;

fn key(name: u32) -> Bytes {
    Bytes::from(format!("k{name}"))
}

fn record(time: u64) -> Record {
    lww(time, "n1", time, Some("v"))
}

fn page(keys: impl IntoIterator<Item = (Bytes, u64)>, more: bool) -> Page {
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_by(|(one, _), (other, _)| place(one).cmp(&place(other)));
    Page { keys, more }
}

/// An exchange that has walked down to the buckets of these keys, and needs their lists.
fn at_the_lists(keys: &[Bytes]) -> Exchange {
    let mut exchange = Exchange::new(1, 2);
    let buckets: BTreeSet<Bucket> = keys.iter().map(|key| Bucket::of(key)).collect();
    while let Some(Need::Hashes(spans)) = exchange.need() {
        let theirs = spans.iter().flat_map(|span| {
            (0..FANOUT).map(|nth| {
                let child = span.child(nth);
                let width = FANOUT.pow(u32::from(crate::merkle::DEPTH - child.level)) as u32;
                let below = |bucket: &Bucket| u32::from(bucket.0) / width == child.index;
                u64::from(buckets.iter().any(below))
            })
        });
        let (ours, theirs) = (vec![0; spans.len() * FANOUT], theirs.collect());
        let is_last = spans.iter().all(|span| span.level + 1 == crate::merkle::DEPTH);
        exchange.take(Found::Hashes(spans, ours, theirs)).unwrap();
        if is_last && exchange.clone().need().is_some_and(|need| matches!(need, Need::Keys(..))) {
            break;
        }
    }
    let Some(Need::Keys(asked, None)) = exchange.need() else { panic!("lists are needed") };
    assert_eq!(asked, buckets.into_iter().collect::<Vec<_>>());
    exchange
}

#[test]
fn equal_roots_need_nothing() {
    assert_eq!(Exchange::new(7, 7).need(), None);
}

#[test]
fn a_key_that_differs_is_fetched_joined_and_sent_back() {
    let mut exchange = at_the_lists(&[key(1)]);
    exchange.take(Found::Keys(page([(key(1), 1)], false), page([(key(1), 2)], false))).unwrap();
    assert_eq!(exchange.need(), Some(Need::Copy(key(1))));
    assert_eq!(exchange.need(), None, "that must come first");
    exchange.take(Found::Copy(key(1), Some(record(2)))).unwrap();
    assert_eq!(exchange.need(), Some(Need::Join(key(1), Some(record(2)))));
    exchange.take(Found::Joined(key(1), Some(record(3)))).unwrap();
    assert_eq!(exchange.need(), Some(Need::Push(key(1), record(3))));
    exchange.take(Found::Pushed(key(1))).unwrap();
    assert_eq!(exchange.need(), None);
    let Tally { differing, received, sent, refused, listed, .. } = exchange.tally();
    assert_eq!((differing, received, sent, refused, listed), (1, 1, 1, 0, 2));
}

#[test]
fn what_only_they_hold_is_not_sent_back_and_what_only_we_hold_is_not_fetched() {
    let mut exchange = at_the_lists(&[key(1), key(2)]);
    exchange.take(Found::Keys(page([(key(1), 1)], false), page([(key(2), 2)], false))).unwrap();
    let needs = [exchange.need().unwrap(), exchange.need().unwrap()];
    assert!(needs.contains(&Need::Join(key(1), None)) && needs.contains(&Need::Copy(key(2))));
    exchange.take(Found::Copy(key(2), Some(record(2)))).unwrap();
    assert_eq!(exchange.need(), Some(Need::Join(key(2), Some(record(2)))));
    exchange.take(Found::Joined(key(2), Some(record(2)))).unwrap();
    exchange.take(Found::Joined(key(1), Some(record(1)))).unwrap();
    assert_eq!(exchange.need(), Some(Need::Push(key(1), record(1))));
    exchange.take(Found::Pushed(key(1))).unwrap();
    assert_eq!(exchange.need(), None);
}

#[test]
fn a_key_that_is_refused_does_not_hold_up_the_others() {
    let mut exchange = at_the_lists(&[key(1), key(2)]);
    let theirs = page([(key(1), 1), (key(2), 2)], false);
    exchange.take(Found::Keys(Page::default(), theirs)).unwrap();
    for _ in 0..2 {
        let Some(Need::Copy(key)) = exchange.need() else { panic!("a copy is needed") };
        exchange.take(Found::Refused(key)).unwrap();
    }
    assert_eq!((exchange.need(), exchange.tally().refused), (None, 2));
}

#[test]
fn a_bucket_that_cannot_be_listed_is_found_and_left_out_and_the_others_are_not() {
    let names: Vec<Bytes> = (0..100).map(key).collect();
    let broken = Bucket::of(&names[77]);
    let mut exchange = at_the_lists(&names);
    // The look of all of them, which the helper has taken.
    exchange.take(Found::Unlisted).unwrap();
    let (mut listed, mut looks) = (BTreeSet::new(), 1);
    while let Some(Need::Keys(buckets, _)) = exchange.need() {
        looks += 1;
        let is_broken = buckets.contains(&broken);
        let whole = Found::Keys(Page::default(), Page::default());
        let found = if is_broken { Found::Unlisted } else { whole };
        exchange.take(found).unwrap();
        listed.extend(buckets.into_iter().filter(|_| !is_broken));
    }
    let all: BTreeSet<Bucket> = names.iter().map(|name| Bucket::of(name)).collect();
    assert_eq!(listed.len(), all.len() - 1);
    assert_eq!((listed.contains(&broken), exchange.tally().refused), (false, 1));
    assert!(looks <= 20, "found by halving: {looks} looks");
}

#[test]
fn the_next_page_begins_behind_the_earlier_cut() {
    let names: Vec<Bytes> = (0..4).map(key).collect();
    let mut exchange = at_the_lists(&names);
    let all = page(names.iter().map(|name| (name.clone(), 1)), false);
    let first = Page { keys: all.keys[..2].to_vec(), more: true };
    exchange.take(Found::Keys(all.clone(), first)).unwrap();
    let Some(Need::Keys(buckets, after)) = exchange.need() else { panic!("another page") };
    assert_eq!(after, Some(all.keys[1].0.clone()));
    assert_eq!(buckets[0], Bucket::of(&all.keys[1].0), "there may be more of its bucket");
    assert_eq!(buckets.len(), 3);
}

#[test]
fn nonsense_is_refused_before_anything_is_done_with_it() {
    let mut exchange = Exchange::new(1, 2);
    exchange.need().unwrap();
    let short = Found::Hashes(vec![Span::ROOT], vec![0; FANOUT], vec![1; 3]);
    let refused = exchange.take(short).unwrap_err();
    assert_eq!(refused, Nonsense::Uneven(Uneven { asked: 1, got: 3 }));

    let sorted = page([(key(1), 1), (key(2), 2)], false).keys;
    let reversed: Vec<_> = sorted.iter().rev().cloned().collect();
    let many = vec![(key(1), 1); Page::KEYS_MAX + 1];
    for (keys, more, nonsense) in [
        (many, false, Nonsense::Crowded(Page::KEYS_MAX + 1)),
        (vec![], true, Nonsense::Endless),
        (reversed, false, Nonsense::Disorder),
        (vec![sorted[0].clone(), sorted[0].clone()], false, Nonsense::Disorder),
        (vec![(key(3), 3)], false, Nonsense::Stray),
    ] {
        let mut exchange = at_the_lists(&[key(1), key(2)]);
        let refused = exchange.take(Found::Keys(Page::default(), Page { keys, more })).unwrap_err();
        assert_eq!(refused, nonsense);
        assert!(matches!(exchange.need(), Some(Need::Keys(..))), "no key of it is mended");
    }
    let again = check(&page([(key(1), 1)], false), &[Bucket::of(&key(1))], Some(&key(1)));
    assert_eq!(again, Err(Nonsense::Disorder), "a page that does not go on could do so for ever");
}

/// Up to `limit` keys of `held` after `after`.
fn cut(held: &BTreeMap<(Bucket, Bytes), u64>, after: Option<&Bytes>, limit: usize) -> Page {
    let behind = |at: &&(Bucket, Bytes)| after.is_none_or(|after| place(after) < (at.0, &at.1[..]));
    let mut left: Vec<_> = held.keys().filter(behind).collect();
    let more = left.len() > limit;
    left.truncate(limit);
    Page { keys: left.into_iter().map(|at| (at.1.clone(), held[at])).collect(), more }
}

fn helds() -> impl Strategy<Value = BTreeMap<(Bucket, Bytes), u64>> {
    let at = (0u32..40).prop_map(|name| (Bucket::of(&key(name)), key(name)));
    prop::collection::btree_map(at, 0u64..2, 0..40)
}

proptest! {
    #[test]
    fn pages_cut_anywhere_name_every_difference_once(
        ours in helds(), theirs in helds(), our_limit in 1..9usize, their_limit in 1..9usize,
    ) {
        let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
        loop {
            let our_page = cut(&ours, after.as_ref(), our_limit);
            let their_page = cut(&theirs, after.as_ref(), their_limit);
            let (named, horizon) = differing(&our_page, &their_page);
            found.extend(named);
            pages += 1;
            prop_assert!(pages <= 81, "every page goes on");
            after = horizon;
            if after.is_none() {
                break;
            }
        }
        let all: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        let wanted = all.into_iter().filter(|at| ours.get(*at) != theirs.get(*at));
        let wanted: Vec<_> = wanted.map(|at| (at.1.clone(), theirs.contains_key(at))).collect();
        let found: Vec<_> = found.into_iter().map(|it| (it.key, it.is_theirs)).collect();
        prop_assert_eq!(found, wanted);
    }
}
