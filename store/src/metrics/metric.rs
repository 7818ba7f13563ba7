//! One metric, read at one moment.
//!
//! Its full name is `name`, the word of its unit, and what its kind adds (`_total` of a counter,
//! `_bucket` and its siblings of a histogram), joined by underscores; so a name cannot lack its unit.
//! What `INFO` shows is made from the same readings.

use std::fmt;

use super::Spread;

/// One metric, read at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name, without unit and suffix.
    pub name: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// What it means, for who has never read this code.
    pub help: &'static str,
    /// What it reads.
    pub readings: Readings,
    /// How `INFO` shows it; empty where it does not.
    pub fields: Vec<Field>,
}

/// Names and values that tell the readings of one metric apart.
pub type Labels = Vec<(&'static str, String)>;

/// What a metric reads, and so of which kind it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Readings {
    /// Only grows, until the node is started again.
    Counter(Vec<(Labels, Number)>),
    /// Goes up and down.
    Gauge(Vec<(Labels, Number)>),
    /// How many took how long.
    Histogram(Vec<(Labels, Spread)>),
    /// Words about the node.
    Info(Labels),
}

/// What a metric is measured in: a base unit, as Prometheus asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things that are counted, named by the metric itself.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds, whatever their fraction.
    Seconds,
    /// So many of the one for each of the other.
    Ratio,
}

/// A reading: exact where it can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A count.
    Whole(u64),
    /// A measure.
    Real(f64),
}

/// A line of `INFO`: `name:text`, in a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it stands.
    pub section: Section,
    /// Before the colon.
    pub name: String,
    /// After it.
    pub text: String,
}

/// The sections of `INFO`, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// The process, and what it serves.
    Server,
    /// Who is connected.
    Clients,
    /// What the process takes.
    Memory,
    /// The engine.
    Persistence,
    /// What was done.
    Stats,
    /// The other nodes.
    Replication,
    /// Requests by keyspace.
    Requeststats,
    /// Errors by their first word.
    Errorstats,
    /// What is held.
    Keyspace,
}

impl Section {
    /// All of them, in order.
    pub const ALL: [Section; 9] = [
        Section::Server,
        Section::Clients,
        Section::Memory,
        Section::Persistence,
        Section::Stats,
        Section::Replication,
        Section::Requeststats,
        Section::Errorstats,
        Section::Keyspace,
    ];
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Metric {
    /// A count that only grows.
    pub fn counter(name: &'static str, help: &'static str) -> Metric {
        Metric::new(name, help, Readings::Counter(Vec::new()))
    }

    /// A reading that goes up and down.
    pub fn gauge(name: &'static str, help: &'static str) -> Metric {
        Metric::new(name, help, Readings::Gauge(Vec::new()))
    }

    /// How many took how long.
    pub fn histogram(name: &'static str, help: &'static str) -> Metric {
        Metric::new(name, help, Readings::Histogram(Vec::new())).unit(Unit::Seconds)
    }

    /// Words about the node, as labels of a constant.
    pub fn info(name: &'static str, help: &'static str, labels: Labels) -> Metric {
        Metric::new(name, help, Readings::Info(labels))
    }

    fn new(name: &'static str, help: &'static str, readings: Readings) -> Metric {
        Metric { name, unit: Unit::Count, help, readings, fields: Vec::new() }
    }

    /// The same, measured in `unit`.
    #[must_use]
    pub fn unit(self, unit: Unit) -> Metric {
        Metric { unit, ..self }
    }

    /// Reads `number`, of the whole node.
    #[must_use]
    pub fn reads(self, number: impl Into<Number>) -> Metric {
        self.reads_for(Vec::new(), number)
    }

    /// Reads `number` where `labels` say. *Requires* a counter or a gauge.
    #[must_use]
    pub fn reads_for(mut self, labels: Labels, number: impl Into<Number>) -> Metric {
        match &mut self.readings {
            Readings::Counter(all) | Readings::Gauge(all) => all.push((labels, number.into())),
            other => unreachable!("{} reads no numbers: {other:?}", self.name),
        }
        self
    }

    /// Reads `spread` where `labels` say. *Requires* a histogram.
    #[must_use]
    pub fn spreads_for(mut self, labels: Labels, spread: Spread) -> Metric {
        match &mut self.readings {
            Readings::Histogram(all) => all.push((labels, spread)),
            other => unreachable!("{} is no histogram: {other:?}", self.name),
        }
        self
    }

    /// Shown by `INFO` as the sum of what was read so far.
    #[must_use]
    pub fn shown(self, section: Section, name: &str) -> Metric {
        self.shown_as(section, name, |sum| sum.to_string())
    }

    /// Shown by `INFO` as `text` says of the sum of what was read so far.
    #[must_use]
    pub fn shown_as(
        mut self,
        section: Section,
        name: impl Into<String>,
        text: impl FnOnce(Number) -> String,
    ) -> Metric {
        let text = text(self.sum(|_| true));
        self.fields.push(Field { section, name: name.into(), text });
        self
    }

    /// The sum of what was read so far where `is_wanted`; zero of what has no numbers.
    pub fn sum(&self, is_wanted: impl Fn(&Labels) -> bool) -> Number {
        let (Readings::Counter(all) | Readings::Gauge(all)) = &self.readings else {
            return Number::Whole(0);
        };
        let wanted = all.iter().filter(|(labels, _)| is_wanted(labels));
        wanted.fold(Number::Whole(0), |sum, (_, number)| sum.plus(*number))
    }
}

impl Unit {
    /// The word at the end of the name.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Unit::Count => None,
            Unit::Bytes => Some("bytes"),
            Unit::Seconds => Some("seconds"),
            Unit::Ratio => Some("ratio"),
        }
    }
}

impl Number {
    fn plus(self, other: Number) -> Number {
        match (self, other) {
            (Number::Whole(one), Number::Whole(other)) => Number::Whole(one.wrapping_add(other)),
            _ => Number::Real(self.real() + other.real()),
        }
    }

    /// As a measure.
    pub fn real(self) -> f64 {
        match self {
            Number::Whole(count) => count as f64,
            Number::Real(measure) => measure,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Whole(count) => count.fmt(f),
            Number::Real(measure) => write!(f, "{measure:.2}"),
        }
    }
}

impl From<u64> for Number {
    fn from(count: u64) -> Number {
        Number::Whole(count)
    }
}

impl From<usize> for Number {
    fn from(count: usize) -> Number {
        Number::Whole(count as u64)
    }
}

impl From<f64> for Number {
    fn from(measure: f64) -> Number {
        Number::Real(measure)
    }
}

impl From<std::time::Duration> for Number {
    fn from(lasting: std::time::Duration) -> Number {
        Number::Real(lasting.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_info_is_the_sum_of_what_is_read() {
        let level = |level: u8| vec![("level", level.to_string())];
        let tables = Metric::gauge("tables", "Tables.")
            .reads_for(level(0), 3usize)
            .reads_for(level(1), 4usize)
            .shown(Section::Persistence, "tables");
        let texts: Vec<&str> = tables.fields.iter().map(|field| field.text.as_str()).collect();
        assert_eq!(texts, ["7"]);
        assert_eq!(tables.sum(|labels| labels[0].1 == "1"), Number::Whole(4));
    }

    #[test]
    fn whole_numbers_stay_exact_and_others_have_two_digits() {
        let exact = u64::MAX - 1;
        assert_eq!(Number::from(exact).to_string(), "18446744073709551614");
        assert_eq!(Number::from(1.0 / 3.0).to_string(), "0.33");
        assert_eq!(Number::from(1u64).plus(Number::from(0.5)), Number::Real(1.5));
    }
}
