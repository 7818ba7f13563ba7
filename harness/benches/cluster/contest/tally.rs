//! All figures, and the Markdown tables of their medians.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::figures::Figures;
use super::system::System;

/// The figures of all rounds, by row and system.
pub(crate) struct Tally<Row> {
    systems: Vec<System>,
    /// What each is called in these tables.
    name: fn(System) -> String,
    figures: BTreeMap<(Row, System), Vec<Figures>>,
}

/// A column in microseconds.
type Column = (&'static str, fn(&Figures) -> Option<f64>);

const COLUMNS: [Column; 5] = [
    ("p50", |figures| Some(figures.p50)),
    ("p99", |figures| Some(figures.p99)),
    ("p99.9", |figures| figures.p999),
    ("CPU, servers", |figures| figures.server_micros),
    ("CPU, clients", |figures| figures.client_micros),
];

impl<Row: Copy + Ord + Display> Tally<Row> {
    pub(crate) fn new(systems: Vec<System>, name: fn(System) -> String) -> Tally<Row> {
        Tally { systems, name, figures: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, row: Row, system: System, figures: Figures) {
        self.figures.entry((row, system)).or_default().push(figures);
    }

    /// Rates, and their ratios: a row for each load and policy of ours.
    pub(crate) fn rates(&self) -> String {
        let (ours, peers): (Vec<System>, Vec<System>) =
            self.systems.iter().partition(|system| system.policy().is_some());
        let names = peers.iter().map(|&peer| format!("{}, /s", (self.name)(peer)));
        let ratios = peers.iter().map(|&peer| format!("ours : {}", (self.name)(peer)));
        let heads = ["ours, /s".to_owned()].into_iter().chain(names).chain(ratios);
        let mut table = table_head(&["load", "system"], heads.collect());
        for row in self.rows() {
            for &system in &ours {
                table.push_str(&self.rate_row(row, system, &peers));
            }
            if ours.is_empty() {
                table.push_str(&line(row, "–", &self.compared(row, None, &peers)));
            }
        }
        table
    }

    /// Latencies and processor time: a row for each load and system.
    pub(crate) fn latencies(&self) -> String {
        let columns = self.columns();
        let heads = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut table = table_head(&["load", "system"], heads);
        for row in self.rows() {
            for &system in &self.systems {
                let Some(median) = self.median(row, system) else { continue };
                let cell = |(_, of): &Column| shown(of(&median), significant);
                let cells: Vec<String> = columns.iter().map(cell).collect();
                table.push_str(&line(row, &(self.name)(system), &cells));
            }
        }
        table
    }

    /// Of the columns that were measured at all.
    fn columns(&self) -> Vec<Column> {
        let measured =
            |(_, of): &Column| self.figures.values().flatten().any(|it| of(it).is_some());
        COLUMNS.into_iter().filter(measured).collect()
    }

    /// Those of which there are figures, in order.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.figures.keys().map(|(row, _)| *row).collect();
        rows.dedup();
        rows
    }

    fn median(&self, row: Row, system: System) -> Option<Figures> {
        Figures::median(self.figures.get(&(row, system))?)
    }

    fn rate_row(&self, row: Row, system: System, peers: &[System]) -> String {
        let ours = self.median(row, system).map(|figures| figures.rate);
        line(row, &(self.name)(system), &self.compared(row, ours, peers))
    }

    /// Our rate, theirs, and the ratios.
    fn compared(&self, row: Row, ours: Option<f64>, peers: &[System]) -> Vec<String> {
        let theirs: Vec<Option<f64>> =
            peers.iter().map(|&peer| Some(self.median(row, peer)?.rate)).collect();
        let ratio = |theirs: &Option<f64>| Some(ours? / (*theirs)?);
        let ratios = theirs.iter().map(ratio).map(|ratio| shown(ratio, significant));
        let rates = [ours].into_iter().chain(theirs.iter().copied());
        rates.map(|rate| shown(rate, thousands)).chain(ratios).collect()
    }
}

/// The first two lines.
fn table_head(left: &[&str], right: Vec<String>) -> String {
    let columns = right.len();
    let names: Vec<String> = left.iter().map(|&name| name.to_owned()).chain(right).collect();
    let rule = format!("|{}{}", "---|".repeat(left.len()), "---:|".repeat(columns));
    format!("| {} |\n{rule}\n", names.join(" | "))
}

fn line(row: impl Display, system: &str, cells: &[String]) -> String {
    format!("| {row} | {system} | {} |\n", cells.join(" | "))
}

fn shown(number: Option<f64>, show: fn(f64) -> String) -> String {
    number.filter(|number| number.is_finite()).map_or_else(|| "–".to_owned(), show)
}

fn thousands(rate: f64) -> String {
    match rate {
        1e6.. => format!("{} M", significant(rate / 1e6)),
        1e3.. => format!("{} k", significant(rate / 1e3)),
        _ => significant(rate),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(systems: &[System]) -> Tally<&'static str> {
        Tally::new(systems.to_vec(), |system| system.to_string())
    }

    #[test]
    fn each_policy_of_ours_is_compared_to_each_peer_by_medians() {
        let systems = [System::OursRegister, System::OursLww, System::Etcd, System::Redis];
        let mut tally = tally(&systems);
        for drift in [1.0, 2.0, 90.0] {
            tally.add("get", System::OursRegister, Figures::example(10_000.0 * drift));
            tally.add("get", System::OursLww, Figures::example(15_000.0 * drift));
            tally.add("get", System::Etcd, Figures::example(400.0 * drift));
            tally.add("get", System::Redis, Figures::example(40_000.0 * drift));
        }
        let table = "\
| load | system | ours, /s | etcd, /s | redis, /s | ours : etcd | ours : redis |
|---|---|---:|---:|---:|---:|---:|
| get | ours, register | 20.0 k | 800 | 80.0 k | 25.0 | 0.25 |
| get | ours, lww | 30.0 k | 800 | 80.0 k | 37.5 | 0.38 |
";
        assert_eq!(tally.rates(), table);
    }

    #[test]
    fn who_is_absent_leaves_no_column_and_what_was_not_measured_a_dash() {
        let mut tally = tally(&[System::OursLww, System::Redis]);
        tally.add("set", System::OursLww, Figures::example(2e6));
        let unseen = Figures { p999: None, server_micros: None, ..Figures::example(1000.0) };
        tally.add("get", System::Redis, unseen);
        let rates = "\
| load | system | ours, /s | redis, /s | ours : redis |
|---|---|---:|---:|---:|
| get | ours, lww | – | 1.00 k | – |
| set | ours, lww | 2.00 M | – | – |
";
        assert_eq!(tally.rates(), rates);
        let latencies = "\
| load | system | p50 | p99 | p99.9 | CPU, servers | CPU, clients |
|---|---|---:|---:|---:|---:|---:|
| get | redis | 1000 | 2000 | – | – | 250 |
| set | ours, lww | 0.50 | 1.00 | 5.00 | 0.25 | 0.12 |
";
        assert_eq!(tally.latencies(), latencies);
    }

    #[test]
    fn what_nobody_measured_has_no_column() {
        let mut tally = tally(&[System::Redis]);
        let unseen = Figures { p999: None, client_micros: None, ..Figures::example(1000.0) };
        tally.add("get", System::Redis, unseen);
        let head = "| load | system | p50 | p99 | CPU, servers |\n";
        assert!(tally.latencies().starts_with(head), "{}", tally.latencies());
    }

    #[test]
    fn without_ours_the_rates_of_peers_are_still_told() {
        let mut tally = tally(&[System::Etcd]);
        tally.add("set", System::Etcd, Figures::example(500.0));
        let table = "\
| load | system | ours, /s | etcd, /s | ours : etcd |
|---|---|---:|---:|---:|
| set | – | – | 500 | – |
";
        assert_eq!(tally.rates(), table);
    }
}
