//! Two replicas' lists of the same buckets, laid side by side.
//!
//! Either list may be cut off where its page was full, so two pages say something only of the keys
//! up to the earlier of the two cuts: the *horizon*. Behind it the next pages begin.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::merkle::{Bucket, Uneven};
use crate::replica::{Listed, Page};

/// Why an answer of the other side cannot be one; phrased to follow "the other side answered".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// Not the hashes asked for.
    #[error("a tree of another shape: {0}")]
    Uneven(#[from] Uneven),
    /// More keys than a page has.
    #[error("{0} keys on one page")]
    Crowded(usize),
    /// A key twice, or behind those it should precede.
    #[error("keys out of order")]
    Disorder,
    /// A key nobody asked for.
    #[error("keys of other buckets")]
    Stray,
    /// No key, and yet more of them.
    #[error("an empty page with more behind it")]
    Endless,
    /// Not the trees both must have.
    #[error("without the tree `{0}`, or with one that is not shared")]
    Trees(String),
}

/// Whether `page` can be a list of these `buckets` after that key. What is refused here could make
/// an exchange go on for ever.
pub(super) fn check(
    page: &Page,
    buckets: &[Bucket],
    after: Option<&Bytes>,
) -> Result<(), Nonsense> {
    if page.keys.len() > Page::KEYS_MAX {
        return Err(Nonsense::Crowded(page.keys.len()));
    }
    if page.keys.is_empty() && page.more {
        return Err(Nonsense::Endless);
    }
    let asked: BTreeSet<&Bucket> = buckets.iter().collect();
    let mut before = after.map(place);
    for (key, _) in &page.keys {
        let here = place(key);
        if !asked.contains(&here.0) {
            return Err(Nonsense::Stray);
        }
        if before.is_some_and(|before| before >= here) {
            return Err(Nonsense::Disorder);
        }
        before = Some(here);
    }
    Ok(())
}

/// A key that two lists disagree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The key.
    pub key: Bytes,
    /// Whether the other side holds a record of it.
    pub is_theirs: bool,
}

/// Keys that one side lacks or of which both hold different records, in the order of the pages, and
/// the horizon; `None` where both pages reach the end.
pub(super) fn differing(ours: &Page, theirs: &Page) -> (Vec<Difference>, Option<Bytes>) {
    let horizon = horizon(ours, theirs);
    let beyond = horizon.as_ref().map(place);
    let within = |listed: &&Listed| beyond.is_none_or(|beyond| place(&listed.0) <= beyond);
    let lacking = |(key, _): &Listed| Difference { key: key.clone(), is_theirs: false };
    let mut ours = ours.keys.iter().filter(within).peekable();
    let mut found = Vec::new();
    for (key, digest) in theirs.keys.iter().filter(within) {
        while let Some(listed) = ours.next_if(|(our, _)| place(our) < place(key)) {
            found.push(lacking(listed));
        }
        if ours.next_if(|(our, _)| our == key).is_none_or(|(_, our)| our != digest) {
            found.push(Difference { key: key.clone(), is_theirs: true });
        }
    }
    found.extend(ours.map(lacking));
    (found, horizon)
}

fn horizon(ours: &Page, theirs: &Page) -> Option<Bytes> {
    let cut = |page: &Page| page.keys.last().filter(|_| page.more).map(|(key, _)| key.clone());
    let cuts = [cut(ours), cut(theirs)];
    cuts.into_iter().flatten().min_by(|one, other| place(one).cmp(&place(other)))
}

/// Where a key stands in a list: by bucket, then by name, as on disk.
pub(super) fn place(key: &Bytes) -> (Bucket, &[u8]) {
    (Bucket::of(key), key)
}
