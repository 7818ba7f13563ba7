//! `schism check` and `report`: judging and rendering what was recorded, without a cluster.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use checker::{Finding, Verdict};
use clap::Args;
use results::{Paint, RunDirectory, RunInfo};

use super::{Failure, exit_code, say};
use crate::judge;
use crate::plan::Plan;
use crate::time_budget::TimeBudget;

const TIME_BUDGET: Duration = Duration::from_mins(1);

/// How much a verdict may cost, alike for every command that judges.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JudgeArguments {
    /// How long the search for an order may take, for each history. What is not decided by then is
    /// unknown (exit code 2); a violation found by then stays one. 0s: only what needs no search
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    time_budget: Duration,
}

impl Default for JudgeArguments {
    fn default() -> JudgeArguments {
        JudgeArguments { time_budget: TIME_BUDGET }
    }
}

impl JudgeArguments {
    /// The clock starts now.
    fn start(self) -> TimeBudget {
        TimeBudget::start(self.time_budget)
    }

    /// As the command line says it; nothing where it need not.
    pub(crate) fn words(self) -> String {
        if self.time_budget == TIME_BUDGET {
            return String::new();
        }
        format!(" --time-budget {}ms", self.time_budget.as_millis())
    }
}

/// `500ms`, `30s`, `2m`.
fn duration(text: &str) -> Result<Duration, String> {
    let read = text.parse::<jiff::SignedDuration>().ok();
    read.and_then(|found| Duration::try_from(found).ok())
        .ok_or_else(|| "a duration is a number and its unit, such as 500ms, 30s or 2m".to_owned())
}

/// `schism check`
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// Histories (JSON lines), or run directories; a directory is judged by what its plan promised
    #[arg(required = true)]
    histories: Vec<PathBuf>,
    /// Print the findings as JSON instead of words
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    judge: JudgeArguments,
}

/// `schism report`
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// A run directory
    directory: PathBuf,
    #[command(flatten)]
    judge: JudgeArguments,
}

/// Judges each history; the worst verdict counts.
pub(crate) fn check(arguments: &CheckArguments) -> Result<u8, Failure> {
    let mut worst = Verdict::Valid;
    for path in &arguments.histories {
        let findings = judge_path(path, arguments.judge)?;
        let verdict = Verdict::worst(findings.iter().map(|finding| finding.verdict));
        worst = worst.max(verdict);
        if arguments.json {
            let text = serde_json::to_string_pretty(&findings).map_err(Failure::harness)?;
            say(&text)?;
        } else {
            say(&format!("{}", path.display()))?;
            say(&results::findings_text(&findings, paint()))?;
        }
    }
    Ok(exit_code(worst))
}

fn judge_path(path: &Path, arguments: JudgeArguments) -> Result<Vec<Finding>, Failure> {
    if path.is_dir() {
        let directory = RunDirectory::open(path).map_err(Failure::usage)?;
        let plan = super::run::read_plan(&directory.plan())?;
        let history = judge::read_history(&directory.history()).map_err(Failure::usage)?;
        return Ok(judge::judge_run(&plan, &history, arguments.start().budget()));
    }
    let history = judge::read_history(path).map_err(Failure::usage)?;
    Ok(judge::judge_file(&history, arguments.start().budget()))
}

/// Renders a run again.
pub(crate) fn report(arguments: &ReportArguments) -> Result<u8, Failure> {
    let directory = RunDirectory::open(&arguments.directory).map_err(Failure::usage)?;
    let plan = super::run::read_plan(&directory.plan())?;
    let info = results::load_info(&directory)
        .with_context(|| {
            let path = arguments.directory.display();
            format!("this run never completed; `schism check {path}` judges what it recorded")
        })
        .map_err(Failure::usage)?;
    let verdict = judge_and_render(&directory, &info, &plan, arguments.judge, || ())?;
    Ok(exit_code(verdict))
}

/// From the files of a run to its verdict, on disk and on the terminal.
pub(crate) fn judge_and_render(
    directory: &RunDirectory,
    info: &RunInfo,
    plan: &Plan,
    arguments: JudgeArguments,
    before_words: impl FnOnce(),
) -> Result<Verdict, Failure> {
    let history = judge::read_history(&directory.history()).map_err(Failure::harness)?;
    let findings = judge::judge_run(plan, &history, arguments.start().budget());
    let summary = results::render_all(directory, info, &history, &findings)
        .context("failed to write the report")
        .map_err(Failure::harness)?;
    before_words();
    say(&results::verdict_text(&summary, &findings, &directory.report_html(), paint()))?;
    Ok(summary.verdict)
}

/// Colours for a terminal that has not asked for plain text.
fn paint() -> Paint {
    let wanted = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if wanted { Paint::Ansi } else { Paint::Plain }
}
