//! How two replicas become equal, as a value: what is needed next comes out, what was found goes in.
//!
//! ```text
//! Hashes*        down both trees, a level at a time, to the buckets that differ
//! (Keys          both sides' lists of some of these buckets, a page at a time
//!  (Copy? Join Push?)*)*
//!                of each key the lists disagree on: fetch theirs, join it with ours, send back the
//!                join if it says more
//! ```
//!
//! So both sides end with the join of what both held. Neither side stands still meanwhile: writes go
//! on, and what was compared a moment ago may be old. That costs a look in vain or leaves a key to the
//! next exchange, and never a record, for nothing is replaced, only joined; and what is forgotten meanwhile,
//! a tombstone that nothing needs, may at worst be brought back once.
//!
//! An exchange knows neither clock nor socket, and has no memory worth keeping: whoever loses an
//! answer drops the exchange and begins another, which finds what is left to do. It ends: a look takes
//! the walk a level down or the lists some keys on, and nonsense is refused.
//!
//! Source: DeCandia et al., "Dynamo", SOSP 2007, §4.7.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::pages::{self, Nonsense};
use super::tally::Tally;
use crate::merkle::{Bucket, Comparison, Span};
use crate::replica::Page;
use crate::version::Record;

/// Nodes of a tree, or buckets, in one look. An answer of so many hashes is 32 KiB: short enough to
/// hold up nothing else on the wire.
pub const LOOK: usize = 256;

/// What an exchange needs to go on.
#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// Both sides' hashes under these nodes of the tree.
    Hashes(Vec<Span>),
    /// Both sides' keys of these buckets, after this one.
    Keys(Vec<Bucket>, Option<Bytes>),
    /// The other side's record of this key.
    Copy(Bytes),
    /// The own record of this key, once it is joined with this one.
    Join(Bytes, Option<Record>),
    /// That the other side joins its record of this key with this one.
    Push(Bytes, Record),
}

/// What was found of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Of [`Need::Hashes`]: the nodes asked about, our hashes and theirs.
    Hashes(Vec<Span>, Vec<u64>, Vec<u64>),
    /// Of [`Need::Keys`]: our page and theirs.
    Keys(Page, Page),
    /// Of [`Need::Keys`]: one side cannot list all of them, as where a block of its disk is damaged.
    Unlisted,
    /// Of [`Need::Copy`].
    Copy(Bytes, Option<Record>),
    /// Of [`Need::Join`].
    Joined(Bytes, Option<Record>),
    /// Of [`Need::Push`].
    Pushed(Bytes),
    /// Of [`Need::Copy`] and [`Need::Push`]: this key cannot be mended now. It must not hold up others.
    Refused(Bytes),
}

/// Two replicas of one tree on their way to become equal.
#[derive(Clone, Debug)]
pub struct Exchange {
    walk: Comparison,
    /// Buckets that differ and are not compared to their end, once the walk has named them.
    buckets: BTreeSet<Bucket>,
    /// Up to here their keys are compared.
    after: Option<Bytes>,
    /// The buckets of the look that is under way; of hashes, none.
    look: Option<Vec<Bucket>>,
    /// Buckets in the next look, at most.
    look_buckets: usize,
    /// What can be done at once.
    ready: VecDeque<Need>,
    /// Keys not yet mended, each with the other side's record as far as it is known.
    mending: BTreeMap<Bytes, Option<Record>>,
    tally: Tally,
}

impl Exchange {
    /// An exchange between replicas whose trees have these roots.
    pub fn new(ours: u64, theirs: u64) -> Exchange {
        Exchange {
            walk: Comparison::new(ours, theirs),
            buckets: BTreeSet::new(),
            after: None,
            look: None,
            look_buckets: LOOK,
            ready: VecDeque::new(),
            mending: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// What is needed and not asked for yet. `None`: what is under way must be found first, or, with
    /// nothing under way, the exchange is over.
    pub fn need(&mut self) -> Option<Need> {
        if let Some(need) = self.ready.pop_front() {
            return Some(need);
        }
        // Keys are mended before the next are listed, so that what is held here is bounded by a page.
        if self.look.is_some() || !self.mending.is_empty() {
            return None;
        }
        let spans = self.walk.asks(LOOK);
        if !spans.is_empty() {
            self.look = Some(Vec::new());
            return Some(Need::Hashes(spans));
        }
        self.buckets.append(&mut self.walk.take_buckets());
        let buckets: Vec<Bucket> = self.buckets.iter().take(self.look_buckets).copied().collect();
        if buckets.is_empty() {
            return None;
        }
        self.look = Some(buckets.clone());
        Some(Need::Keys(buckets, self.after.clone()))
    }

    /// Goes on with what was found; what was not needed is ignored.
    pub fn take(&mut self, found: Found) -> Result<(), Nonsense> {
        match found {
            Found::Hashes(spans, ours, theirs) => {
                self.look = None;
                self.walk.tell(&spans, &ours, &theirs)?;
                self.tally.hashes += theirs.len() as u64;
            }
            Found::Keys(ours, theirs) => self.compare(&ours, &theirs)?,
            Found::Unlisted => self.pass_over(),
            Found::Copy(key, record) => self.join(key, record),
            Found::Joined(key, own) => self.push(key, own),
            Found::Pushed(key) => {
                if self.mending.remove(&key).is_some() {
                    self.tally.sent += 1;
                }
            }
            Found::Refused(key) => {
                if self.mending.remove(&key).is_some() {
                    self.tally.refused += 1;
                }
            }
        }
        Ok(())
    }

    /// What it came to so far; of bytes it knows nothing.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    fn compare(&mut self, ours: &Page, theirs: &Page) -> Result<(), Nonsense> {
        let Some(asked) = self.look.take() else { return Ok(()) };
        pages::check(theirs, &asked, self.after.as_ref())?;
        self.tally.listed += (ours.keys.len() + theirs.keys.len()) as u64;
        let (differing, horizon) = pages::differing(ours, theirs);
        self.tally.differing += differing.len() as u64;
        for difference in differing {
            let key = difference.key;
            self.mending.insert(key.clone(), None);
            let fetch = difference.is_theirs;
            self.ready.push_back(if fetch { Need::Copy(key) } else { Need::Join(key, None) });
        }
        match &horizon {
            Some(key) => self.buckets = self.buckets.split_off(&Bucket::of(key)),
            None => self.buckets.retain(|bucket| asked.binary_search(bucket).is_err()),
        }
        self.after = horizon;
        Ok(())
    }

    /// Looks at fewer buckets, down to the one that cannot be listed, and leaves that one out.
    fn pass_over(&mut self) {
        let Some(asked) = self.look.take_if(|asked| !asked.is_empty()) else { return };
        self.look_buckets = asked.len().div_ceil(2);
        if let [bucket] = asked[..] {
            self.buckets.remove(&bucket);
            self.after = None;
            self.look_buckets = LOOK;
            self.tally.refused += 1;
        }
    }

    /// In front of the keys not begun yet: few records are in memory at a time.
    fn join(&mut self, key: Bytes, record: Option<Record>) {
        if let Some(theirs) = self.mending.get_mut(&key) {
            self.tally.received += u64::from(record.is_some());
            theirs.clone_from(&record);
            self.ready.push_front(Need::Join(key, record));
        }
    }

    fn push(&mut self, key: Bytes, own: Option<Record>) {
        let Some(theirs) = self.mending.get(&key) else { return };
        match own {
            Some(own) if theirs.as_ref() != Some(&own) => {
                self.ready.push_front(Need::Push(key, own));
            }
            _ => drop(self.mending.remove(&key)),
        }
    }
}
