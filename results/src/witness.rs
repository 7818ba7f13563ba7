//! A witness laid out for reading: its operations in real-time order, their lanes and their places.
//!
//! What matters in a witness is which operation ended before which began, not how long each took.
//! So every event has a *rank*, its place among the events of the witness alone, and the pictures
//! are drawn by rank: times are written beside them.
//!
//! An explanation may give operations names, `Let W1 = process 2 writes 41 …`. They are read from
//! it, so that prose, table and picture speak of the same `W1`.

use checker::{Anomaly, Operation, Outcome};

use crate::{quantity, wording};

/// Operations of one witness that are shown; the rest is counted.
pub(crate) const SHOWN: usize = 24;

/// One operation of a witness.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row<'a> {
    /// What the explanation calls it, if anything.
    pub(crate) name: &'a str,
    /// The operation itself.
    pub(crate) operation: &'a Operation,
    /// Rank of its invocation.
    pub(crate) from: usize,
    /// Rank of its completion; none when it may still happen.
    pub(crate) to: Option<usize>,
}

/// A witness laid out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout<'a> {
    /// The operations shown, by invocation.
    pub(crate) rows: Vec<Row<'a>>,
    /// How many events have a rank.
    pub(crate) ranks: usize,
    /// How many operations are not shown.
    pub(crate) left_away: usize,
}

impl<'a> Layout<'a> {
    /// The witness of `anomaly`.
    pub(crate) fn of(anomaly: &'a Anomaly) -> Layout<'a> {
        let mut shown: Vec<&Operation> = anomaly.witness.iter().collect();
        shown.sort_by_key(|operation| operation.invoked);
        shown.truncate(SHOWN);
        let mut events: Vec<usize> = Vec::new();
        for operation in &shown {
            events.push(operation.invoked);
            events.extend(end(operation));
        }
        events.sort_unstable();
        events.dedup();
        let rank = |event: usize| events.partition_point(|earlier| *earlier < event);
        let mut names = names(&anomaly.because);
        let mut row = |operation: &'a Operation| Row {
            name: take_name(&mut names, operation.process),
            operation,
            from: rank(operation.invoked),
            to: end(operation).map(rank),
        };
        Layout {
            rows: shown.iter().map(|operation| row(operation)).collect(),
            ranks: events.len(),
            left_away: anomaly.witness.len() - shown.len(),
        }
    }

    /// When the first operation was invoked, in nanoseconds since the run began.
    pub(crate) fn origin(&self) -> u64 {
        self.rows.first().map_or(0, |row| row.operation.began)
    }
}

/// The names given in `because`, each with the process of its operation, by invocation.
fn names(because: &str) -> Vec<(&str, u32)> {
    let words: Vec<&str> = because.split_ascii_whitespace().collect();
    let given = words.windows(4).filter_map(|four| match four {
        [name, "=", "process", number] => Some((*name, number.parse().ok()?)),
        _ => None,
    });
    given.collect()
}

/// The first name left for an operation of `process`.
fn take_name<'a>(names: &mut Vec<(&'a str, u32)>, process: u32) -> &'a str {
    let at = names.iter().position(|(_, named)| *named == process);
    at.map_or("", |at| names.remove(at).0)
}

/// The line of the completion after which the operation can no longer take effect.
fn end(operation: &Operation) -> Option<usize> {
    match operation.outcome {
        Outcome::Info => None,
        Outcome::Ok(_) | Outcome::Fail => operation.completed,
    }
}

impl Row<'_> {
    /// The cells of its line in a table: name, process, node, operation, began and ended in
    /// milliseconds since the run did.
    pub(crate) fn cells(&self) -> [String; 6] {
        let operation = self.operation;
        [
            self.name.to_owned(),
            operation.process.to_string(),
            operation.node.clone().unwrap_or_default(),
            wording::operation(operation),
            quantity::milliseconds(operation.began),
            operation.ended.map_or_else(|| "–".to_owned(), quantity::milliseconds),
        ]
    }

    /// The operation as a bar among `ranks` places: `  ├──┤ `, and `├┄┄┄` when it may yet happen.
    pub(crate) fn bar(&self, ranks: usize) -> String {
        let last = self.to.unwrap_or(ranks);
        let letter = |at: usize| match (at, self.to) {
            (at, _) if at == self.from => '├',
            (at, Some(to)) if at == to => '┤',
            (at, _) if at < self.from || at > last => ' ',
            (_, Some(_)) => '─',
            (_, None) => '┄',
        };
        (0..=ranks).map(letter).collect::<String>().trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::{Function, Value};

    fn operation(invoked: usize, completed: Option<usize>, outcome: Outcome) -> Operation {
        Operation {
            process: 1,
            f: Function::Write,
            key: None,
            argument: Value::Int(1),
            outcome,
            invoked,
            completed,
            began: invoked as u64,
            ended: completed.map(|at| at as u64),
            node: None,
            version: None,
            error: None,
        }
    }

    fn anomaly(witness: Vec<Operation>) -> Anomaly {
        Anomaly { name: String::new(), key: None, witness, because: String::new() }
    }

    #[test]
    fn bars_show_which_ended_before_which_began() {
        let ok = || Outcome::Ok(Value::Nil);
        let anomaly = anomaly(vec![
            operation(900, Some(950), ok()),
            operation(10, Some(800), ok()),
            operation(20, Some(30), Outcome::Info),
            operation(40, Some(41), Outcome::Fail),
        ]);
        let layout = Layout::of(&anomaly);
        let bars: Vec<_> = layout.rows.iter().map(|row| row.bar(layout.ranks)).collect();
        assert_eq!(bars, ["├───┤", " ├┄┄┄┄┄┄", "  ├┤", "     ├┤"]);
    }

    #[test]
    fn operations_are_called_what_the_explanation_calls_them() {
        let mut anomaly = anomaly(vec![
            operation(1, Some(2), Outcome::Fail),
            operation(3, Some(4), Outcome::Fail),
            operation(5, Some(6), Outcome::Fail),
        ]);
        anomaly.witness[1].process = 9;
        anomaly.because = "Let W1 = process 1 writes 1, R1 = process 9 reads 1 and W2 = process 1 \
                           writes 2. Then W1 = W2."
            .to_owned();
        let called = |anomaly: &Anomaly| {
            Layout::of(anomaly).rows.iter().map(|row| row.name.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(called(&anomaly), ["W1", "R1", "W2"]);
        anomaly.because = "There is no order.".to_owned();
        assert_eq!(called(&anomaly), ["", "", ""]);
    }

    #[test]
    fn a_long_witness_is_cut_and_says_so() {
        let all = (0..40).map(|at| operation(2 * at, Some(2 * at + 1), Outcome::Fail)).collect();
        let anomaly = anomaly(all);
        let layout = Layout::of(&anomaly);
        assert_eq!((layout.rows.len(), layout.left_away), (SHOWN, 40 - SHOWN));
    }
}
