//! The sandbox, its network and its processes, as seen from inside by `examples/sandbox_probe`.
//!
//! Every fact is asked twice when the tests run as root: of root, and of an ordinary user, for whom
//! the program is copied to where that user may read it.

mod leftovers;
mod probe;

use probe::{Probe, everyone};

#[test]
fn the_harness_lives_in_namespaces_of_its_own_and_keeps_its_place_in_the_file_system() {
    for probe in everyone() {
        let seen = probe.observe("place");
        assert_eq!(seen["tier"], format!("namespaces ({})", probe.expected_privilege()));
        assert_eq!(seen["own_proc"], "true");
        assert_eq!(seen["pid"], "2", "init is 1, the harness comes next");
        assert_eq!(seen["init"], "sandbox_probe");
        assert_eq!(seen["run"], probe.run());
        assert_eq!(seen["cwd"], probe.directory().to_str().unwrap());
    }
}

#[test]
fn files_made_inside_belong_to_the_user_outside() {
    use std::os::unix::fs::MetadataExt;
    for probe in everyone() {
        probe.observe("place");
        let made = std::fs::metadata(probe.directory().join("made-inside")).unwrap();
        assert_eq!(made.uid(), probe.uid());
    }
}

#[test]
fn a_one_way_cut_stops_one_direction_and_spares_the_other() {
    for probe in everyone() {
        let seen = probe.observe("one-way");
        assert_eq!(seen["n1_heard"], "against the arrow");
        assert_eq!(seen["n2_heard"], "after the heal", "the datagram along the arrow was lost");
        assert_eq!(
            seen["refused"], "ConnectionRefused",
            "n1 still reaches n3, which has no server"
        );
        // A handshake needs both directions: neither side gets through, and neither is refused.
        assert_eq!((&*seen["cut_tcp"], &*seen["cut_tcp_back"]), ("TimedOut", "TimedOut"));
        assert_eq!(seen["pairs_dropped"], "1");
        // The datagram, n1's SYN, and n1's reset to n2's SYN: three packets, each once.
        assert_eq!(seen["dropped_n1_n2"], "3");
    }
}

#[test]
fn an_established_connection_stalls_in_a_cut_and_goes_on_after_it() {
    for probe in everyone() {
        let seen = probe.observe("stall");
        assert_eq!(seen["during_cut"], "WouldBlock", "neither data nor a reset came through");
        assert_eq!(seen["after_heal"], "during");
    }
}

#[test]
fn the_first_packet_of_a_new_connection_gets_through_after_a_heal() {
    for probe in everyone() {
        let seen = probe.observe("stall");
        assert_eq!(seen["new_in_cut"], "TimedOut");
        // The attempt ends before the kernel would send a second SYN.
        assert_eq!(seen["new_after_heal"], "connected");
    }
}

#[test]
fn a_new_set_of_cuts_replaces_the_old_and_keeps_its_count() {
    for probe in everyone() {
        let seen = probe.observe("atomic");
        assert_eq!(seen["n3_heard"], "n1", "the pair cut before is whole");
        assert_eq!(seen["dropped n1 n3"], "1");
        assert_eq!(seen["dropped n4 n2"], "1");
    }
}

#[test]
fn a_refused_set_of_cuts_leaves_the_old_one_in_force() {
    for probe in everyone() {
        let seen = probe.observe("atomic");
        assert_eq!(seen["unknown_node"], "failed to cut off n9: no such node in this network");
        assert_eq!(seen["dropped n1 n2"], "2", "one before the refusal, one after");
    }
}

#[test]
fn the_harness_reaches_every_node_while_no_two_nodes_reach_each_other() {
    for probe in everyone() {
        let seen = probe.observe("clients");
        assert_eq!([&*seen["n1"], &*seen["n2"], &*seen["n3"]], ["hello"; 3]);
        assert_eq!(seen["between"], "TimedOut");
    }
}

#[test]
fn a_second_network_of_a_run_knows_nothing_of_the_first() {
    for probe in everyone() {
        let seen = probe.observe("again");
        assert_eq!((&*seen["old_cut"], &*seen["dropped"]), ("connected", "0"));
    }
}

#[test]
fn as_many_nodes_as_there_may_be_can_all_be_apart() {
    for probe in everyone() {
        let seen = probe.observe("many");
        assert_eq!(seen["rules"], "870");
        assert_eq!(
            seen["one_more"],
            "failed to build the network: 31 nodes asked for, at most 30 can be cut at once"
        );
    }
}

#[test]
fn every_fault_of_a_process_leaves_evidence() {
    for probe in everyone() {
        let seen = probe.observe("process");
        assert_eq!(seen["running"], "true");
        assert!(all_stopped(&seen["paused"]) && all_stopped(&seen["read_back"]), "{seen:?}");
        assert_eq!((&*seen["resumed"], &*seen["answers"]), ("false", "again"));
        assert_eq!(seen["killed"], "was killed by signal 9 (SIGKILL)", "though it was frozen");
        assert_eq!(seen["running_after"], "false");
        assert_eq!(seen["killed_again"], seen["killed"]);
        assert_eq!(seen["restarted"], "true");
    }
}

fn all_stopped(states: &str) -> bool {
    !states.is_empty() && states.chars().all(|state| state == 'T')
}

#[test]
fn a_freeze_shows_even_where_proc_bears_the_outer_ids() {
    for probe in everyone() {
        let seen = probe.observe("masked");
        assert_eq!(seen["own_proc"], "false", "the kernel lets nobody look behind a mask");
        assert!(all_stopped(&seen["paused"]) && all_stopped(&seen["read_back"]), "{seen:?}");
        assert_eq!(seen["killed"], "was killed by signal 9 (SIGKILL)");
    }
}

#[test]
fn a_node_that_heeds_no_sigterm_is_killed_at_the_deadline() {
    for probe in everyone() {
        let seen = probe.observe("process");
        assert_eq!(seen["polite"], "was killed by signal 15 (SIGTERM)", "though it was frozen");
        assert_eq!(seen["stubborn"], "was killed by signal 9 (SIGKILL)");
    }
}

#[test]
fn what_cannot_be_done_to_a_process_says_why() {
    for probe in everyone() {
        let seen = probe.observe("process");
        assert_eq!(
            seen["pause_dead"],
            "failed to pause node n1: it is not running, it was killed by signal 9 (SIGKILL)"
        );
        assert_eq!(
            seen["missing"],
            "failed to start node n1 (/nonexistent/program): No such file or directory (os error 2)"
        );
    }
}

#[test]
fn the_exit_code_of_the_harness_is_that_of_the_program() {
    for probe in everyone() {
        let ended = probe.command(&["exit", "7"]).output().unwrap();
        assert_eq!(ended.status.code(), Some(7));
    }
}

#[test]
fn a_harness_killed_by_a_signal_is_reported_and_ends_with_255() {
    for probe in everyone() {
        let ended = probe.command(&["suicide"]).output().unwrap();
        assert_eq!(ended.status.code(), Some(255));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(said, "schism: the harness was killed by SIGKILL\n");
    }
}

#[test]
fn an_interrupt_of_the_process_group_reaches_the_harness_once() {
    for probe in everyone() {
        let mut running = probe.start_in_group("signals");
        running.await_line("ready=true");
        // A second delivery may merge with the first while that is pending; not ten times in a row.
        for sent in 1..=10 {
            running.signal_group(nix::sys::signal::Signal::SIGINT);
            running.await_line(&format!("heard={sent}"));
        }
        // To the outer process alone: passed on after, and behind, any interrupt it passes on.
        running.signal(nix::sys::signal::Signal::SIGTERM);
        running.await_line("interrupts=10");
        assert_eq!(running.wait().code(), Some(0));
    }
}

#[test]
fn a_program_with_a_second_thread_is_told_why_it_cannot_enter() {
    let seen = Probe::of_this_user().observe("threads");
    assert!(
        seen["refused"].starts_with("failed to enter the sandbox: 2 threads are running"),
        "{seen:?}"
    );
}

#[test]
fn the_doctor_finds_here_what_these_tests_use_and_leaves_nothing() {
    for probe in everyone() {
        let before = leftovers::Machine::now();
        let seen = probe.observe("doctor");
        assert_eq!(seen["tier"], format!("Ok(\"namespaces ({})\")", probe.expected_privilege()));
        assert_eq!(seen.len(), 7, "{seen:?}");
        assert!(seen.values().all(|outcome| outcome.starts_with("Ok(")), "{seen:?}");
        leftovers::await_nothing_left(probe.run(), &before, probe::DEADLINE).unwrap();
    }
}
