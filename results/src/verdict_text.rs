//! The verdict as the terminal shows it: in words, with each witness small enough to read.
//!
//! ```text
//! Invalid. A promise was broken, and a witness shows it.
//!
//!   stale-reads · seed 7 · namespaces (root) · 3 nodes
//!   9.2 s · 8 120 operations: 8 003 ok, 90 info, 27 fail · 3 faults, 3 with evidence
//!
//!   Invalid  linearizability (register)  1 of 12 keys …
//!
//! stale read of register:7, by linearizability
//!
//!       process  node  operation      began, ms  ended, ms  real time
//!   W1  3        n1    write 42 → ok  5703.000   5704.203   ├┤
//!   R1  5        n2    read → 41      5705.400   5706.120     ├┤
//! ```

use std::fmt::Write as _;
use std::path::Path;

use checker::{Anomaly, Finding, Verdict};

use crate::anomalies::{Found, ON_A_TERMINAL, Selection};
use crate::plain::{Paint, table, tame, wrap};
use crate::summary::Summary;
use crate::witness::Layout;
use crate::{quantity, wording};

const IN_MEMORY: &str = "writing to a string cannot fail";

/// The verdict in words; `report` is the path to point at.
pub fn verdict_text(
    summary: &Summary,
    findings: &[Finding],
    report: &Path,
    paint: Paint,
) -> String {
    let mut text = headline(summary.verdict, findings, paint);
    text.push_str(&numbers(summary));
    text.push('\n');
    text.push_str(&in_full(findings, "findings.json", paint));
    let (report, repeat) = (tame(&report.display().to_string()), tame(&summary.run.repeat));
    writeln!(text, "\nReport  {report}\nRepeat  {repeat}").expect(IN_MEMORY);
    text
}

/// Findings in words, for a history that comes without a run.
pub fn findings_text(findings: &[Finding], paint: Paint) -> String {
    let verdict = Verdict::worst(findings.iter().map(|finding| finding.verdict));
    headline(verdict, findings, paint) + &in_full(findings, "the findings as JSON", paint)
}

fn headline(verdict: Verdict, findings: &[Finding], paint: Paint) -> String {
    let word = format!("{}.", wording::verdict(verdict));
    let meaning = tame(&wording::meaning(verdict, findings));
    let line = wrap("", &format!("{word} {meaning}"));
    line.replacen(&word, &paint.verdict(verdict, &word), 1) + "\n"
}

/// A line for each finding, then the anomalies that fit; the rest is to be found in `place`.
fn in_full(findings: &[Finding], place: &str, paint: Paint) -> String {
    let mut text = one_line_each(findings, paint);
    let Selection { shown, more } = Selection::of(findings, ON_A_TERMINAL);
    for found in &shown {
        text.push('\n');
        text.push_str(&anomaly_text(found, place, paint));
    }
    if !more.is_empty() {
        text.push('\n');
        text.push_str(&wrap("", &tame(&wording::more_anomalies(&more, place))));
    }
    text
}

fn numbers(summary: &Summary) -> String {
    let run = &summary.run;
    let nodes = quantity::counted(run.nodes.len() as u64, "node");
    let head = format!("{} · seed {} · {} · {nodes}", run.suite, run.seed, run.tier);
    let operations = quantity::counted(summary.operations.total(), "operation");
    let body = format!(
        "{} · {operations}: {} · {}",
        quantity::duration(summary.duration_ms),
        wording::counts(summary.operations),
        wording::faults(&summary.faults),
    );
    wrap("  ", &tame(&head)) + &wrap("  ", &body)
}

fn one_line_each(findings: &[Finding], paint: Paint) -> String {
    let names: Vec<_> = findings.iter().map(|finding| tame(&wording::checker(finding))).collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (finding, name) in findings.iter().zip(&names) {
        let verdict = format!("{:7}", wording::verdict(finding.verdict));
        let line =
            wrap(&format!("  {verdict}  {name:widest$}  "), &tame(&wording::summary(finding)));
        text.push_str(&line.replacen(&verdict, &paint.verdict(finding.verdict, &verdict), 1));
    }
    text
}

fn anomaly_text(found: &Found<'_>, place: &str, paint: Paint) -> String {
    let anomaly = found.anomaly;
    let name = paint.bold(&tame(&wording::anomaly(anomaly)));
    let by = paint.dim(&format!("by {}", tame(&wording::checkers(&found.by))));
    let because = wrap("  ", &tame(&anomaly.because));
    format!("{name}, {by}\n\n{}{because}", witness_text(anomaly, place))
}

/// The witness as a table and an empty line behind it; nothing where there is no witness.
fn witness_text(anomaly: &Anomaly, place: &str) -> String {
    if anomaly.witness.is_empty() {
        return String::new();
    }
    let layout = Layout::of(anomaly);
    let heads = ["", "process", "node", "operation", "began, ms", "ended, ms", "real time"];
    let mut rows = vec![heads.map(str::to_owned)];
    for row in &layout.rows {
        let [name, process, node, operation, began, ended] = row.cells().map(|cell| tame(&cell));
        rows.push([name, process, node, operation, began, ended, row.bar(layout.ranks)]);
    }
    let mut text = table("  ", &rows);
    if layout.left_away > 0 {
        let more = quantity::counted(layout.left_away as u64, "operation");
        writeln!(text, "  … and {more} more, in {place}").expect(IN_MEMORY);
    }
    text.push('\n');
    text
}
