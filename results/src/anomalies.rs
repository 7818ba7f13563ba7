//! Which anomalies a report shows in full, and how many of which names it only counts.
//!
//! A reader wants to know first in how many *ways* a run is broken, then how often: eight stale reads
//! in a row would hide the one lost write behind them. So one anomaly of each name comes first, in
//! the order of the findings (each worst or earliest first), then a second of each, and so on.
//!
//! Two checkers may find the same thing, a stale read of the same key. It is shown once, as the
//! first of them tells it, and every finder is named.

use std::collections::BTreeMap;

use checker::{Anomaly, Finding};

/// Anomalies that a page shows in full.
pub(crate) const ON_A_PAGE: usize = 8;

/// Anomalies that a terminal shows in full: they, and the verdict, fit a screen or two.
pub(crate) const ON_A_TERMINAL: usize = 3;

/// One anomaly, and who found it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found<'f> {
    /// The findings it stands in, each once; never empty.
    pub(crate) by: Vec<&'f Finding>,
    /// As the first of them tells it.
    pub(crate) anomaly: &'f Anomaly,
}

/// The anomalies of a run, parted into those shown and those counted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Selection<'f> {
    /// Those to show, in order.
    pub(crate) shown: Vec<Found<'f>>,
    /// How many more there are of each name, by first appearance.
    pub(crate) more: Vec<(&'f str, usize)>,
}

impl<'f> Selection<'f> {
    /// At most `most` of the anomalies in `findings`.
    pub(crate) fn of(findings: &'f [Finding], most: usize) -> Selection<'f> {
        let mut shown = in_turn(distinct(findings));
        let rest = shown.split_off(most.min(shown.len()));
        let mut more: Vec<(&str, usize)> = Vec::new();
        for Found { anomaly, .. } in rest {
            match more.iter_mut().find(|(name, _)| *name == anomaly.name) {
                Some((_, count)) => *count += 1,
                None => more.push((&anomaly.name, 1)),
            }
        }
        Selection { shown, more }
    }
}

/// How many names there are among the anomalies of `findings`.
pub(crate) fn names(findings: &[Finding]) -> usize {
    let mut names: Vec<&str> =
        findings.iter().flat_map(|of| &of.anomalies).map(|each| each.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// Each anomaly once.
fn distinct(findings: &[Finding]) -> Vec<Found<'_>> {
    let mut all: Vec<Found<'_>> = Vec::new();
    let mut places = BTreeMap::new();
    for finding in findings {
        for anomaly in &finding.anomalies {
            let place = *places.entry(identity(anomaly)).or_insert(all.len());
            match all.get_mut(place) {
                None => all.push(Found { by: vec![finding], anomaly }),
                Some(known) if known.by.iter().all(|by| !std::ptr::eq(*by, finding)) => {
                    known.by.push(finding);
                }
                Some(_) => {}
            }
        }
    }
    all
}

/// What makes two anomalies one: name and key, or where there is no key, what is said of them. Two
/// nodes that crashed are two crashes.
fn identity(anomaly: &Anomaly) -> (&str, Result<&str, &str>) {
    (&anomaly.name, anomaly.key.as_deref().ok_or(&anomaly.because))
}

/// The first of each name, then the second of each, and so on.
fn in_turn(all: Vec<Found<'_>>) -> Vec<Found<'_>> {
    let mut counts = BTreeMap::new();
    let mut turns: Vec<(usize, Found<'_>)> = Vec::new();
    for found in all {
        let turn = counts.entry(&found.anomaly.name).or_insert(0_usize);
        *turn += 1;
        turns.push((*turn, found));
    }
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, found)| found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use checker::Verdict;

    fn anomaly(name: &str, key: Option<&str>, because: &str) -> Anomaly {
        Anomaly {
            name: name.to_owned(),
            key: key.map(str::to_owned),
            witness: vec![],
            because: because.to_owned(),
        }
    }

    fn stale(key: &str) -> Anomaly {
        anomaly("stale read", Some(key), "")
    }

    fn finding(checker: &str, anomalies: Vec<Anomaly>) -> Finding {
        Finding {
            checker: checker.to_owned(),
            keyspace: None,
            verdict: Verdict::Invalid,
            summary: String::new(),
            anomalies,
        }
    }

    /// `name key: finders`, of each shown.
    fn told(selection: &Selection<'_>) -> Vec<String> {
        let told = |found: &Found<'_>| {
            let by: Vec<_> = found.by.iter().map(|finding| finding.checker.as_str()).collect();
            let key = found.anomaly.key.as_deref().unwrap_or("-");
            format!("{} {key}: {}", found.anomaly.name, by.join(" "))
        };
        selection.shown.iter().map(told).collect()
    }

    #[test]
    fn every_name_is_shown_before_any_is_shown_twice() {
        let findings = [
            finding("linearizability", ["a", "b", "c"].map(stale).to_vec()),
            finding("lost-writes", vec![anomaly("lost write", Some("b"), "")]),
        ];
        let selection = Selection::of(&findings, 3);
        assert_eq!(
            told(&selection),
            [
                "stale read a: linearizability",
                "lost write b: lost-writes",
                "stale read b: linearizability"
            ]
        );
        assert_eq!(selection.more, [("stale read", 1)]);
        assert_eq!(names(&findings), 2);
    }

    #[test]
    fn what_two_checkers_find_is_shown_once_and_names_both() {
        let mut findings = vec![
            finding("linearizability", ["a", "a", "b"].map(stale).to_vec()),
            finding("stale-reads", ["b", "c"].map(stale).to_vec()),
        ];
        findings[1].anomalies[0].because = "told in other words".to_owned();
        let selection = Selection::of(&findings, ON_A_PAGE);
        assert_eq!(
            told(&selection),
            [
                "stale read a: linearizability",
                "stale read b: linearizability stale-reads",
                "stale read c: stale-reads"
            ]
        );
        assert_eq!(selection.shown[1].anomaly.because, "");
        assert!(selection.more.is_empty());
    }

    #[test]
    fn two_crashes_are_two_even_without_a_key() {
        let crash = |node: &str| anomaly("node crash", None, node);
        let findings = [finding("crashes", vec![crash("n1"), crash("n2"), crash("n1")])];
        assert_eq!(Selection::of(&findings, ON_A_PAGE).shown.len(), 2);
    }

    #[test]
    fn what_is_not_shown_is_counted_by_name() {
        let mut anomalies: Vec<_> = (0..9).map(|key| stale(&key.to_string())).collect();
        anomalies.push(anomaly("aborted read", Some("1"), ""));
        anomalies
            .extend([anomaly("lost write", Some("1"), ""), anomaly("lost write", Some("2"), "")]);
        let findings = [finding("all", anomalies)];
        let selection = Selection::of(&findings, 2);
        assert_eq!(selection.more, [("lost write", 2), ("stale read", 8)]);
        assert_eq!(Selection::of(&findings, 99).shown.len(), 12);
        assert_eq!(Selection::of(&[], 3), Selection { shown: vec![], more: vec![] });
    }
}
