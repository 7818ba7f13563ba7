//! Nothing is left behind, however the harness ends.
//!
//! A run with three nodes, a cut and a frozen node is killed with SIGKILL at moments spread over its
//! life: while it enters the sandbox, builds the network, starts nodes, and long after. The victim is
//! in turn the process the user started, init, and the harness itself.

mod leftovers;
mod probe;

use std::time::Duration;

use leftovers::{Machine, await_nothing_left, processes_of};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use probe::{DEADLINE, Probe, Running, everyone};
use proptest::prelude::*;

/// How far below the process the user started the victim is.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Outer,
    Init,
    Harness,
}

const VICTIMS: [Victim; 3] = [Victim::Outer, Victim::Init, Victim::Harness];

impl Victim {
    /// Its process, if it exists by now.
    fn find(self, probe: &Probe, running: &Running) -> Option<u32> {
        let processes = processes_of(probe.run());
        let child_of =
            |parent| processes.iter().find(|process| process.parent == parent).map(|p| p.pid);
        match self {
            Victim::Outer => Some(running.pid()),
            Victim::Init => child_of(running.pid()),
            Victim::Harness => child_of(running.pid()).and_then(child_of),
        }
    }
}

fn strike(victim: u32) {
    let victim = Pid::from_raw(i32::try_from(victim).expect("Linux keeps process ids below 2^22"));
    // It may have ended in the meantime; then there is all the less to leave behind.
    let _already_gone = kill(victim, Signal::SIGKILL);
}

#[test]
fn a_harness_that_is_up_leaves_nothing_whichever_part_is_killed() {
    for probe in everyone() {
        for victim in VICTIMS {
            let before = Machine::now();
            let mut running = probe.start_in_group("hang");
            running.await_line("up=true");
            let alive = processes_of(probe.run());
            assert_eq!(alive.len(), 6, "outer, init, harness and three nodes: {alive:?}");
            strike(victim.find(&probe, &running).expect("it is up"));
            assert!(!running.wait().success(), "{victim:?}");
            await_nothing_left(probe.run(), &before, DEADLINE).unwrap();
        }
    }
}

#[test]
fn the_counting_sees_a_run_that_is_alive() {
    let probe = Probe::of_this_user();
    let before = Machine::now();
    let mut running = probe.start_in_group("hang");
    running.await_line("up=true");
    let seen = await_nothing_left(probe.run(), &before, Duration::ZERO).unwrap_err();
    strike(running.pid());
    running.wait();
    for expected in ["echo 10.66.0.1:7000", "namespace net:[", "namespace pid:[", "namespace mnt:["]
    {
        assert!(seen.contains(expected), "{expected} is not in {seen}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_harness_killed_at_any_moment_leaves_nothing(
        victim in prop::sample::select(VICTIMS.to_vec()),
        moment_us in 0u64..60_000,
    ) {
        for probe in everyone() {
            let before = Machine::now();
            let mut running = probe.start_in_group("hang");
            // Not a wait for something: the moment is the input.
            std::thread::sleep(Duration::from_micros(moment_us));
            strike(victim.find(&probe, &running).unwrap_or(running.pid()));
            running.wait();
            prop_assert_eq!(await_nothing_left(probe.run(), &before, DEADLINE), Ok(()));
        }
    }
}
