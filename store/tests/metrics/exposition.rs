//! A strict reader of OpenMetrics text: what it accepts, any collector does.
//!
//! Of each family `# HELP`, `# TYPE` and perhaps `# UNIT` come first, each once, then its samples and
//! nobody else's; sample names end as their kind demands; no series stands twice; buckets add up; the
//! last line is `# EOF`. Source: the OpenMetrics specification, version 1.0.0.

use std::collections::BTreeMap;

/// All that a node told.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    pub(crate) families: BTreeMap<String, Family>,
}

/// One metric, and what it reads.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) help: String,
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    /// By name and labels, as in the text.
    pub(crate) samples: BTreeMap<Series, f64>,
}

/// A sample's name, and its labels by name.
pub(crate) type Series = (String, BTreeMap<String, String>);

impl Exposition {
    /// What `text` says, or the first line that is wrong and why.
    pub(crate) fn parse(text: &str) -> Result<Exposition, String> {
        let lines = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
        let mut families = BTreeMap::<String, Family>::new();
        let mut current = String::new();
        for line in lines.split_terminator('\n') {
            let wrong = |why: &str| format!("{why}: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
                is_name(name).then_some(()).ok_or_else(|| wrong("no name"))?;
                let family = Family { help: help.to_owned(), ..Family::default() };
                if families.insert(name.to_owned(), family).is_some() {
                    return Err(wrong("a second family of this name"));
                }
                name.clone_into(&mut current);
                continue;
            }
            let family = families.get_mut(&current).ok_or_else(|| wrong("before any family"))?;
            family.take(&current, line).map_err(wrong)?;
        }
        families.values().try_for_each(Family::adds_up)?;
        Ok(Exposition { families })
    }

    /// What the one series of this name with these labels reads.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let series = (name.to_owned(), labels.collect());
        let found = self.families.values().find_map(|family| family.samples.get(&series));
        *found.unwrap_or_else(|| panic!("no {series:?} in {self:?}"))
    }

    /// The sum of all series of this name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let samples = self.families.values().flat_map(|family| &family.samples);
        let those: Vec<f64> =
            samples.filter(|((it, _), _)| it == name).map(|(_, value)| *value).collect();
        assert!(!those.is_empty(), "no {name} in {self:?}");
        those.iter().sum()
    }
}

impl Family {
    fn take(&mut self, name: &str, line: &str) -> Result<(), &'static str> {
        let of = |prefix: &str| line.strip_prefix(prefix)?.strip_prefix(name)?.strip_prefix(' ');
        if let Some(kind) = of("# TYPE ") {
            let is_first = self.kind.is_empty() && self.unit.is_none() && self.samples.is_empty();
            kind.clone_into(&mut self.kind);
            return is_first.then_some(()).ok_or("a type too late");
        }
        if let Some(unit) = of("# UNIT ") {
            let is_first = self.unit.replace(unit.to_owned()).is_none() && self.samples.is_empty();
            return (is_first && name.ends_with(&format!("_{unit}")))
                .then_some(())
                .ok_or("a unit too late, or not that of the name");
        }
        let (series, value) = sample(line)?;
        let suffix = series.0.strip_prefix(name).ok_or("a sample of another family")?;
        let fits = match self.kind.as_str() {
            "counter" => suffix == "_total",
            "gauge" => suffix.is_empty(),
            "info" => suffix == "_info" && value == "1",
            "histogram" => match suffix {
                "_bucket" => series.1.contains_key("le"),
                "_count" | "_sum" => true,
                _ => false,
            },
            _ => return Err("an unknown type"),
        };
        let value: f64 = value.parse().map_err(|_| "no number")?;
        if !fits || (self.kind != "gauge" && value < 0.0) {
            return Err("not as its type demands");
        }
        self.samples.insert(series, value).map_or(Ok(()), |_| Err("a series that stands twice"))
    }

    /// Buckets hold those below them, and the last holds all.
    fn adds_up(&self) -> Result<(), String> {
        if self.kind.is_empty() {
            return Err(format!("no type of what is: {}", self.help));
        }
        let mut by_labels = BTreeMap::<_, Vec<(f64, f64)>>::new();
        for ((name, labels), value) in &self.samples {
            let mut labels = labels.clone();
            let bound = match (name.ends_with("_bucket"), labels.remove("le")) {
                (true, Some(bound)) => bound.parse().map_err(|_| format!("no bound: {bound}"))?,
                _ if name.ends_with("_count") => f64::INFINITY,
                _ => continue,
            };
            by_labels.entry(labels).or_default().push((bound, *value));
        }
        for (labels, mut counts) in by_labels {
            counts.sort_by(|one, other| one.0.total_cmp(&other.0));
            let rises = counts.is_sorted_by(|one, other| one.1 <= other.1);
            let [.., (before, all), (last, count)] = counts[..] else {
                return Err(format!("no buckets for {labels:?}"));
            };
            if !rises || before.is_finite() || last.is_finite() || all.total_cmp(&count).is_ne() {
                return Err(format!("the buckets of {labels:?} do not add up: {counts:?}"));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(is_word) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// `name{label="value",…} number`, without a timestamp.
fn sample(line: &str) -> Result<(Series, &str), &'static str> {
    let end = line.find(['{', ' ']).ok_or("neither comment nor sample")?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").ok_or("no label")?;
            let (value, after) = quoted(after).ok_or("no end of a label's value")?;
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return Err("a label without a name, or twice");
            }
            rest = after.strip_prefix(',').filter(|more| !more.starts_with('}')).unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').ok_or("no value")?;
    let is_plain = is_name(name) && !value.is_empty() && !value.contains(' ');
    is_plain.then_some(((name.to_owned(), labels), value)).ok_or("no plain sample")
}

/// A value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

const SOUND: &str = "# HELP a_bytes A.\n# TYPE a_bytes gauge\n# UNIT a_bytes bytes\n\
                     a_bytes{x=\"1\",y=\"a\\\"b\"} 1.5\n# HELP b B.\n# TYPE b counter\nb_total 2\n\
                     # HELP c C.\n# TYPE c histogram\nc_sum 3\nc_count 2\n\
                     c_bucket{le=\"0.5\"} 1\nc_bucket{le=\"+Inf\"} 2\n# EOF\n";

#[test]
fn sound_text_is_read() {
    let read = Exposition::parse(SOUND).unwrap();
    assert!((read.value("a_bytes", &[("x", "1"), ("y", "a\"b")]) - 1.5).abs() < 1e-9);
    assert!((read.sum("c_bucket") - 3.0).abs() < 1e-9);
    assert_eq!(read.families["a_bytes"].unit.as_deref(), Some("bytes"));
}

#[test]
fn each_mistake_is_found() {
    for (right, wrong) in [
        ("# EOF\n", ""),
        ("# TYPE b counter\n", ""),
        ("# TYPE b counter", "# TYPE b sum"),
        ("b_total 2", "b 2"),
        ("b_total 2", "b_total -2"),
        ("b_total 2", "b_total two"),
        ("b_total 2", "b_total 2 1700000000"),
        ("b_total 2", "b_total 2\nb_total 2"),
        ("b_total 2", "a_bytes 2"),
        ("# HELP b B.", "# HELP a_bytes B."),
        ("# HELP b B.\n", ""),
        ("# UNIT a_bytes bytes", "# UNIT a_bytes seconds"),
        ("y=\"a\\\"b\"", "y=\"a\"b\""),
        ("y=\"a\\\"b\"", "x=\"2\""),
        ("x=\"1\",", "x=1,"),
        ("c_bucket{le=\"0.5\"} 1", "c_bucket{le=\"0.5\"} 3"),
        ("c_bucket{le=\"+Inf\"} 2\n", ""),
        ("c_count 2", "c_count 3"),
    ] {
        let text = SOUND.replacen(right, wrong, 1);
        assert_ne!(text, SOUND, "{right} is not there");
        assert!(Exposition::parse(&text).is_err(), "{wrong} instead of {right} passed");
    }
}
