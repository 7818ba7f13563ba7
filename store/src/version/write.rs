//! A client's write to a key of a `siblings` keyspace, as the primary that numbers it sees it.
//!
//! The decision alone: from the copy held, the copy to hold next, or why there is none. A refusal is
//! definite: no dot was given and no counter advanced, for nothing was kept. (Where no primary is in reach,
//! stand-ins refuse what would crowd what they keep, see [`Hints::hold`](crate::handoff::Hints::hold).)
//!
//! Siblings that no client merges are refused rather than dropped: a key that forgot the oldest of
//! them would lose acknowledged writes in silence, and one that kept them all would grow until no
//! frame can carry it. What is refused is only a write that leaves *more* siblings than there were, so
//! a merge is always taken, also when replicas cut off from each other have together come to hold
//! more than each of them may: a join is never refused.
//!
//! Source: Riak's `max_siblings` (a count beyond which writes fail), and its operators' tales of
//! "sibling explosion" from before it.

use bytes::Bytes;

use super::branches::Branches;
use super::context::Context;
use super::dot::Actor;
use super::record::{Kind, Record};
use super::siblings::Siblings;
use crate::config::Keyspace;

/// The longest record a sibling update may make, in bytes. Replicas and stand-ins cut off from each other
/// may each make one, and their join must still fit into a frame: of 16 MiB, so for up to 15 of them.
pub const RECORD_BYTES: usize = 1 << 20;

/// A client's write to a key of a `siblings` keyspace.
pub struct Write<'a> {
    /// What its client had read.
    pub context: &'a Context,
    /// Who numbers it.
    pub actor: &'a Actor,
    /// Up to here that actor may have numbered writes of this key whose tombstone is forgotten.
    pub floor: u64,
    /// When, in microseconds since 1970 by the clock of who numbers it; only server vectors keep it.
    pub wall_micros: u64,
    /// The new value; `None` deletes.
    pub value: Option<Bytes>,
}

/// Why a write is refused: nobody merges the siblings of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Crowd {
    /// There would be more of them than the keyspace allows.
    #[error("the siblings of this key are {held}, and its keyspace allows {allowed}")]
    Many {
        /// How many there are.
        held: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// The record would be longer than nodes can exchange.
    #[error("the siblings of this key would be {0} bytes")]
    Long(usize),
}

impl Crowd {
    /// Refuses a write that leaves `record` where `held` siblings were.
    pub fn look(
        record: &Record,
        held: usize,
        allowed: usize,
        record_bytes: usize,
    ) -> Result<(), Crowd> {
        if record.siblings() > allowed.max(held) {
            return Err(Crowd::Many { held, allowed });
        }
        match record.encode().len() {
            bytes if bytes > record_bytes => Err(Crowd::Long(bytes)),
            _ => Ok(()),
        }
    }
}

/// What a write makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The copy to hold.
    pub record: Record,
    /// With which its client may go on: it knows of no sibling that the client has not read.
    pub context: Context,
}

impl Write<'_> {
    /// The copy to hold once this is written over `own`; its encoding has at most `record_bytes`.
    ///
    /// *Requires* that `own` is a record of the kind these `settings` ask for, and knows every dot
    /// that the actor has given for this key.
    pub fn over(
        self,
        own: Option<Record>,
        settings: &Keyspace,
        record_bytes: usize,
    ) -> Result<Written, Crowd> {
        let held = own.as_ref().map_or(0, Record::siblings);
        let (record, context) = self.number(own, settings);
        Crowd::look(&record, held, settings.siblings_allowed(), record_bytes)?;
        Ok(Written { record, context })
    }

    fn number(self, own: Option<Record>, settings: &Keyspace) -> (Record, Context) {
        let Write { context, actor, floor, wall_micros, value } = self;
        if Kind::of(settings) == Kind::Branches {
            let mut branches = match own {
                Some(Record::Branches(branches)) => branches,
                _ => Branches::default(),
            };
            let clock = branches.update(context, actor, wall_micros, settings.vector_limit, value);
            return (Record::Branches(branches), Context::from(clock));
        }
        let mut siblings = match own {
            Some(Record::Siblings(siblings)) => siblings,
            _ => Siblings::default(),
        };
        siblings.number_above(floor, actor);
        let dot = siblings.update(context, actor.clone(), value);
        let context = siblings.context_of_writer(&dot);
        (Record::Siblings(siblings), context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Causality, Policy};
    use crate::version::test_records::node;

    const BOTH: [Causality; 2] = [Causality::Dotted, Causality::ServerVector];

    fn settings(causality: Causality, max_siblings: usize) -> Keyspace {
        let policy = Policy::Siblings;
        Keyspace { policy, causality, max_siblings: Some(max_siblings), ..Keyspace::default() }
    }

    /// By another server each, so that server vectors keep them apart too.
    fn written(
        own: Option<Record>,
        context: &Context,
        server: &str,
        settings: &Keyspace,
    ) -> Result<Record, Crowd> {
        let (actor, value) = (Actor::new(node(server), 1), Some(Bytes::from(server.to_owned())));
        let write = Write { context, actor: &actor, floor: 0, wall_micros: 1, value };
        write.over(own, settings, 1 << 20).map(|written| written.record)
    }

    fn crowd(count: usize, settings: &Keyspace) -> Record {
        let one =
            |i: usize| written(None, &Context::default(), &format!("n{i}"), settings).unwrap();
        (1..count).fold(one(0), |crowd, i| crowd.join(one(i)))
    }

    #[test]
    fn a_write_that_would_make_one_sibling_too_many_is_refused() {
        for causality in BOTH {
            let settings = settings(causality, 3);
            let two = crowd(2, &settings);
            let three = written(Some(two), &Context::default(), "n9", &settings).unwrap();
            assert_eq!(three.siblings(), 3, "{causality:?}");
            let refused = written(Some(three), &Context::default(), "n8", &settings);
            assert_eq!(refused, Err(Crowd::Many { held: 3, allowed: 3 }), "{causality:?}");
        }
    }

    #[test]
    fn a_write_that_leaves_no_more_than_there_were_is_taken_also_beyond_the_limit() {
        for causality in BOTH {
            let settings = settings(causality, 3);
            let crowd = crowd(6, &settings);
            let seen_one = written(None, &Context::default(), "n0", &settings).unwrap().context();
            let exchanged = written(Some(crowd.clone()), &seen_one, "n9", &settings).unwrap();
            assert_eq!(exchanged.siblings(), 6, "{causality:?}: one went, one came");
            let merged = written(Some(crowd.clone()), &crowd.context(), "n9", &settings).unwrap();
            assert_eq!(merged.values(), ["n9"], "{causality:?}");
            let refused = written(Some(crowd), &Context::default(), "n9", &settings);
            assert_eq!(refused, Err(Crowd::Many { held: 6, allowed: 3 }), "{causality:?}");
        }
    }

    #[test]
    fn a_record_too_long_to_exchange_is_refused() {
        for causality in BOTH {
            let actor = Actor::new(node("n1"), 1);
            let (context, value) = (Context::default(), Some(Bytes::from(vec![0; 100])));
            let write = Write { context: &context, actor: &actor, floor: 0, wall_micros: 1, value };
            let refused = write.over(None, &settings(causality, 3), 100);
            assert!(matches!(refused, Err(Crowd::Long(101..))), "{refused:?}");
        }
    }

    #[test]
    fn the_causality_of_the_keyspace_decides_what_is_held() {
        for (causality, kind) in BOTH.into_iter().zip([Kind::Siblings, Kind::Branches]) {
            assert_eq!(crowd(2, &settings(causality, 3)).kind(), kind);
        }
    }
}
