//! Whole runs ended in the middle, at fifty different moments: nothing is left but the run directory.
//!
//! Nodes are up, cut off, killed and paused when SIGKILL strikes the process the user started, init,
//! or the harness; as root and as an ordinary user. Counted afterwards: processes, namespaces,
//! mounts, links, and files outside `runs/`.

#![cfg(test)]

mod leftovers;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use leftovers::{Machine, await_nothing_left, processes_of};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};

const DEADLINE: Duration = Duration::from_secs(30);
const NOBODY: u32 = 65534;
/// Kills a user; two users make fifty.
const KILLS: u64 = 25;
/// Over this much of a run's life the moments are spread: its start, and faults of every kind.
const LIFE: Duration = Duration::from_millis(2500);

/// Faults from the very start, so that every moment finds some in force.
const RESTLESS: &str = "
suite: restless
cluster:
  nodes: 5
  keyspaces:
    register: { policy: register, n: 3, r: 2, w: 2 }
workloads:
  - workload: { register: { keyspace: register } }
    clients: 4
    rate: 100
phases: { warm-up: 0s, faults: 20s, recovery: 0s, quiesce: 10s }
faults:
  - partition: { shapes: [halves, one-way], every: 100ms, lasting: 500ms }
  - kill: { every: 200ms, lasting: 300ms }
  - pause: { every: 200ms, lasting: 300ms }
";

/// A run that soon comes to its end: quiescence, final reads, and the judges.
const HASTY: &str = "
suite: hasty
cluster:
  nodes: 3
  keyspaces:
    register: { policy: register, n: 3, r: 2, w: 2 }
workloads:
  - workload: { register: { keyspace: register } }
    clients: 4
phases: { warm-up: 0s, faults: 300ms, recovery: 0s, quiesce: 10s }
faults:
  - pause: { every: 50ms, lasting: 100ms }
";

/// A place to run in, and who runs.
struct Place {
    home: tempfile::TempDir,
    user: Option<u32>,
    run: String,
}

impl Place {
    fn new(user: Option<u32>, run: String) -> Place {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_schism"), home.path().join("schism")).unwrap();
        for directory in [home.path().join("work"), home.path().join("tmp")] {
            fs::create_dir(&directory).unwrap();
            std::os::unix::fs::chown(&directory, user, user).unwrap();
        }
        fs::write(home.path().join("restless.yaml"), RESTLESS).unwrap();
        fs::write(home.path().join("hasty.yaml"), HASTY).unwrap();
        Place { home, user, run }
    }

    fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    fn start(&self, suite: &str, seed: u64) -> Child {
        let mut command = Command::new(self.home.path().join("schism"));
        command
            .args(["run", &format!("../{suite}.yaml"), "--seed", &seed.to_string()])
            .current_dir(self.work())
            .env("SCHISM_RUN", &self.run)
            .env("TMPDIR", self.home.path().join("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.home.path().join("said")).unwrap());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command.spawn().unwrap()
    }

    /// What the run said on standard error.
    fn said(&self) -> String {
        fs::read_to_string(self.home.path().join("said")).unwrap_or_default()
    }

    /// Waits until the run says `word` on standard error.
    fn await_word(&self, word: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.said().contains(word) {
            assert!(Instant::now() < deadline, "no {word} in {DEADLINE:?}: {}", self.said());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Nothing of the run lives, and all it wrote is in its run directory.
    fn assert_nothing_left(&self, before: &Machine) {
        await_nothing_left(&self.run, before, DEADLINE).unwrap();
        assert_eq!(names(&self.home.path().join("tmp")), Vec::<String>::new());
        let beside: Vec<String> = names(&self.work()).into_iter().filter(|n| n != "runs").collect();
        assert_eq!(beside, Vec::<String>::new());
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// The outermost process of a run, its child, and its grandchild: as many of them as there are.
fn family(place: &Place, outer: u32) -> Vec<u32> {
    let processes = processes_of(&place.run);
    let child_of = |parent| processes.iter().find(|process| process.parent == parent);
    let mut family = vec![outer];
    while let Some(next) = child_of(family[family.len() - 1]).filter(|_| family.len() < 3) {
        family.push(next.pid);
    }
    family
}

fn wait(child: &mut Child) -> std::process::ExitStatus {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "process {} does not end", child.id());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn signal(process: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process).unwrap()), signal).unwrap();
}

fn strike_at_moments_spread_over_a_run(user: Option<u32>) {
    for number in 0..KILLS {
        let run = format!("killed-{}-{user:?}-{number}", std::process::id());
        let place = Place::new(user, run);
        let before = Machine::now();
        let mut outer = place.start("restless", number);
        // Not a wait for something: the moment is the input.
        std::thread::sleep(LIFE.mul_f64(number as f64 / KILLS as f64));
        let family = family(&place, outer.id());
        // Nothing but a run that has failed on its own would make this signal miss.
        signal(family[number as usize % family.len()], Signal::SIGKILL);
        let status = wait(&mut outer);
        assert!(!status.success(), "{status}: {}", place.said());
        place.assert_nothing_left(&before);
    }
}

#[test]
fn a_run_killed_at_any_moment_leaves_nothing() {
    strike_at_moments_spread_over_a_run(None);
}

#[test]
fn a_run_of_an_ordinary_user_killed_at_any_moment_leaves_nothing() {
    if getuid().is_root() {
        strike_at_moments_spread_over_a_run(Some(NOBODY));
    } else {
        skipped();
    }
}

/// The moments above are all within the work of the clients; what comes after it is waited for.
#[test]
fn a_run_killed_after_its_work_leaves_nothing() {
    for phase in ["quiesce", "final reads", "stopping", "judging"] {
        for victim in 0..3 {
            let run = format!("killed-{}-{phase}-{victim}", std::process::id());
            let place = Place::new(None, run);
            let before = Machine::now();
            let mut outer = place.start("hasty", victim);
            place.await_word(phase);
            let family = family(&place, outer.id());
            let victim = family[victim as usize % family.len()];
            // It may have come to its end meanwhile; then there is all the less to leave behind.
            let _already_gone =
                kill(Pid::from_raw(i32::try_from(victim).unwrap()), Signal::SIGKILL);
            wait(&mut outer);
            place.assert_nothing_left(&before);
        }
    }
}

fn skipped() {
    eprintln!("skipped: this user is an ordinary one, and the other test is theirs");
}

#[test]
fn an_interrupted_run_says_so_and_leaves_nothing_but_its_history() {
    for asked in [Signal::SIGINT, Signal::SIGTERM] {
        let place = Place::new(None, format!("interrupted-{}-{asked}", std::process::id()));
        let before = Machine::now();
        let mut outer = place.start("restless", 1);
        place.await_word("faults  ");
        signal(outer.id(), asked);
        let status = wait(&mut outer);
        assert_eq!((status.code(), status.signal()), (Some(255), None), "{}", place.said());
        assert!(place.said().contains("did not complete"), "{}", place.said());
        place.assert_nothing_left(&before);
        assert!(latest(&place).join("plan.yaml").exists());
    }
}

fn latest(place: &Place) -> PathBuf {
    place.work().join("runs/restless/latest")
}
