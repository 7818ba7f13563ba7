//! What was asked of each side of each cut, and what that side owed its clients.
//!
//! A side owes different things to clients of different keys: with three replicas on five nodes, two
//! nodes cut off are the majority of some keys and hold nothing of others. So a side stands here once
//! for each duty it has, with the operations to which it applies.

use std::collections::BTreeMap;

use crate::cut::Cut;
use crate::operation::Operation;
use crate::prose::enumerate;

/// Fewer reads, or fewer updates, prove nothing.
pub(crate) const ASKED_MIN: usize = 5;

/// What a side owes the clients of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Duty {
    Answer,
    Refuse,
}

/// A side in one of its duties: the number of the cut, its place in it, the duty.
pub(crate) type Side = (u64, usize, Duty);

/// What was asked of each side of each cut.
pub(crate) struct Sides<'h> {
    cuts: Vec<Cut>,
    asked: BTreeMap<Side, Vec<&'h Operation>>,
}

impl<'h> Sides<'h> {
    /// The sides of `cuts`, of which nothing was asked yet.
    pub(crate) fn of(cuts: Vec<Cut>) -> Sides<'h> {
        Sides { cuts, asked: BTreeMap::new() }
    }

    /// Adds those `operations` of one key that a cut decided, where it is known what their side owed.
    pub(crate) fn assign(
        &mut self,
        operations: &[&'h Operation],
        duty: impl Fn(&[String]) -> Option<Duty>,
    ) {
        for operation in operations.iter().filter(|operation| operation.is_coordinated()) {
            for cut in &self.cuts {
                let Some(place) = cut.side_of(operation) else { continue };
                let Some(duty) = duty(&cut.sides[place]) else { continue };
                self.asked.entry((cut.fault, place, duty)).or_default().push(operation);
            }
        }
    }

    /// The cuts, by number.
    pub(crate) fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// What was asked of the sides with this duty.
    pub(crate) fn with(&self, duty: Duty) -> impl Iterator<Item = (&Side, &[&'h Operation])> {
        let sides = self.asked.iter().filter(move |((_, _, owed), _)| *owed == duty);
        sides.map(|(side, asked)| (side, asked.as_slice()))
    }

    /// How many operations that were asked of sides with this duty fit.
    pub(crate) fn count(&self, duty: Duty, fits: impl Fn(&Operation) -> bool) -> usize {
        self.with(duty).flat_map(|(_, asked)| asked).filter(|operation| fits(operation)).count()
    }

    /// Whether a side was asked enough, reads and updates, to tell what it does.
    pub(crate) fn were_asked_enough(&self, side: Side) -> bool {
        let asked = self.asked.get(&side).map_or(&[][..], Vec::as_slice);
        let updates = asked.iter().filter(|operation| operation.is_update()).count();
        updates >= ASKED_MIN && asked.len() - updates >= ASKED_MIN
    }

    /// `fault 2 cut n1 n2 off from n3 n4 n5`.
    pub(crate) fn told(&self, (fault, place, _): &Side) -> String {
        let cut = self.cuts.iter().find(|cut| cut.fault == *fault);
        let sides = cut.map(|cut| cut.sides.as_slice()).unwrap_or_default();
        let own = sides.get(*place).map(|side| side.join(" ")).unwrap_or_default();
        let others = sides.iter().enumerate().filter(|(at, _)| at != place);
        let others: Vec<String> = others.map(|(_, side)| side.join(" ")).collect();
        format!("fault {fault} cut {own} off from {}", enumerate(&others))
    }
}
