//! A node as a child process: started, killed, frozen, thawed and ended, each time with evidence.
//!
//! A fault counts only if it can be shown: a kill by the wait status, a freeze by the state letter of
//! every thread, read back from `/proc`. The methods wait for that evidence and return it.
//!
//! Why a spawner thread: a node asks the kernel to be killed when its parent *thread* ends
//! (`PR_SET_PDEATHSIG` knows threads, not processes). Spawned from a runtime's worker it would die
//! with that worker. So all nodes are born of one thread that lives as long as the harness.
//!
//! Signals reach the whole process group, so a node's own children are frozen and killed with it. A
//! process id cannot be reused under us: only `&mut self` reaps the child, and no signal is sent
//! after that; until then the dead keep their id.
//!
//! Source: proc_pid_stat(5), prctl(2).

mod spawner;
mod vitals;

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::sandbox::birth;

/// How long the kernel may take to freeze, thaw or kill; it takes microseconds unless a node hangs in
/// a disk or the machine is overloaded.
const EVIDENCE_DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks at `/proc`.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A failure to do something to a node: of the harness or its machine, never of the store.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The program could not be started.
    #[error("failed to start node {name} ({}): {source}", program.display())]
    Start {
        /// The node.
        name: String,
        /// What was to run.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The log file could not be opened.
    #[error("failed to open the log of node {name} ({}): {source}", path.display())]
    Log {
        /// The node.
        name: String,
        /// Its log.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The node is not running (any more).
    #[error("failed to {doing} node {name}: it is not running, it {exit}")]
    NotRunning {
        /// What was to be done.
        doing: &'static str,
        /// The node.
        name: String,
        /// How it ended.
        exit: ExitEvidence,
    },
    /// A signal was sent, but its effect did not show.
    #[error(
        "failed to {doing} node {name} within {EVIDENCE_DEADLINE:?}: its threads are in state {seen}"
    )]
    NoEffect {
        /// What was being done.
        doing: &'static str,
        /// The node.
        name: String,
        /// The state letters last seen.
        seen: String,
    },
    /// The system refused something it should not.
    #[error("failed to {doing} node {name}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The node.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// How a process ended: its wait status. Exactly one of the two is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitEvidence {
    /// Its exit code, if it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
}

impl From<ExitStatus> for ExitEvidence {
    fn from(status: ExitStatus) -> Self {
        ExitEvidence { code: status.code(), signal: status.signal() }
    }
}

impl fmt::Display for ExitEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.signal, self.code) {
            (Some(number), _) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "was killed by signal {number} ({signal})"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
            (None, Some(code)) => write!(f, "exited with code {code}"),
            (None, None) => f.write_str("ended"),
        }
    }
}

/// The state of every thread of a process, as the kernel showed it: `T` for each while frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEvidence {
    /// The process, in the run's own numbering.
    pub pid: i32,
    /// One letter a thread, main thread first: `R` running, `S` sleeping, `D` in the disk, `T` stopped.
    pub states: String,
}

/// One node, running or ended. Dropping it kills it.
#[derive(Debug)]
pub struct NodeProcess {
    name: String,
    pid: Pid,
    child: Child,
    exit: Option<ExitEvidence>,
}

impl NodeProcess {
    /// Starts `program` inside a network namespace; what it says is appended to `log`.
    ///
    /// *Requires*: a tokio runtime with I/O, whose process this is; any thread of it will do.
    pub async fn spawn(
        name: &str,
        program: &Path,
        args: &[String],
        namespace: BorrowedFd<'_>,
        log: &Path,
    ) -> Result<NodeProcess, ProcessError> {
        let log_failed = |source| ProcessError::Log { name: name.into(), path: log.into(), source };
        let failed =
            |source| ProcessError::Start { name: name.into(), program: program.into(), source };
        let said = OpenOptions::new().create(true).append(true).open(log).map_err(log_failed)?;
        let complained = said.try_clone().map_err(log_failed)?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(said).stderr(complained);
        birth::into_network(&mut command, namespace.try_clone_to_owned().map_err(failed)?);
        let child = spawner::spawn(command).await.map_err(failed)?;
        let id = child.id().expect("a child nobody has waited for has an id");
        let pid = Pid::from_raw(i32::try_from(id).expect("Linux keeps process ids below 2^22"));
        Ok(NodeProcess { name: name.into(), pid, child, exit: None })
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id, in the run's own numbering.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Whether it runs now (frozen counts as running). If it has ended, its exit is recorded.
    pub fn is_running(&mut self) -> Result<bool, ProcessError> {
        if self.exit.is_none() {
            let status = self.child.try_wait().map_err(|source| self.system("look at", source))?;
            self.exit = status.map(Into::into);
        }
        Ok(self.exit.is_none())
    }

    /// How it ended, if that is known.
    pub fn exit(&self) -> Option<ExitEvidence> {
        self.exit
    }

    /// SIGKILL, and the wait status. Of a node that ended before, the status it ended with.
    pub async fn kill(&mut self) -> Result<ExitEvidence, ProcessError> {
        if self.is_running()? {
            self.signal("kill", Signal::SIGKILL)?;
        }
        match timeout(EVIDENCE_DEADLINE, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => Err(self.no_effect("kill")),
        }
    }

    /// SIGTERM; after `deadline` without an end, SIGKILL. The wait status tells which it was.
    /// A frozen node is thawed, so that it can obey.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitEvidence, ProcessError> {
        if self.is_running()? {
            self.signal("terminate", Signal::SIGTERM)?;
            self.signal("resume", Signal::SIGCONT)?;
        }
        match timeout(deadline, self.wait()).await {
            Ok(exit) => exit,
            Err(_) => self.kill().await,
        }
    }

    /// Waits until it ends.
    pub async fn wait(&mut self) -> Result<ExitEvidence, ProcessError> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let status = self.child.wait().await.map_err(|source| self.system("wait for", source))?;
        let exit = ExitEvidence::from(status);
        self.exit = Some(exit);
        Ok(exit)
    }

    /// SIGSTOP; returns once every thread of the node shows state `T`.
    pub async fn pause(&mut self) -> Result<StateEvidence, ProcessError> {
        self.signal_running("pause", Signal::SIGSTOP)?;
        self.await_states("pause", |states| states.chars().all(|state| state == 'T')).await
    }

    /// SIGCONT; returns once no thread of the node shows state `T`.
    pub async fn resume(&mut self) -> Result<StateEvidence, ProcessError> {
        self.signal_running("resume", Signal::SIGCONT)?;
        self.await_states("resume", |states| !states.contains('T')).await
    }

    /// The state of every thread now. Of a dead process whose status nobody took yet, `Z`.
    pub fn states(&self) -> Result<StateEvidence, ProcessError> {
        let states = vitals::states(self.pid).map_err(|source| self.system("look at", source))?;
        Ok(StateEvidence { pid: self.pid.as_raw(), states })
    }

    async fn await_states(
        &mut self,
        doing: &'static str,
        reached: impl Fn(&str) -> bool,
    ) -> Result<StateEvidence, ProcessError> {
        let deadline = Instant::now() + EVIDENCE_DEADLINE;
        loop {
            self.require_running(doing)?;
            let seen = self.states()?;
            if reached(&seen.states) {
                return Ok(seen);
            }
            if Instant::now() > deadline {
                return Err(self.no_effect(doing));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn require_running(&mut self, doing: &'static str) -> Result<(), ProcessError> {
        self.is_running()?;
        match self.exit {
            Some(exit) => Err(ProcessError::NotRunning { doing, name: self.name.clone(), exit }),
            None => Ok(()),
        }
    }

    fn signal_running(&mut self, doing: &'static str, signal: Signal) -> Result<(), ProcessError> {
        self.require_running(doing)?;
        self.signal(doing, signal)
    }

    /// *Requires*: the child has not been reaped.
    fn signal(&self, doing: &'static str, signal: Signal) -> Result<(), ProcessError> {
        assert!(self.exit.is_none(), "no signal to an id that may belong to somebody else");
        match killpg(self.pid, signal) {
            // All of the group are dead and wait to be reaped: nothing is left to signal.
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(self.system(doing, errno.into())),
        }
    }

    fn system(&self, doing: &'static str, source: io::Error) -> ProcessError {
        ProcessError::System { doing, name: self.name.clone(), source }
    }

    fn no_effect(&self, doing: &'static str) -> ProcessError {
        let seen = self.states().map_or_else(|_| "unknown".into(), |seen| seen.states);
        ProcessError::NoEffect { doing, name: self.name.clone(), seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_reads_as_what_the_node_did() {
        let killed = ExitEvidence { code: None, signal: Some(9) };
        assert_eq!(killed.to_string(), "was killed by signal 9 (SIGKILL)");
        let ended = ExitEvidence { code: Some(3), signal: None };
        assert_eq!(ended.to_string(), "exited with code 3");
    }
}
