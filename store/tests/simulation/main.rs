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
//! world     all of them; and what they do:      post, serve, coordinate, mending
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
//! clocks (`lww`); other sync modes than `always`; bounds on hints and siblings; more than one disk
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
    let alone = std::env::var(SEED).ok().map(|seed| seed.parse::<u64>().expect("a seed is a number"));
    if let Some(seed) = alone {
        let run = Run::of(Plan::new(seed, None), Journal::kept());
        let journal = run.world.journal.text();
        println!("{:?}\n{journal}", run.world.plan);
        assert!(run.violations.is_empty(), "seed {seed}:\n{}", run.violations.join("\n"));
        return;
    }
    let mut written = 0;
    for seed in seeds.clone() {
        let Run { world, violations } = Run::of(Plan::new(seed, None), Journal::default());
        assert!(
            violations.is_empty(),
            "seed {seed}: {}\nto repeat it: {SEED}={seed} cargo test -p store --test simulation seeds",
            violations.join("\n")
        );
        written += world.clients.operations.iter().filter(|asked| asked.is_written()).count();
    }
    let runs = (seeds.end - seeds.start) as usize;
    assert!(written > 10 * runs, "only {written} writes in {runs} runs: that proves little");
}

/// Of a twin with this flaw: what first gave it away, and in which seed.
fn caught(flaw: Flaw, within: u64) -> String {
    for seed in 0..within {
        let run = Run::of(Plan::new(seed, Some(flaw)), Journal::default());
        if let Some(violation) = run.violations.first() {
            return format!("seed {seed}: {violation}");
        }
    }
    panic!("{within} seeds do not catch {flaw:?}");
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
fn twins() {
    for flaw in [
        Flaw::NoWriteBack,
        Flaw::AckBeforeDurable,
        Flaw::StandInForgets,
        Flaw::HintDroppedWhenSent,
        Flaw::EpochReused,
        Flaw::ForwardRepeated,
        Flaw::WipedAnswersAtOnce,
    ] {
        println!("{flaw:?}: {}", caught(flaw, 2000));
    }
}
