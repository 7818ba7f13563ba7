//! A program that enters the sandbox, does one thing there, and says what it saw.
//!
//! Entering needs a `main` with one thread, which a test has not; so the tests run this and judge its
//! observations, one `key=value` a line. It asserts nothing itself, except that it gets that far:
//! whatever takes longer than its deadline ends it with an error that names what it waited for.
//!
//! It is its own node, too: `sandbox_probe echo ADDRESS` serves, `sandbox_probe stubborn` will not go.

mod network;
mod node;

use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use anyhow::{Result, bail};
use harness::sandbox::{self, Inside};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

const PORT: u16 = 7000;
const DEADLINE: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["echo", address] => node::echo(address.parse()?),
        ["stubborn"] => node::stubborn(),
        ["exit", code] => {
            sandbox::enter()?;
            std::process::exit(code.parse()?)
        }
        ["doctor"] => {
            for probe in harness::doctor::probe() {
                say(&probe.name, format!("{:?}", probe.outcome))?;
            }
            Ok(())
        }
        ["threads"] => {
            let (release, held) = std::sync::mpsc::channel::<()>();
            let second = std::thread::spawn(move || held.recv());
            say("refused", sandbox::enter().expect_err("two threads cannot enter"))?;
            drop(release);
            drop(second.join());
            Ok(())
        }
        ["masked"] => {
            mask_proc()?;
            let inside = sandbox::enter()?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(async {
                place(&inside)?;
                node::process().await
            })
        }
        ["suicide"] => {
            sandbox::enter()?;
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)?;
            bail!("survived SIGKILL")
        }
        [scenario] => {
            let inside = sandbox::enter()?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(play(scenario, &inside))
        }
        _ => bail!("usage: sandbox_probe SCENARIO"),
    }
}

async fn play(scenario: &str, inside: &Inside) -> Result<()> {
    match scenario {
        "place" => place(inside),
        "one-way" => network::one_way().await,
        "stall" => network::stall().await,
        "atomic" => network::atomic().await,
        "clients" => network::clients().await,
        "again" => network::again().await,
        "many" => network::many().await,
        "process" => node::process().await,
        "signals" => signals().await,
        "speed" => network::speed().await,
        "hang" => node::hang().await,
        other => bail!("no scenario {other}"),
    }
}

/// One observation. Standard output is what this program is for.
fn say(key: &str, value: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{key}={value}")?;
    Ok(out.flush()?)
}

fn names(count: usize) -> Vec<String> {
    (1..=count).map(|i| format!("n{i}")).collect()
}

/// Hides a part of `/proc`, as containers do. The second user namespace may not undo what the first
/// one mounted, so the kernel lets nobody in it mount another `/proc` to look behind the mask.
fn mask_proc() -> Result<()> {
    leave_for_user_namespace()?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    mount(Some("none"), "/proc/sys", Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>)?;
    leave_for_user_namespace()
}

fn leave_for_user_namespace() -> Result<()> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    Ok(())
}

/// Where are we, and whose are the files we make?
fn place(inside: &Inside) -> Result<()> {
    say("tier", &inside.tier)?;
    say("run", &inside.run)?;
    say("own_proc", inside.own_proc)?;
    say("pid", std::process::id())?;
    say("init", std::fs::read_to_string("/proc/1/comm")?.trim())?;
    say("cwd", std::env::current_dir()?.display())?;
    std::fs::write("made-inside", "by the harness")?;
    say("owner_inside", std::fs::metadata("made-inside")?.uid())
}

/// How often is a signal heard that was sent once?
async fn signals() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    say("ready", true)?;
    let mut heard = 0;
    loop {
        tokio::select! {
            biased;
            _ = interrupts.recv() => {
                heard += 1;
                say("heard", heard)?;
            }
            _ = terminations.recv() => return say("interrupts", heard),
            () = tokio::time::sleep(DEADLINE) => bail!("waited for SIGTERM in vain"),
        }
    }
}
