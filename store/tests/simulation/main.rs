//! A whole cluster in one process, around the very values that decide on real nodes.
//!
//! The store's decisions are pure: requests ([`store::request`]), versions ([`store::version`]),
//! queues of hints ([`store::hint`]). Here they are run without sockets, files and clocks: time is
//! simulated, and a seed decides which messages are late, lost or out of turn, which links are cut and
//! which way, who crashes and when, what the disk had by then, and which node loses all it had. So a
//! bug that takes a month to meet is met in seconds, and met again by its seed.
//!
//! ```text
//! plan      what a seed decides before anything happens         flaw      what a twin does wrong
//! agenda    what is to happen, and when                         journal   what happened, to be read
//! network   cuts; how long a message takes      nemesis         what goes wrong
//! node      what a crash leaves of a node       disk, catch_up  what it had; when it may answer again
//! world     all of them; and what they do:      post, serve, coordinate, mending, reaping
//! clients   what is asked      operation        and how it ended
//! run       from the first event to the last    judge, witness  was every promise kept?
//! ```
//!
//! The promises are listed in `judge`. Unhealthy twins of the store, which each break one rule (`flaw`),
//! show that the simulation would see it if the store did.
//!
//! *To repeat one seed alone*, with a journal of all that happened in it:
//! `SCHISM_SEED=1234 cargo test -p store --test simulation seeds`.
//!
//! *What is not simulated*: the ring, gossip and Merkle trees (belief of who is down is chance, and
//! trees are compared as if they told the truth); a disk that lies, fails or fills up; a policy change;
//! clocks (`lww`); other sync modes than `always`; bounds on hints (in bytes and age) and on siblings; more than one disk
//! lost in a run. The shells of the store are replaced by those here, so their bugs are not found.
//! Source: the idea of FoundationDB's simulation; Zhou et al., SIGMOD 2021, §4.

mod agenda;
mod catch_up;
mod clients;
mod coordinate;
mod disk;
mod flaw;
mod journal;
mod judge;
mod letter;
mod mending;
mod nemesis;
mod network;
mod node;
mod operation;
mod plan;
mod post;
mod reaping;
mod run;
mod serve;
mod witness;
mod world;

use std::ops::Range;

use flaw::Flaw;
use journal::Journal;
use plan::Plan;
use run::Run;

/// Names the one seed to run.
const SEED: &str = "SCHISM_SEED";

/// Runs these seeds of the store as it is; each must keep every promise.
fn all_is_well(seeds: Range<u64>) {
    let runs = seeds.end - seeds.start;
    if let Ok(seed) = std::env::var(SEED) {
        let seed = seed.parse().expect("a seed is a number");
        if seeds.contains(&seed) {
            is_well_alone(seed);
        }
        return;
    }
    let (mut written, mut forgotten, mut guests) = (0, 0, 0);
    for seed in seeds {
        let Run { world, violations } = Run::of(Plan::new(seed, None), Journal::default());
        assert!(
            violations.is_empty(),
            "seed {seed}: {}\nto repeat it alone: \
             {SEED}={seed} cargo test -p store --test simulation seeds",
            violations.join("\n")
        );
        forgotten += world.witness.tombstones_forgotten();
        guests += world.witness.writes_of_guests();
        written +=
            world.clients.operations.iter().filter(|asked| asked.is_written()).count() as u64;
    }
    assert!(forgotten > runs / 2, "only {forgotten} tombstones were forgotten in {runs} runs");
    assert!(guests > runs / 20, "only {guests} writes were numbered by no primary in {runs} runs");
    assert!(written > 10 * runs, "only {written} writes in {runs} runs: that proves little");
}

/// Runs one seed, and tells all that happened in it if it breaks a promise.
fn is_well_alone(seed: u64) {
    let Run { world, violations } = Run::of(Plan::new(seed, None), Journal::kept());
    assert!(
        violations.is_empty(),
        "{:?}\n{}\nseed {seed}: {}",
        world.plan,
        world.journal.text(),
        violations.join("\n")
    );
}

/// A twin of the store with this flaw is given away by these words of the verdict, within so many seeds.
fn is_caught(flaw: Flaw, by: &str, within: u64) {
    let mut others = Vec::new();
    for seed in 0..within {
        let run = Run::of(Plan::new(seed, Some(flaw)), Journal::default());
        if run.violations.iter().any(|violation| violation.contains(by)) {
            return;
        }
        others.extend(run.violations);
    }
    others.truncate(20);
    panic!("in {within} seeds nothing says {by:?} of {flaw:?}, but: {others:#?}");
}

#[test]
fn seeds_of_the_first_quarter_keep_every_promise() {
    all_is_well(0..2_500);
}

#[test]
fn seeds_of_the_second_quarter_keep_every_promise() {
    all_is_well(2_500..5_000);
}

#[test]
fn seeds_of_the_third_quarter_keep_every_promise() {
    all_is_well(5_000..7_500);
}

#[test]
fn seeds_of_the_last_quarter_keep_every_promise() {
    all_is_well(7_500..10_000);
}

#[test]
fn a_read_that_does_not_write_back_is_caught() {
    is_caught(Flaw::NoWriteBack, "register: invalid", 1000);
}

#[test]
fn an_acknowledgement_before_the_disk_has_it_is_caught() {
    is_caught(Flaw::AckBeforeDurable, "was acknowledged, and is on", 50);
    is_caught(Flaw::AckBeforeDurable, "was acknowledged, and is lost", 1000);
}

#[test]
fn a_stand_in_that_keeps_nothing_is_caught() {
    is_caught(Flaw::StandInForgets, "was acknowledged, and is on", 50);
    is_caught(Flaw::StandInForgets, "the replicas differ in the end", 500);
}

#[test]
fn a_hint_dropped_before_its_owner_has_it_is_caught() {
    is_caught(Flaw::HintDroppedWhenSent, "the replicas differ in the end", 500);
}

#[test]
fn an_epoch_used_again_after_a_disk_was_lost_is_caught() {
    is_caught(Flaw::EpochReused, "was given to", 500);
    is_caught(Flaw::EpochReused, "was acknowledged, and is lost", 1000);
}

#[test]
fn a_dot_that_a_coordinator_gives_twice_is_caught() {
    is_caught(Flaw::GuestNumbersAgain, "was given to", 1000);
    is_caught(Flaw::GuestNumbersAgain, "was acknowledged, and is lost", 10_000);
}

#[test]
fn an_update_forwarded_again_is_caught() {
    is_caught(Flaw::ForwardRepeated, "was done as", 50);
    is_caught(Flaw::ForwardRepeated, "left a trace, and yet", 1000);
}

#[test]
fn a_node_that_answers_reads_before_it_has_caught_up_is_caught() {
    is_caught(Flaw::WipedAnswersAtOnce, "register: invalid", 2000);
}

#[test]
fn a_node_that_catches_up_while_its_former_life_still_counts_is_caught() {
    is_caught(Flaw::WipedCatchesUpAtOnce, "register: invalid", 10_000);
}

#[test]
fn tombstones_forgotten_at_once_are_caught() {
    is_caught(Flaw::ReapsAtOnce, "is back", 500);
    is_caught(Flaw::ReapsAtOnce, "register: invalid", 500);
}

#[test]
fn tombstones_forgotten_while_hints_are_kept_are_caught() {
    is_caught(Flaw::ReapsDespiteHints, "register: invalid", 10_000);
    is_caught(Flaw::ReapsDespiteHints, "is back", 10_000);
}

#[test]
fn tombstones_forgotten_while_messages_are_on_their_way_are_caught() {
    is_caught(Flaw::ReapsDespiteMessages, "is back", 10_000);
}

#[test]
fn a_counter_given_again_after_a_tombstone_was_forgotten_is_caught() {
    is_caught(Flaw::FloorForgotten, "was given to", 1000);
    is_caught(Flaw::FloorForgotten, "was acknowledged, and is lost", 10_000);
}
