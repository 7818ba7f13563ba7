//! The findings as a CI server counts them: one test case a finding.
//!
//! | verdict | JUnit | because |
//! |---|---|---|
//! | `Valid` | success | |
//! | `Invalid` | `failure` | a promise was broken |
//! | `Unknown` | `error`, type `unknown` | the test could not be carried out to a judgement |
//!
//! `Unknown` is not *skipped*, which servers count as green: a run that could not be judged would
//! pass unseen. Nor is it a failure, which says that the store is at fault.

use std::time::Duration;

use checker::{Finding, Verdict};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::summary::Summary;
use crate::wording;

/// Why no XML could be written. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("encode the JUnit report: {0}")]
pub struct JunitError(#[from] quick_junit::SerializeError);

/// `junit.xml`.
pub fn junit(summary: &Summary, findings: &[Finding]) -> Result<String, JunitError> {
    let run = &summary.run;
    let mut suite = TestSuite::new(run.suite.as_str());
    suite.set_time(Duration::from_millis(summary.duration_ms));
    suite.add_property(Property::new("seed", run.seed.to_string()));
    suite.add_property(Property::new("tier", run.tier.as_str()));
    suite.add_property(Property::new("started", run.started.to_string()));
    suite.add_property(Property::new("repeat", run.repeat.as_str()));
    suite.add_test_cases(findings.iter().map(|finding| test_case(&run.suite, finding)));
    let mut report = Report::new("schism");
    report.add_test_suite(suite);
    Ok(report.to_string()?)
}

fn test_case(suite: &str, finding: &Finding) -> TestCase {
    let mut case = TestCase::new(wording::checker(finding), status(finding));
    case.set_classname(format!("schism.{suite}"));
    case.set_system_out(finding.summary.as_str());
    case
}

fn status(finding: &Finding) -> TestCaseStatus {
    let kind = match finding.verdict {
        Verdict::Valid => return TestCaseStatus::success(),
        Verdict::Unknown => NonSuccessKind::Error,
        Verdict::Invalid => NonSuccessKind::Failure,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let first = finding.anomalies.first();
    let named = || first.map_or("violation", |anomaly| anomaly.name.as_str());
    status.set_type(if finding.verdict == Verdict::Unknown { "unknown" } else { named() });
    status.set_message(first.map_or_else(|| finding.summary.clone(), wording::anomaly));
    status.set_description(description(finding));
    status
}

/// Each anomaly's paragraph, or the summary where there is none.
fn description(finding: &Finding) -> String {
    let paragraphs: Vec<_> = finding
        .anomalies
        .iter()
        .map(|anomaly| format!("{}\n{}", wording::anomaly(anomaly), anomaly.because))
        .collect();
    if paragraphs.is_empty() { finding.summary.clone() } else { paragraphs.join("\n\n") }
}
