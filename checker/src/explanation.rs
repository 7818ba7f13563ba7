//! From "there is no order" to the fewest operations that show it, by name.
//!
//! The search stops at a line past which no order comes, so what was invoked before it is at fault
//! already. Of that the fewest operations are kept that still have no order; these are few enough to
//! be recognised as an anomaly with a name. A witness without a name says how far the best order of
//! it comes.

use std::collections::BTreeMap;

use crate::cluster::Clusters;
use crate::contradiction::Contradiction;
use crate::event::Value;
use crate::finding::Anomaly;
use crate::model::{Call, Model, Register, Set};
use crate::operation::Operation;
use crate::prose::{Cast, enumerate};
use crate::search::{Budget, Found, Interval, Meter, Stuck, metered, search};
use crate::set_pattern;
use crate::shrink;
use crate::staleness::stale_reads;
use crate::tally::Judgement;

/// What is particular to a model when it comes to explaining.
pub(crate) trait Explained: Model {
    /// Decides without a search, where that is possible.
    fn shortcut(&self, operations: &[&Operation]) -> Option<Judgement>;
    /// The anomaly a minimal witness shows, if the field has a name for it.
    fn named(&self, witness: &[(&Operation, Option<Value>)]) -> Option<Anomaly>;
    /// What it is called.
    fn noun(&self) -> &'static str;
}

impl Explained for Register {
    fn shortcut(&self, operations: &[&Operation]) -> Option<Judgement> {
        let clusters = Clusters::of(operations)?;
        Some(match Contradiction::find(&clusters) {
            Some(contradiction) => Judgement::Broken(vec![contradiction.anomaly()]),
            None => Judgement::Kept,
        })
    }

    fn named(&self, witness: &[(&Operation, Option<Value>)]) -> Option<Anomaly> {
        let operations: Vec<&Operation> = witness.iter().map(|(operation, _)| *operation).collect();
        let Some(clusters) = Clusters::of(&operations) else {
            // Several writes of one value, such as deletes: at least a stale read has a name.
            return stale_reads(&operations).first().map(|stale| stale.anomaly(&operations));
        };
        Contradiction::find(&clusters).map(|contradiction| contradiction.anomaly())
    }

    fn noun(&self) -> &'static str {
        "register"
    }
}

impl Explained for Set {
    fn shortcut(&self, _: &[&Operation]) -> Option<Judgement> {
        None
    }

    fn named(&self, witness: &[(&Operation, Option<Value>)]) -> Option<Anomaly> {
        set_pattern::name(witness)
    }

    fn noun(&self) -> &'static str {
        "set"
    }
}

/// Cuts a history without an order to the fewest operations that have none, and explains them.
pub(crate) fn explain<M: Explained>(
    model: &M,
    operations: &[&Operation],
    intervals: &[Interval],
    stuck: &Stuck<M::State>,
    budget: &Budget,
) -> Anomaly {
    let in_time = |interval: &Interval| interval.returned.is_some_and(|line| line <= stuck.line);
    let guilty = |interval: &&Interval| {
        interval.invoked < stuck.line && (in_time(interval) || !interval.call.is_read())
    };
    let prefix: Vec<Interval> = intervals.iter().filter(guilty).cloned().collect();
    // One budget for all the searches of one explanation: past it, the witness is just less small.
    let mut meter = Meter::default();
    let writers = Writers::of(&prefix);
    let witness = shrink::minimal(&prefix, |part| {
        let part = writers.sourced(model, part);
        match metered(model, &part, budget, &mut meter) {
            Found::None(_) => Some(true),
            Found::Order => Some(false),
            Found::Spent(_) => None,
        }
    });
    let minimal = !meter.is_spent(budget);
    let witness = writers.sourced(model, &witness);
    let stuck = match search(model, &witness, budget) {
        Found::None(stuck) => stuck,
        Found::Order | Found::Spent(_) => stuck.clone(),
    };
    let found = |interval: &Interval| {
        operations.iter().find(|operation| operation.invoked == interval.invoked)
    };
    let members: Vec<(&Operation, Option<Value>)> = witness
        .iter()
        .filter_map(|interval| Some((*found(interval)?, interval.call.reply().cloned())))
        .collect();
    model.named(&members).unwrap_or_else(|| unnamed(model, &members, &stuck, minimal))
}

/// When the updates of each value were invoked, ascending.
struct Writers(BTreeMap<Option<i64>, Vec<usize>>);

impl Writers {
    /// Requires that `intervals` ascend by invocation.
    fn of(intervals: &[Interval]) -> Writers {
        let mut lines = BTreeMap::<Option<i64>, Vec<usize>>::new();
        for interval in intervals {
            if let Some(value) = interval.call.written() {
                lines.entry(value.number()).or_default().push(interval.invoked);
            }
        }
        Writers(lines)
    }

    /// How many updates of `value` were invoked before `line`.
    fn before(&self, value: Option<i64>, line: usize) -> usize {
        self.0.get(&value).map_or(0, |lines| lines.partition_point(|invoked| *invoked < line))
    }

    /// `part` without the values that it shows but of which it leaves out an update that may be what
    /// is shown: neither their other updates stay nor any trace of them in a reply. Otherwise every
    /// witness would shrink to one read that lost its write. Law: if the result has no order, the
    /// whole has none, for taking a value out of an order of the whole leaves an order.
    fn sourced<M: Model>(&self, model: &M, part: &[Interval]) -> Vec<Interval> {
        let kept = Writers::of(part);
        let mut shown = BTreeMap::<Option<i64>, usize>::new();
        for (reply, line) in part.iter().filter_map(|i| Some((i.call.reply()?, i.returned?))) {
            for value in model.shown(reply) {
                let last = shown.entry(value.number()).or_default();
                *last = line.max(*last);
            }
        }
        shown.retain(|value, line| kept.before(*value, *line) != self.before(*value, *line));
        let gone = |value: &Value| shown.contains_key(&value.number());
        let rest = |interval: &Interval| match interval.call.reply() {
            Some(reply) => {
                let call = Call::Read(model.without(reply, &gone)?);
                Some(Interval { call, ..interval.clone() })
            }
            None => (!gone(&interval.call.written()?)).then(|| interval.clone()),
        };
        part.iter().filter_map(rest).collect()
    }
}

/// The explanation of last resort: no order works, and this is how far the best one comes.
fn unnamed<M: Explained>(
    model: &M,
    members: &[(&Operation, Option<Value>)],
    stuck: &Stuck<M::State>,
    minimal: bool,
) -> Anomaly {
    let cast = Cast::new(members.iter().map(|(operation, _)| *operation));
    let labels: Vec<String> =
        members.iter().map(|(operation, _)| cast.label(operation).to_owned()).collect();
    let last = members.iter().find(|(operation, _)| operation.completed == Some(stuck.line));
    let stop = last.map(|(operation, _)| {
        format!(
            " The best of them ends in a {} that holds {}, from which {} cannot follow in time.",
            model.noun(),
            stuck.state,
            cast.label(operation)
        )
    });
    Anomaly {
        name: "not linearizable".to_owned(),
        key: members.first().and_then(|(operation, _)| operation.key.clone()),
        witness: cast.witness(),
        because: format!(
            "{} Every order of {} was tried in which an operation that had ended before another \
             began comes first: in each, some read does not return what the {} then holds.{}{}",
            cast.introduction(),
            enumerate(&labels),
            model.noun(),
            stop.unwrap_or_default(),
            if minimal { " Leave out any one of them, and an order exists." } else { "" },
        ),
    }
}
