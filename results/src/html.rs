//! The page `report.html`: one file, no script, nothing fetched.
//!
//! The template under `templates/` is compiled into the program and escapes whatever it is given;
//! this file only puts words to the numbers. The charts are SVG already, escaped where they are
//! drawn (`chart::svg`), and the one thing let through as it is.

use std::collections::BTreeMap;

use askama::Template;
use checker::{FaultWindow, Finding, History, Outcome, Verdict};

use crate::anomalies::{Found, ON_A_PAGE, Selection};
use crate::chart::{self, Run, kind_class};
use crate::evidence::Evidence;
use crate::markdown::quantile_cells;
use crate::series::Series;
use crate::summary::Summary;
use crate::windows::Phase;
use crate::witness::{Layout, Row};
use crate::{quantity, windows, wording};

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    suite: String,
    seed: u64,
    repeat: String,
    verdict: Word,
    meaning: String,
    facts: Vec<(&'static str, String)>,
    configuration: BTreeMap<String, String>,
    findings: Vec<FindingView>,
    anomalies: Vec<AnomalyView>,
    more_anomalies: String,
    kinds: Vec<(&'static str, String)>,
    faults: Vec<FaultView>,
    toothless: bool,
    fault_timeline: String,
    bucket: String,
    throughput: String,
    latency: String,
    functions: Vec<FunctionView>,
    phases: Vec<PhaseView>,
}

/// A verdict and the class that colours it.
struct Word {
    word: &'static str,
    class: &'static str,
}

struct FindingView {
    verdict: Word,
    checker: String,
    summary: String,
}

struct AnomalyView {
    title: String,
    checker: String,
    because: String,
    diagram: String,
    may: bool,
    never: bool,
    rows: Vec<[String; 6]>,
    left_away: String,
}

struct FaultView {
    number: u64,
    kind: String,
    class: &'static str,
    description: String,
    nodes: String,
    begin: String,
    end: String,
    evidence: Evidence,
    bit: bool,
}

struct FunctionView {
    name: String,
    counts: [String; 3],
    quantiles: [String; 5],
}

struct PhaseView {
    name: String,
    span: String,
    counts: [String; 3],
    rate: String,
}

/// The page of a run.
pub(crate) fn html(
    summary: &Summary,
    history: &History,
    findings: &[Finding],
) -> askama::Result<String> {
    let phases = windows::phases(history);
    let run = Run { last: windows::last_moment(history), faults: &summary.faults, phases: &phases };
    let series = Series::of(history);
    let Selection { shown, more } = Selection::of(findings, ON_A_PAGE);
    let page = Page {
        suite: summary.run.suite.clone(),
        seed: summary.run.seed,
        repeat: summary.run.repeat.clone(),
        verdict: word(summary.verdict),
        meaning: wording::meaning(summary.verdict, findings),
        facts: facts(summary),
        configuration: summary.run.configuration.clone(),
        toothless: summary.faults.iter().any(|fault| !fault.bit),
        findings: findings.iter().map(finding_view).collect(),
        anomalies: shown.iter().map(|found| anomaly_view(found, run)).collect(),
        more_anomalies: wording::more_anomalies(&more, "findings.json"),
        kinds: kinds(&summary.faults),
        faults: summary.faults.iter().map(fault_view).collect(),
        fault_timeline: chart::fault_timeline(&summary.run.nodes, run),
        bucket: series.width_in_words(),
        throughput: chart::throughput_over_time(&series, run),
        latency: chart::latency_over_time(&series, run),
        functions: functions(summary),
        phases: phase_views(summary, &phases),
    };
    page.render()
}

fn word(verdict: Verdict) -> Word {
    let class = match verdict {
        Verdict::Valid => "valid",
        Verdict::Unknown => "unknown",
        Verdict::Invalid => "invalid",
    };
    Word { word: wording::verdict(verdict), class }
}

/// What the head of the page says of the run.
fn facts(summary: &Summary) -> Vec<(&'static str, String)> {
    let run = &summary.run;
    vec![
        ("Seed", run.seed.to_string()),
        ("Network", run.tier.clone()),
        ("Nodes", run.nodes.join(" ")),
        ("Faults", wording::faults(&summary.faults)),
        ("Operations", quantity::count(summary.operations.total())),
        ("Throughput", format!("{} ok/s", quantity::rate(summary.ok_per_second))),
        ("Duration", quantity::duration(summary.duration_ms)),
        ("Started", run.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
    ]
}

fn finding_view(finding: &Finding) -> FindingView {
    FindingView {
        verdict: word(finding.verdict),
        checker: wording::checker(finding),
        summary: wording::summary(finding),
    }
}

fn anomaly_view(found: &Found<'_>, run: Run<'_>) -> AnomalyView {
    let anomaly = found.anomaly;
    let layout = Layout::of(anomaly);
    let left_away = match layout.left_away {
        0 => String::new(),
        more => format!("{} more, in findings.json.", quantity::counted(more as u64, "operation")),
    };
    AnomalyView {
        title: wording::anomaly(anomaly),
        checker: wording::checkers(&found.by),
        because: anomaly.because.clone(),
        may: layout.rows.iter().any(|row| row.operation.outcome == Outcome::Info),
        never: layout.rows.iter().any(|row| row.operation.outcome == Outcome::Fail),
        diagram: chart::interval_diagram(&layout, run),
        rows: layout.rows.iter().map(Row::cells).collect(),
        left_away,
    }
}

/// The kinds of faults there were, each with the class that colours it.
fn kinds(faults: &[FaultWindow]) -> Vec<(&'static str, String)> {
    let mut kinds: Vec<_> =
        faults.iter().map(|fault| (kind_class(&fault.kind), fault.kind.clone())).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

fn fault_view(fault: &FaultWindow) -> FaultView {
    let moment = |at: Option<u64>| at.map_or_else(|| "–".to_owned(), quantity::seconds);
    FaultView {
        number: fault.fault,
        kind: fault.kind.clone(),
        class: kind_class(&fault.kind),
        description: wording::description(fault),
        nodes: fault.nodes.join(" "),
        begin: moment(fault.begin),
        end: moment(fault.end),
        evidence: Evidence::of(&fault.evidence),
        bit: fault.bit,
    }
}

fn functions(summary: &Summary) -> Vec<FunctionView> {
    let mut views = Vec::new();
    for (workload, of_workload) in &summary.workloads {
        for (function, of_function) in &of_workload.functions {
            let counts = of_function.operations;
            views.push(FunctionView {
                name: format!("{workload}.{function}"),
                counts: [counts.ok, counts.info, counts.fail].map(quantity::count),
                quantiles: quantile_cells(of_function.latency_us),
            });
        }
    }
    views
}

fn phase_views(summary: &Summary, phases: &[Phase]) -> Vec<PhaseView> {
    let view = |(of, phase): (&crate::summary::PhaseSummary, &Phase)| PhaseView {
        name: of.name.clone(),
        span: format!("{} – {}", quantity::seconds(phase.begin), quantity::seconds(phase.end)),
        counts: [of.operations.ok, of.operations.info, of.operations.fail].map(quantity::count),
        rate: quantity::rate(of.ok_per_second),
    };
    summary.phases.iter().zip(phases).map(view).collect()
}
