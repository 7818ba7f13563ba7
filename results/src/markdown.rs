//! The report for a job's summary page: the verdict first, the rest folded away.
//!
//! GitHub, GitLab and Forgejo render it alike. Whatever came from a run is escaped, so that a key
//! named `|` or `<script>` stays a key.

use std::fmt::Write as _;

use checker::{Anomaly, FaultWindow, Finding};

use crate::anomalies::{Found, ON_A_PAGE, Selection};
use crate::evidence::Evidence;
use crate::quantiles::Quantiles;
use crate::summary::Summary;
use crate::witness::Layout;
use crate::{quantity, wording};

const IN_MEMORY: &str = "writing to a string cannot fail";

/// `report.md`.
pub fn markdown(summary: &Summary, findings: &[Finding]) -> String {
    let mut text = String::new();
    let (run, word) = (&summary.run, wording::verdict(summary.verdict));
    let meaning = escape(&wording::meaning(summary.verdict, findings));
    writeln!(text, "## {}: {word}\n\n{meaning}\n", escape(&run.suite)).expect(IN_MEMORY);
    text.push_str(&head(summary));
    text.push_str("\n| verdict | checker | what was judged |\n|---|---|---|\n");
    for finding in findings {
        let checker = escape(&wording::checker(finding));
        let word = wording::verdict(finding.verdict);
        writeln!(text, "| **{word}** | {checker} | {} |", escape(&wording::summary(finding)))
            .expect(IN_MEMORY);
    }
    let Selection { shown, more } = Selection::of(findings, ON_A_PAGE);
    for found in &shown {
        text.push_str(&anomaly_section(found));
    }
    if !more.is_empty() {
        let more = escape(&wording::more_anomalies(&more, "findings.json"));
        writeln!(text, "\n{more}").expect(IN_MEMORY);
    }
    text.push_str(&folded("Faults", &faults(&summary.faults)));
    text.push_str(&folded("Latencies", &latencies(summary)));
    writeln!(text, "\nRepeat with\n\n{}", fenced(&run.repeat)).expect(IN_MEMORY);
    text
}

fn head(summary: &Summary) -> String {
    let run = &summary.run;
    let operations = quantity::counted(summary.operations.total(), "operation");
    let lines = [
        format!("seed {}", run.seed),
        format!("{} on {}", quantity::counted(run.nodes.len() as u64, "node"), run.tier),
        format!("{operations} in {}", quantity::duration(summary.duration_ms)),
        wording::counts(summary.operations),
        wording::faults(&summary.faults),
    ];
    lines.iter().fold(String::new(), |text, line| text + "- " + &escape(line) + "\n")
}

fn anomaly_section(found: &Found<'_>) -> String {
    let anomaly = found.anomaly;
    let (name, by) = (escape(&wording::anomaly(anomaly)), escape(&wording::checkers(&found.by)));
    let because = escape(&anomaly.because);
    format!("\n### {name}\n\nFound by {by}.\n\n{because}\n{}", witness_table(anomaly))
}

/// The witness, behind an empty line; nothing where there is no witness.
fn witness_table(anomaly: &Anomaly) -> String {
    if anomaly.witness.is_empty() {
        return String::new();
    }
    let layout = Layout::of(anomaly);
    let mut text = "\n".to_owned();
    text.push_str("| | process | node | operation | began, ms | ended, ms | real time |\n");
    text.push_str("|---|--:|---|---|--:|--:|---|\n");
    for row in &layout.rows {
        let cells = row.cells().map(|cell| escape(&cell)).join(" | ");
        // Spaces that stay: a bar that slides left would lie.
        let bar = row.bar(layout.ranks).replace(' ', "\u{2007}");
        writeln!(text, "| {cells} | `{bar}` |").expect(IN_MEMORY);
    }
    if layout.left_away > 0 {
        let more = quantity::counted(layout.left_away as u64, "operation");
        writeln!(text, "\n{more} more, in `findings.json`.").expect(IN_MEMORY);
    }
    text
}

fn faults(faults: &[FaultWindow]) -> String {
    let mut text = "| # | fault | nodes | begin | end | evidence | took effect |\n".to_owned();
    text.push_str("|--:|---|---|--:|--:|---|---|\n");
    for fault in faults {
        let moment = |at: Option<u64>| at.map_or_else(|| "–".to_owned(), quantity::seconds);
        let cells = [
            fault.fault.to_string(),
            escape(&format!("{}: {}", fault.kind, wording::description(fault))),
            escape(&fault.nodes.join(" ")),
            moment(fault.begin),
            moment(fault.end),
            evidence(fault),
            if fault.bit { "yes" } else { "**no**" }.to_owned(),
        ];
        writeln!(text, "| {} |", cells.join(" | ")).expect(IN_MEMORY);
    }
    text
}

/// The sum, and what it is made of in smaller letters below.
fn evidence(fault: &FaultWindow) -> String {
    let Evidence { head, parts } = Evidence::of(&fault.evidence);
    match parts.as_str() {
        "" => escape(&head),
        parts => format!("{}<br><sub>{}</sub>", escape(&head), escape(parts)),
    }
}

fn latencies(summary: &Summary) -> String {
    let mut text = "| operation | ok | info | fail | p50 | p90 | p99 | p99.9 | max |\n".to_owned();
    text.push_str("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for (workload, of_workload) in &summary.workloads {
        for (function, of_function) in &of_workload.functions {
            let counts = of_function.operations;
            let counts = [counts.ok, counts.info, counts.fail].map(quantity::count).join(" | ");
            let latency = quantile_cells(of_function.latency_us).join(" | ");
            let name = escape(&format!("{workload}.{function}"));
            writeln!(text, "| {name} | {counts} | {latency} |").expect(IN_MEMORY);
        }
    }
    text
}

/// The five quantiles in words, or five dashes.
pub(crate) fn quantile_cells(quantiles: Option<Quantiles>) -> [String; 5] {
    let Some(of) = quantiles else { return std::array::from_fn(|_| "–".to_owned()) };
    [of.p50, of.p90, of.p99, of.p999, of.max].map(quantity::microseconds)
}

fn folded(title: &str, body: &str) -> String {
    format!("\n<details><summary>{title}</summary>\n\n{body}\n</details>\n")
}

/// A block of code, in a fence longer than any in it.
fn fenced(code: &str) -> String {
    let longest = code.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}sh\n{code}\n{fence}")
}

/// `text` as one line that means only itself.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' | '#' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            control if control.is_control() => escaped.push(' '),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_a_key() {
        assert_eq!(escape("<script>|*a_b*\n`x`"), r"&lt;script&gt;\|\*a\_b\* \`x\`");
        assert_eq!(fenced("echo ```` x"), "`````sh\necho ```` x\n`````");
    }
}
