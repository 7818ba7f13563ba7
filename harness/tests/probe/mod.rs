//! Starting `examples/sandbox_probe` as this user and, from root, as an ordinary one.

#![allow(dead_code, reason = "each test program uses its own part of this module")]
#![allow(clippy::unwrap_used, reason = "only tests use this, and a panic is how a test fails")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getuid};

/// For the machine to do what it surely does.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
const NOBODY: u32 = 65534;

/// The program, a directory to run it in, and who runs it.
pub(crate) struct Probe {
    /// Removed with all in it.
    home: tempfile::TempDir,
    user: Option<u32>,
    run: String,
}

/// This user; from root an ordinary one as well.
pub(crate) fn everyone() -> Vec<Probe> {
    let mut all = vec![Probe::of_this_user()];
    if getuid().is_root() {
        all.push(Probe::new(Some(NOBODY)));
    }
    all
}

impl Probe {
    /// As whoever runs the tests.
    pub(crate) fn of_this_user() -> Self {
        Probe::new(None)
    }

    fn new(user: Option<u32>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let directory = home.path().join("work");
        fs::create_dir(&directory).unwrap();
        std::os::unix::fs::chown(&directory, user, user).unwrap();
        copy(&built(), &home.path().join("sandbox_probe"));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Probe { home, user, run: format!("test-{}-{number}", std::process::id()) }
    }

    /// Where it runs, and may write.
    pub(crate) fn directory(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// The mark of its run.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Who runs it.
    pub(crate) fn uid(&self) -> u32 {
        self.user.unwrap_or_else(|| getuid().as_raw())
    }

    /// `root` or `user`.
    pub(crate) fn expected_privilege(&self) -> &'static str {
        if self.uid() == 0 { "root" } else { "user" }
    }

    /// Ready to be started, with its standard streams inherited.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.home.path().join("sandbox_probe"));
        command.args(arguments).current_dir(self.directory()).env("SCHISM_RUN", &self.run);
        command.env_remove("RUST_BACKTRACE").stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// Runs a scenario to its end and returns its observations.
    pub(crate) fn observe(&self, scenario: &str) -> BTreeMap<String, String> {
        let ended = self.command(&[scenario]).output().unwrap();
        let (said, complained) =
            (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        let user = self.uid();
        assert!(
            ended.status.success(),
            "{scenario} as {user}: {}\n{said}{complained}",
            ended.status
        );
        let observation = |line: &str| line.split_once('=').map(|(k, v)| (k.into(), v.into()));
        said.lines().filter_map(observation).collect()
    }

    /// Starts a scenario in a process group of its own.
    pub(crate) fn start_in_group(&self, scenario: &str) -> Running {
        let mut command = self.command(&[scenario]);
        let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }
}

/// A scenario under way. The first process of it leads a process group.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// The outermost process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads on until the program has said `expected`; it ends by itself should that never come.
    pub(crate) fn await_line(&mut self, expected: &str) {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|line| line != expected) {
            let line = self.lines.next().unwrap_or_else(|| panic!("heard only {heard:?}"));
            heard.push(line.unwrap());
        }
    }

    /// To every process of the group, as a terminal does.
    pub(crate) fn signal_group(&self, signal: Signal) {
        killpg(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// To the outermost process alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// Waits for its end, with a deadline.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "process {} does not end", self.pid());
            std::thread::yield_now();
        }
    }
}

/// By another process: a test on another thread that forks while this one writes would hold the copy
/// open for writing, and the system starts no program that somebody may still write.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args([from, to]).status().unwrap();
    assert!(copied.success(), "cp {} {}: {copied}", from.display(), to.display());
}

/// Beside the tests' own directory. `cargo test --test …` does not build examples, and would run an
/// old one without a word; so it must be younger than every source cargo made it of.
fn built() -> PathBuf {
    const BUILD: &str = "build it first: cargo build -p harness --examples";
    let tests = std::env::current_exe().unwrap();
    let profile = tests.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples/sandbox_probe");
    assert!(program.exists(), "no {}; {BUILD}", program.display());
    let built = fs::metadata(&program).unwrap().modified().unwrap();
    let made_of = fs::read_to_string(program.with_extension("d")).unwrap();
    for source in sources(&made_of) {
        let changed = fs::metadata(&source).and_then(|source| source.modified());
        let is_old = changed.map_or(true, |changed| changed > built);
        assert!(!is_old, "{} is older than {}; {BUILD}", program.display(), source.display());
    }
    program
}

/// What cargo says a program was made of: `program: source source …`, spaces in names escaped.
fn sources(made_of: &str) -> Vec<PathBuf> {
    let list = made_of.lines().next().and_then(|line| line.split_once(": "));
    let list = list.map_or("", |(_, list)| list).replace("\\ ", "\0");
    list.split(' ')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('\0', " ").into())
        .collect()
}
