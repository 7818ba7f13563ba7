//! All outcomes, and the Markdown table of their medians.

use std::collections::BTreeMap;
use std::fmt;

use super::load::Load;
use super::outcome::Outcome;

/// The outcomes of all rounds at one size of values.
pub(crate) struct Tally {
    /// Columns; the others are compared to the first.
    engines: Vec<&'static str>,
    outcomes: BTreeMap<(Load, &'static str), Vec<Outcome>>,
}

/// What a row tells of a load.
#[derive(Clone, Copy, PartialEq)]
enum Measure {
    Rate,
    Duration,
    Settling,
    Written,
    Disk,
    Peak,
}

/// What is told of loads beside their speed.
const COSTS: &[(Load, Measure)] = &[
    (Load::SequentialFill, Measure::Written),
    (Load::RandomFill, Measure::Settling),
    (Load::RandomFill, Measure::Written),
    (Load::RandomFill, Measure::Disk),
    (Load::YcsbA, Measure::Written),
    (Load::RandomFill, Measure::Peak),
    (Load::HotRead, Measure::Peak),
    (Load::ColdRead, Measure::Peak),
    (Load::Scan, Measure::Peak),
    (Load::YcsbA, Measure::Peak),
];

impl Tally {
    pub(crate) fn new(engines: Vec<&'static str>) -> Tally {
        Tally { engines, outcomes: BTreeMap::new() }
    }

    pub(crate) fn engines(&self) -> &[&'static str] {
        &self.engines
    }

    pub(crate) fn add(&mut self, load: Load, engine: &'static str, outcome: Outcome) {
        self.outcomes.entry((load, engine)).or_default().push(outcome);
    }

    /// The rows of which there are outcomes, speeds first.
    fn rows(&self) -> Vec<(Load, Measure)> {
        let mut loads: Vec<Load> = self.outcomes.keys().map(|(load, _)| *load).collect();
        loads.dedup();
        let speed = |load| if load == Load::Reopen { Measure::Duration } else { Measure::Rate };
        let costs = COSTS.iter().copied().filter(|(load, _)| loads.contains(load));
        loads.iter().map(|&load| (load, speed(load))).chain(costs).collect()
    }

    fn median(&self, load: Load, measure: Measure, engine: &'static str) -> Option<f64> {
        let outcomes = self.outcomes.get(&(load, engine))?;
        median(outcomes.iter().map(|outcome| measure.of(outcome)).collect())
    }

    fn row(&self, load: Load, measure: Measure) -> String {
        let of = |&engine: &&'static str| self.median(load, measure, engine);
        let medians: Vec<Option<f64>> = self.engines.iter().map(of).collect();
        let ratio = |other: &Option<f64>| measure.ratio(medians[0]?, (*other)?);
        let cells = medians.iter().map(|median| median.map(|number| measure.show(number)));
        let ratios = medians[1..].iter().map(|other| ratio(other).map(significant));
        let cells: Vec<String> =
            cells.chain(ratios).map(|cell| cell.unwrap_or_else(|| "–".to_owned())).collect();
        format!("| {}{} | {} |", load.title(), measure.suffix(), cells.join(" | "))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.engines.first().copied().unwrap_or_default();
        let ratios = self.engines.iter().skip(1).map(|other| format!("{first} : {other}"));
        let names: Vec<String> =
            self.engines.iter().map(|&name| name.to_owned()).chain(ratios).collect();
        writeln!(f, "| load | {} |", names.join(" | "))?;
        writeln!(f, "|---|{}", "---:|".repeat(names.len()))?;
        self.rows()
            .iter()
            .try_for_each(|&(load, measure)| writeln!(f, "{}", self.row(load, measure)))
    }
}

impl Measure {
    fn of(self, outcome: &Outcome) -> f64 {
        match self {
            Measure::Rate => outcome.rate(),
            Measure::Duration => outcome.seconds * 1e3,
            Measure::Settling => outcome.settle_seconds,
            Measure::Written => outcome.written_bytes as f64 / 1e6,
            Measure::Disk => outcome.disk_bytes as f64 / 1e6,
            Measure::Peak => outcome.peak_bytes as f64 / f64::from(1 << 20),
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Measure::Rate => ", /s",
            Measure::Duration => ", ms",
            Measure::Settling => ": then settling, s",
            Measure::Written => ": written, MB",
            Measure::Disk => ": on disk, MB",
            Measure::Peak => ": peak memory, MiB",
        }
    }

    fn show(self, number: f64) -> String {
        match number {
            _ if self != Measure::Rate => significant(number),
            1e6.. => format!("{} M", significant(number / 1e6)),
            1e3.. => format!("{} k", significant(number / 1e3)),
            _ => significant(number),
        }
    }

    /// Above 1 where `first` is the better one; none where there is nothing to compare.
    fn ratio(self, first: f64, other: f64) -> Option<f64> {
        let ratio = if self == Measure::Rate { first / other } else { other / first };
        ratio.is_finite().then_some(ratio)
    }
}

/// Three digits that tell something, more before the point.
fn significant(number: f64) -> String {
    let decimals = match number {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{number:.decimals$}")
}

/// The middle one; of an even number, between the two.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = numbers.get(numbers.len() / 2)?;
    let lower = numbers[(numbers.len() - 1) / 2];
    Some(f64::midpoint(lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), Some(3.0));
    }

    #[test]
    fn a_table_compares_medians_to_the_first_engine() {
        let mut tally = Tally::new(vec!["ours", "other"]);
        for seconds in [0.5, 1.0, 80.0] {
            tally.add(Load::RandomFill, "ours", Outcome::example(400_000, seconds));
            tally.add(Load::RandomFill, "other", Outcome::example(400_000, seconds * 2.0));
        }
        tally.add(Load::Reopen, "ours", Outcome::example(1, 0.2));
        tally.add(Load::Reopen, "other", Outcome::example(1, 0.3));
        tally.add(Load::Scan, "ours", Outcome::example(5_555_555, 1.0));
        let table = "\
| load | ours | other | ours : other |
|---|---:|---:|---:|
| random fill, /s | 400 k | 200 k | 2.00 |
| full scan, /s | 5.56 M | – | – |
| reopen after a kill, ms | 200 | 300 | 1.50 |
| random fill: then settling, s | 0.25 | 0.25 | 1.00 |
| random fill: written, MB | 3.00 | 3.00 | 1.00 |
| random fill: on disk, MB | 1.50 | 1.50 | 1.00 |
| random fill: peak memory, MiB | 64.0 | 64.0 | 1.00 |
| full scan: peak memory, MiB | 64.0 | – | – |
";
        assert_eq!(tally.to_string(), table);
    }
}
