//! What a run leaves behind: renders, never decides.
//!
//! A run ends as a [`History`](checker::History) and the [`Finding`](checker::Finding)s of its
//! checkers. This crate turns them into what people and machines read, and nothing here can change
//! a verdict: it is taken from the findings, and only ever put into words.
//!
//! ```text
//! History + Findings + RunInfo ─► Summary ─► verdict_text   terminal
//!                                        ├─► report.md      a job's summary page
//!                                        ├─► junit.xml      a CI server
//!                                        ├─► report.html    a browser, offline
//!                                        └─► summary.json   programs
//!                   History ─► LatencyLog ─► latency.hlog   HdrHistogram's tools
//! ```
//!
//! [`render_all`] writes all of it into a [`RunDirectory`]; [`render_again`] does so from the
//! directory alone. The same directory gives the same bytes.

mod anomalies;
mod chart;
mod directory;
mod evidence;
mod html;
mod junit;
mod latency_log;
mod markdown;
mod plain;
mod quantiles;
mod quantity;
mod render;
mod run_info;
mod series;
mod summary;
mod verdict_text;
mod windows;
mod witness;
mod wording;

pub use directory::{DirectoryError, RunDirectory, write_atomically};
pub use junit::{JunitError, junit};
pub use latency_log::{LatencyLog, LatencyLogError};
pub use markdown::markdown;
pub use plain::Paint;
pub use quantiles::Quantiles;
pub use render::{RenderError, load_history, load_info, render_again, render_all};
pub use run_info::RunInfo;
pub use summary::{Counts, FunctionSummary, PhaseSummary, Summary, WorkloadSummary};
pub use verdict_text::{findings_text, verdict_text};
