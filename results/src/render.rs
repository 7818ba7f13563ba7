//! Everything a run leaves behind, written from its history and its findings.
//!
//! ```text
//! history.jsonl + findings + RunInfo ──► findings.json  summary.json  report.html  report.md
//!                                        junit.xml  latency.hlog
//! ```
//!
//! `summary.json` carries the [`RunInfo`], so [`render_again`] needs the directory alone.

use std::path::Path;

use checker::{Finding, History, HistoryError};
use serde::Serialize;

use crate::directory::{DirectoryError, RunDirectory, read, write_atomically};
use crate::html::html;
use crate::junit::{JunitError, junit};
use crate::latency_log::{LatencyLog, LatencyLogError};
use crate::markdown::markdown;
use crate::run_info::RunInfo;
use crate::summary::Summary;

/// Why a run could not be rendered. Reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The file system refused.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The history is none.
    #[error("read {path}: {source}")]
    History {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: HistoryError,
    },
    /// A JSON file does not hold what it should.
    #[error("read {path}: {source}")]
    Json {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The page could not be filled in.
    #[error("fill in report.html: {0}")]
    Page(#[from] askama::Error),
    /// The JUnit report could not be encoded.
    #[error(transparent)]
    Junit(#[from] JunitError),
    /// The latency log could not be encoded.
    #[error(transparent)]
    LatencyLog(#[from] LatencyLogError),
}

/// Writes every report of a run into `dir`, in place of those that were there.
pub fn render_all(
    dir: &RunDirectory,
    info: &RunInfo,
    history: &History,
    findings: &[Finding],
) -> Result<Summary, RenderError> {
    let summary = Summary::new(info, history, findings);
    write_atomically(&dir.findings(), &json(findings))?;
    write_atomically(&dir.summary(), &json(&summary))?;
    write_atomically(&dir.report_md(), markdown(&summary, findings).as_bytes())?;
    write_atomically(&dir.junit(), junit(&summary, findings)?.as_bytes())?;
    let log = LatencyLog::of(history).encode(info.started)?;
    write_atomically(&dir.latency_log(), &log)?;
    write_atomically(&dir.report_html(), html(&summary, history, findings)?.as_bytes())?;
    Ok(summary)
}

/// Renders a run again from what it left in `dir`.
pub fn render_again(dir: &RunDirectory) -> Result<(Summary, Vec<Finding>), RenderError> {
    let info = load_info(dir)?;
    let findings: Vec<Finding> = load(&dir.findings())?;
    let history = load_history(&dir.history())?;
    Ok((render_all(dir, &info, &history, &findings)?, findings))
}

/// What the harness knew of the run in `dir`.
pub fn load_info(dir: &RunDirectory) -> Result<RunInfo, RenderError> {
    Ok(load::<Summary>(&dir.summary())?.run)
}

/// The history at `path`.
pub fn load_history(path: &Path) -> Result<History, RenderError> {
    let bytes = read(path)?;
    History::parse(bytes.as_slice())
        .map_err(|source| RenderError::History { path: path.display().to_string(), source })
}

fn load<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, RenderError> {
    serde_json::from_slice(&read(path)?)
        .map_err(|source| RenderError::Json { path: path.display().to_string(), source })
}

fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("plain data with text as keys");
    bytes.push(b'\n');
    bytes
}
