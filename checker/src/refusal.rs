//! Three ways in which a side of a cut breaks what it owes: it answers where it must refuse, what it
//! refused is seen, it refuses where it must answer.
//!
//! One answer is enough for the first, and one read for the second. The third is a matter of measure:
//! on a busy machine a timeout now and then is no sign of a choice, but a refusal is a choice made
//! every time. So a side does not answer when it acknowledged fewer than nine of ten operations, or
//! fewer than half of the reads, or of the updates, of one key.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::Value;
use crate::finding::Anomaly;
use crate::operation::{Operation, Outcome};
use crate::prose::{Cast, count};
use crate::sides::{ASKED_MIN, Duty, Sides};
use crate::source::Sources;

/// Of ten operations on a side that answers, at least so many are acknowledged.
const ANSWERED_OF_TEN: usize = 9;

/// The first answer on a side that could not reach a majority.
pub(crate) fn answered_without_majority(sides: &Sides<'_>) -> Option<Anomaly> {
    let answers = sides.with(Duty::Refuse).flat_map(|(side, asked)| {
        let answered = asked.iter().filter(|operation| operation.is_ok());
        answered.map(move |operation| (side, asked, *operation))
    });
    let (side, asked, first) = answers.min_by_key(|(_, _, operation)| operation.completed)?;
    let cast = Cast::new([first]);
    let because = format!(
        "{} Then {} was answered by {} while {}, and no majority of the replicas of its key stands \
         there. However where none can be reached nothing may be answered; {} of {} that were asked \
         there were: a contradiction.",
        cast.introduction(),
        cast.label(first),
        first.node.as_deref().unwrap_or("a node"),
        sides.told(side),
        answered(asked),
        count(asked.len(), "operation"),
    );
    let name = "answer without a majority".to_owned();
    Some(Anomaly { name, key: first.key.clone(), witness: cast.witness(), because })
}

/// The first read of a key that shows what a side without a majority had refused for certain.
pub(crate) fn refused_and_seen(operations: &[&Operation], sides: &Sides<'_>) -> Option<Anomaly> {
    let key = operations.first()?.key.as_ref();
    let refused = sides.with(Duty::Refuse).flat_map(|(_, asked)| asked).filter(|operation| {
        operation.key.as_ref() == key && operation.is_update() && operation.outcome == Outcome::Fail
    });
    let refused: BTreeSet<i64> = refused.filter_map(|update| update.argument.number()).collect();
    let shows = |read: &&&Operation| match read.reply() {
        Some(Value::Int(value)) => refused.contains(value),
        Some(Value::Set(elements)) => elements.iter().any(|element| refused.contains(element)),
        _ => false,
    };
    let reads = operations.iter().filter(|operation| !operation.is_update()).filter(shows);
    Sources::of(operations).first_fault(reads)
}

/// The first side that owed answers and did not give them: to what was asked of one key, or at all.
pub(crate) fn unanswered(sides: &Sides<'_>) -> Option<Anomaly> {
    let refused = sides.with(Duty::Answer).find_map(|(side, asked)| {
        let silence = refused_alike(asked).or_else(|| is_silent(asked).then(|| asked.to_vec()));
        silence.map(|refused| (side, refused))
    });
    let (side, refused) = refused?;
    let open = refused.iter().filter(|operation| !operation.is_ok());
    let first = *open.min_by_key(|operation| operation.completed)?;
    let cast = Cast::new([first]);
    let because = format!(
        "{} Then {} was asked of {} while {}, and got no answer ({}). However on that side an answer \
         is owed: of {} like it asked there {} were answered.",
        cast.introduction(),
        cast.label(first),
        first.node.as_deref().unwrap_or("a node"),
        sides.told(side),
        first.error.as_deref().unwrap_or("no reason was given"),
        count(refused.len(), "operation"),
        answered(&refused),
    );
    let name = "no answer where one is owed".to_owned();
    Some(Anomaly { name, key: first.key.clone(), witness: cast.witness(), because })
}

/// Whether a side answered less than nine of ten.
fn is_silent(asked: &[&Operation]) -> bool {
    asked.len() >= 2 * ASKED_MIN && answered(asked) * 10 < asked.len() * ANSWERED_OF_TEN
}

/// All reads, or all updates, of the first key of which most were refused.
fn refused_alike<'h>(asked: &[&'h Operation]) -> Option<Vec<&'h Operation>> {
    let mut alike = BTreeMap::<(Option<&str>, bool), Vec<&Operation>>::new();
    for operation in asked {
        let kind = (operation.key.as_deref(), operation.is_update());
        alike.entry(kind).or_default().push(operation);
    }
    let refused =
        |asked: &Vec<&Operation>| asked.len() >= ASKED_MIN && answered(asked) * 2 < asked.len();
    alike.into_values().find(refused)
}

fn answered(asked: &[&Operation]) -> usize {
    asked.iter().filter(|operation| operation.is_ok()).count()
}
