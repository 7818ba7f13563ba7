//! `schism run`, `demo` and `replay`: from a suite or a plan to a verdict.
//!
//! Everything a user can get wrong is refused before the first namespace is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use checker::Verdict;
use clap::Args;
use rand::TryRng;
use results::{RunDirectory, RunInfo};

use super::check::JudgeArguments;
use super::{Failure, default_runs, exit_code, say, say_error};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::sandbox;
use crate::suite::{Embedded, Suite};

/// What a suite can do to its cluster.
const FAULTS: &str = "\
Faults a suite may ask for, each { every: …, lasting: … }:
  partition  packets between some nodes are dropped (shapes: […], or groups: [[…], […]])
  kill       a node is killed, and started again on what it left behind
  pause      a node is stopped where it stands, and continued
  wipe       a node is killed, loses its disk for good, and is started again on an empty one;
             never a second one before the first has caught up with the other replicas";

/// `schism run`
#[derive(Debug, Args)]
#[command(after_help = FAULTS)]
pub(crate) struct RunArguments {
    /// A suite file, or the name of an embedded suite
    #[arg(default_value = "smoke")]
    suite: String,
    /// From which all that is random follows; drawn when absent, and always printed
    #[arg(long)]
    seed: Option<u64>,
    /// Where to keep runs: a directory is made for each
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Print the plan, and stop before anything is started
    #[arg(long)]
    plan_only: bool,
    #[command(flatten)]
    judge: JudgeArguments,
}

impl Default for RunArguments {
    fn default() -> RunArguments {
        RunArguments {
            suite: "smoke".to_owned(),
            seed: None,
            runs: default_runs(),
            plan_only: false,
            judge: JudgeArguments::default(),
        }
    }
}

/// `schism demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// From which all that is random follows
    #[arg(long)]
    seed: Option<u64>,
    /// Where to keep the run
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

/// `schism replay`
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// A run directory, or its plan.yaml
    plan: PathBuf,
    /// Where to keep the new run
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    #[command(flatten)]
    judge: JudgeArguments,
}

/// Runs a suite.
pub(crate) fn run(arguments: &RunArguments) -> Result<u8, Failure> {
    let suite = load_suite(&arguments.suite)?;
    let seed = seed(arguments.seed)?;
    let plan = Plan::resolve(suite, seed);
    if arguments.plan_only {
        say(plan_text(&plan)?.trim_end())?;
        return Ok(0);
    }
    let (command, kept) = (command_name(), kept_in(&arguments.runs));
    let judged = arguments.judge.words();
    let repeat = format!("{command} run {} --seed {seed}{kept}{judged}", arguments.suite);
    carry_out(&plan, &arguments.runs, &repeat, arguments.judge)
}

/// Shows a violation.
pub(crate) fn demo(arguments: &DemoArguments) -> Result<u8, Failure> {
    say("One replica may answer alone (N=3, R=1, W=1) while n1 is cut off from n2 and n3.")?;
    say("Theory says that clients will read what was overwritten long ago. Let us see.\n")?;
    run(&RunArguments {
        suite: "stale-reads".to_owned(),
        seed: arguments.seed,
        runs: arguments.runs.clone(),
        ..RunArguments::default()
    })
}

/// Carries out the plan of an earlier run.
pub(crate) fn replay(arguments: &ReplayArguments) -> Result<u8, Failure> {
    let path = if arguments.plan.is_dir() {
        RunDirectory::open(&arguments.plan).map_err(Failure::usage)?.plan()
    } else {
        arguments.plan.clone()
    };
    let plan = read_plan(&path)?;
    // `latest` will be another run soon; the plan that was read stays where it is.
    let path = path.canonicalize().unwrap_or(path);
    let (command, kept) = (command_name(), kept_in(&arguments.runs));
    let judged = arguments.judge.words();
    let repeat = format!("{command} replay {}{kept}{judged}", path.display());
    carry_out(&plan, &arguments.runs, &repeat, arguments.judge)
}

/// Reads the plan of a run.
pub(crate) fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("failed to read {}", path.display()))
        .map_err(Failure::usage)?;
    Plan::parse(&path.display().to_string(), &text).map_err(Failure::usage)
}

fn load_suite(name: &str) -> Result<Suite, Failure> {
    if let Some(embedded) = Embedded::named(name) {
        return Suite::parse(name, embedded.text).map_err(Failure::usage);
    }
    let text = std::fs::read_to_string(name)
        .with_context(|| {
            let known: Vec<&str> = crate::suite::EMBEDDED.iter().map(|e| e.name).collect();
            format!(
                "failed to read the suite {name} (a file, or one of the embedded suites: {})",
                known.join(", ")
            )
        })
        .map_err(Failure::usage)?;
    // The report of what is wrong draws the line itself, so it stands alone.
    Suite::parse(name, &text).map_err(Failure::usage)
}

fn seed(asked: Option<u64>) -> Result<u64, Failure> {
    if let Some(seed) = asked {
        return Ok(seed);
    }
    // Short enough to be read over a shoulder and typed again.
    let drawn = rand::rngs::SysRng.try_next_u32().context("failed to draw a seed");
    Ok(u64::from(drawn.map_err(Failure::harness)?))
}

/// How the user called us, so that the command we print can be typed again.
fn command_name() -> String {
    match std::env::var_os("CARGO") {
        Some(_) => "cargo run --release --".to_owned(),
        None => std::env::args().next().unwrap_or_else(|| "schism".to_owned()),
    }
}

/// Where runs are kept, as the command line says it; nothing where it need not.
fn kept_in(runs: &Path) -> String {
    if runs == default_runs() { String::new() } else { format!(" --runs {}", runs.display()) }
}

fn plan_text(plan: &Plan) -> Result<String, Failure> {
    serde_yaml::to_string(plan).context("failed to write the plan").map_err(Failure::harness)
}

/// From a plan to a verdict.
fn carry_out(plan: &Plan, runs: &Path, repeat: &str, judge: JudgeArguments) -> Result<u8, Failure> {
    let suite = &plan.suite.suite;
    let started = jiff::Timestamp::now();
    let directory =
        RunDirectory::create(runs, suite, started, plan.seed).map_err(Failure::usage)?;
    results::write_atomically(&directory.plan(), plan_text(plan)?.as_bytes())
        .map_err(Failure::usage)?;
    say_error(&format!("suite   {suite}: {}", plan.headline()));
    say_error(&format!("seed    {}", plan.seed));
    say_error(&format!("repeat  {repeat}"));
    say_error(&format!("plan    {}", directory.plan().display()));

    let inside = sandbox::enter().map_err(|refused| {
        Failure::harness(anyhow!("{refused}\n  `schism doctor` tries each part alone"))
    })?;
    let info = RunInfo {
        suite: suite.clone(),
        seed: plan.seed,
        tier: inside.tier,
        started,
        repeat: repeat.to_owned(),
        nodes: plan.suite.node_names(),
        configuration: configuration(plan),
    };
    record_and_judge(plan, &directory, info, judge).map(exit_code)
}

/// What a reader of the report should know of the cluster before the first table.
fn configuration(plan: &Plan) -> BTreeMap<String, String> {
    let keyspaces = plan.suite.cluster.keyspaces.iter();
    keyspaces.map(|(name, keyspace)| (name.clone(), promises(keyspace))).collect()
}

/// What a keyspace promises, in a line; what it leaves to the store's defaults goes without saying.
fn promises(keyspace: &store::Keyspace) -> String {
    let store::Keyspace { policy, n, r, w, quorum, .. } = keyspace;
    let store::Keyspace { causality, vector_limit, max_siblings, .. } = keyspace;
    let quorum = if quorum.is_default() { None } else { Some(quorum.to_string()) };
    let causality = if causality.is_default() { None } else { Some(causality.to_string()) };
    let number = |value: &Option<usize>| value.map(|value| value.to_string());
    let said = [
        ("quorum", quorum),
        ("causality", causality),
        ("vector-limit", number(vector_limit)),
        ("max-siblings", number(max_siblings)),
    ];
    let said = said.into_iter().filter_map(|(name, value)| Some(format!(" {name}={}", value?)));
    format!("{policy} N={n} R={r} W={w}{}", said.collect::<String>())
}

/// Runs the cluster until its history is on disk, and judges that, or until the user has seen enough.
fn record_and_judge(
    plan: &Plan,
    directory: &RunDirectory,
    info: RunInfo,
    arguments: JudgeArguments,
) -> Result<Verdict, Failure> {
    let progress = Progress::new(plan.faults.len());
    let judge = {
        let (plan, directory, progress) = (plan.clone(), directory.clone(), progress.clone());
        move || {
            progress.phase("judging");
            super::check::judge_and_render(&directory, &info, &plan, arguments, || progress.done())
        }
    };
    let done = heeding_signals(async {
        record(plan, directory, &progress).await?;
        tokio::task::spawn_blocking(judge).await.context("the judges panicked")
    });
    if done.is_err() {
        progress.done();
    }
    done.with_context(|| {
        format!("the run did not complete; what it left is in {}", directory.path().display())
    })
    .map_err(Failure::harness)?
}

/// Runs the cluster until its history is on disk.
async fn record(
    plan: &Plan,
    directory: &RunDirectory,
    progress: &Arc<Progress>,
) -> anyhow::Result<()> {
    let shown = tokio::spawn(Arc::clone(progress).show());
    let done = crate::run::run(plan, directory, progress).await;
    shown.abort();
    done
}

/// Does `work`, unless a signal comes first.
fn heeding_signals<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let done = runtime.block_on(async {
        tokio::select! {
            // First of all listen: a signal unheard would end this process without a word.
            biased;
            signal = interrupted() => Err(signal),
            done = work => done,
        }
    });
    // Judges cannot be interrupted; they end with the process, which nobody shall wait for.
    runtime.shutdown_background();
    done
}

/// Returns when the user or the system asks us to stop.
async fn interrupted() -> anyhow::Error {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return anyhow::anyhow!("failed to listen for signals");
    };
    tokio::select! {
        _ = interrupt.recv() => anyhow::anyhow!("interrupted"),
        _ = terminate.recv() => anyhow::anyhow!("terminated"),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::{Signal, raise};

    use super::*;

    #[test]
    fn what_a_keyspace_leaves_to_the_defaults_goes_without_saying() {
        let line = |settings: &str| {
            let settings = format!("{{policy: siblings, n: 3, r: 2, w: 2{settings}}}");
            promises(&serde_yaml::from_str(&settings).expect("valid"))
        };
        assert_eq!(line(""), "siblings N=3 R=2 W=2");
        assert_eq!(
            line(", causality: server-vector, vector-limit: 9, max-siblings: 5"),
            "siblings N=3 R=2 W=2 causality=server-vector vector-limit=9 max-siblings=5"
        );
    }

    #[test]
    fn a_signal_ends_even_a_judge_who_never_comes_to_an_end() {
        let (_held, never) = std::sync::mpsc::channel::<()>();
        let done = heeding_signals(async {
            let judge = tokio::task::spawn_blocking(move || never.recv());
            raise(Signal::SIGTERM)?;
            Ok(judge.await?)
        });
        assert_eq!(done.expect_err("it never ends").to_string(), "terminated");
    }
}
