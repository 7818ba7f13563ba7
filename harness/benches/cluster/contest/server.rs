//! A server as a child process: found by its handle, and ended with it.
//!
//! Dropping it kills it and waits, so that its directory may be removed after. Should this process
//! be killed itself, the kernel kills the child: `setpriv` asks for that (`PR_SET_PDEATHSIG`), and
//! becomes the server. That watches the *thread* that started it, so servers are started on the
//! thread that runs the contest, never on one of the runtime's. A process group of its own keeps an
//! interrupt at the terminal from the server: it is ours to end.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, timeout};

/// How long a cluster may take to be ready.
const START_DEADLINE: Duration = Duration::from_mins(1);
/// How long one attempt to find it ready may take.
const ATTEMPT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How much of its log is shown of a server that ended by itself.
const LAST_LINES: usize = 10;

/// A server, which is killed when this is dropped.
pub(crate) struct Server {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Why a [`sworn`] command does not start; who is absent behind it, `setpriv` says itself.
pub(crate) const UNSTARTED: &str = "failed to start setpriv (Debian: util-linux)";

/// A command that is killed with the thread that starts it, and by no interrupt before.
pub(crate) fn sworn(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command.process_group(0).stdin(Stdio::null());
    command
}

impl Server {
    /// Starts `program` in `directory`, where its log and its files are.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        arguments: &[&str],
        directory: &Path,
    ) -> Result<Server> {
        let log = directory.join(format!("{name}.log"));
        let said = File::create(&log).context("failed to make a log")?;
        let child = sworn(program)
            .args(arguments)
            .current_dir(directory)
            .stderr(said.try_clone()?)
            .stdout(said)
            .spawn()
            .context(UNSTARTED)?;
        Ok(Server { name: name.to_owned(), child, log })
    }

    /// Its process, until it is dropped.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error with its last words, if it has ended.
    fn ensure_running(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
        bail!("{} ended by itself, {status}:\n{last}", self.name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Tries until `attempt` succeeds, and returns what it found.
pub(crate) async fn ready<T>(
    servers: &mut [Server],
    mut attempt: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        servers.iter_mut().try_for_each(Server::ensure_running)?;
        let outcome = timeout(ATTEMPT, attempt()).await.context("no answer").and_then(|it| it);
        match outcome {
            Ok(found) => return Ok(found),
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("not ready after {START_DEADLINE:?}")));
            }
            Err(_) => sleep(LOOK_AGAIN).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_there(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[tokio::test]
    async fn a_server_that_ends_is_an_error_with_its_last_words() {
        let directory = tempfile::tempdir().unwrap();
        let arguments = ["-c", "echo the disk is gone >&2; exit 3"];
        let server = Server::start("s", Path::new("sh"), &arguments, directory.path()).unwrap();
        let never = async || -> Result<()> { bail!("not yet") };
        let error = ready(&mut [server], never).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("the disk is gone"), "{error}");
    }

    #[tokio::test]
    async fn a_server_is_waited_for_and_gone_when_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start("s", Path::new("sleep"), &["600"], directory.path()).unwrap();
        let pid = server.child.id();
        let mut servers = [server];
        let mut attempts = 0;
        let third = async || {
            attempts += 1;
            if attempts == 3 { Ok(attempts) } else { bail!("not yet") }
        };
        assert_eq!(ready(&mut servers, third).await.unwrap(), 3);
        assert!(is_there(pid));
        drop(servers);
        assert!(!is_there(pid));
    }
}
