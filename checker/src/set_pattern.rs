//! The names of what can be wrong with a set that only grows.
//!
//! Asked of a minimal witness, in which every operation counts:
//!
//! | name | what happened |
//! |---|---|
//! | stale read | an add was acknowledged before a read began that misses it |
//! | new-old inversion | a read shows an element that a later read misses |
//! | reordered adds | a read shows the later of two adds and misses the earlier |
//! | incomparable reads | each of two reads shows what the other misses |
//!
//! Source: Jepsen's `set-full` (stale, lost); Bouajjani et al., ICALP 2015, §4 (bad patterns);
//! Sovran et al., "Walter", SOSP 2011 (long fork) for the last.

use crate::event::{Function, Value};
use crate::finding::Anomaly;
use crate::operation::Operation;
use crate::prose::Cast;

/// A read with what it shows of the elements that matter.
struct Sight<'h> {
    read: &'h Operation,
    elements: Vec<i64>,
}

/// A name, the operations it takes, and what they show, as a sentence about labels.
type Pattern<'h> = (&'static str, Vec<&'h Operation>, String);

/// The named anomaly that `witness` shows, if it shows one. Each operation stands with the reply that
/// matters of it: the elements of the witness alone.
pub(crate) fn name(witness: &[(&Operation, Option<Value>)]) -> Option<Anomaly> {
    let adds: Vec<(&Operation, i64)> = witness
        .iter()
        .filter(|(operation, _)| operation.f == Function::Add)
        .filter_map(|(operation, _)| match operation.argument {
            Value::Int(element) => Some((*operation, element)),
            _ => None,
        })
        .collect();
    let sights: Vec<Sight<'_>> = witness
        .iter()
        .filter_map(|(read, reply)| {
            Some(Sight { read, elements: reply.as_ref()?.elements()?.to_vec() })
        })
        .collect();
    let cast = Cast::new(witness.iter().map(|(operation, _)| *operation));
    let (name, members, sentence) = stale(&adds, &sights, &cast)
        .or_else(|| inverted(&adds, &sights, &cast))
        .or_else(|| reordered(&adds, &sights, &cast))
        .or_else(|| incomparable(&adds, &sights, &cast))?;
    // A pattern that leaves operations out would be another, smaller witness than the one given.
    (members.len() == witness.len()).then(|| Anomaly {
        name: name.to_owned(),
        key: members[0].key.clone(),
        witness: cast.witness(),
        because: format!("{} {sentence}", cast.introduction()),
    })
}

impl Sight<'_> {
    fn shows(&self, element: i64) -> bool {
        self.elements.contains(&element)
    }
}

fn stale<'h>(
    adds: &[(&'h Operation, i64)],
    sights: &[Sight<'h>],
    cast: &Cast<'h>,
) -> Option<Pattern<'h>> {
    for (add, element) in adds {
        for sight in sights.iter().filter(|sight| !sight.shows(*element)) {
            if add.precedes(sight.read) {
                let sentence = format!(
                    "Then {add} comes before {read}, because {}. However {read} misses {element}, \
                     as if {add} had not happened yet: a contradiction.",
                    cast.before(add, sight.read),
                    add = cast.label(add),
                    read = cast.label(sight.read),
                );
                return Some(("stale read", vec![add, sight.read], sentence));
            }
        }
    }
    None
}

fn inverted<'h>(
    adds: &[(&'h Operation, i64)],
    sights: &[Sight<'h>],
    cast: &Cast<'h>,
) -> Option<Pattern<'h>> {
    for (add, element) in adds {
        for new in sights.iter().filter(|sight| sight.shows(*element)) {
            for old in sights.iter().filter(|sight| !sight.shows(*element)) {
                if new.read.precedes(old.read) {
                    let sentence = format!(
                        "Then {} comes before {old}, because {}, and {new} shows {element}. \
                         However {old} misses {element}: a contradiction.",
                        cast.label(add),
                        cast.before(new.read, old.read),
                        new = cast.label(new.read),
                        old = cast.label(old.read),
                    );
                    return Some(("new-old inversion", vec![add, new.read, old.read], sentence));
                }
            }
        }
    }
    None
}

fn reordered<'h>(
    adds: &[(&'h Operation, i64)],
    sights: &[Sight<'h>],
    cast: &Cast<'h>,
) -> Option<Pattern<'h>> {
    for (early, missed) in adds {
        for (late, shown) in adds.iter().filter(|(late, _)| early.precedes(late)) {
            let guilty = |sight: &&Sight<'h>| sight.shows(*shown) && !sight.shows(*missed);
            if let Some(sight) = sights.iter().find(guilty) {
                let sentence = format!(
                    "Then {} comes before {}, because {}. However {} shows {shown} and misses \
                     {missed}: a contradiction.",
                    cast.label(early),
                    cast.label(late),
                    cast.before(early, late),
                    cast.label(sight.read),
                );
                return Some(("reordered adds", vec![early, late, sight.read], sentence));
            }
        }
    }
    None
}

fn incomparable<'h>(
    adds: &[(&'h Operation, i64)],
    sights: &[Sight<'h>],
    cast: &Cast<'h>,
) -> Option<Pattern<'h>> {
    for (x_add, x) in adds {
        for (y_add, y) in adds {
            let one = sights.iter().find(|sight| sight.shows(*x) && !sight.shows(*y));
            let two = sights.iter().find(|sight| sight.shows(*y) && !sight.shows(*x));
            let (Some(one), Some(two)) = (one, two) else { continue };
            let sentence = format!(
                "Then {x_add} comes before {y_add}, because {one} shows {x} and misses {y}. However \
                 {y_add} comes before {x_add}, because {two} shows {y} and misses {x}: a \
                 contradiction.",
                one = cast.label(one.read),
                two = cast.label(two.read),
                x_add = cast.label(x_add),
                y_add = cast.label(y_add),
            );
            let members = vec![*x_add, *y_add, one.read, two.read];
            return Some(("incomparable reads", members, sentence));
        }
    }
    None
}
