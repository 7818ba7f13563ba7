//! Random operations on a disk that fails now and then, compared with a map.
//!
//! A client writes; its tree flushes, merges, ends and starts again in any order, while single
//! operations of the disk fail and the power goes. After an error the tree may refuse to write; what it
//! answers stays right. After a start, what was promised to be durable is there, and what was not
//! promised is a past state: never a part of a batch, never a batch without the one before it.

use std::io::ErrorKind;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use store::lsm::vfs::{ModelDisk, Remains};
use store::lsm::{Snapshot, Tree};

use super::by_hand::*;
use super::*;

const KEYS: usize = 20;
const STEPS: usize = 120;

/// A client, what it knows, and the tree it uses.
struct Run {
    sync: Sync,
    rng: ChaCha8Rng,
    disk: ModelDisk,
    tree: Option<Tree>,
    /// The last state known to be durable, and every one after it; the last is what is read.
    states: Vec<Map>,
    /// The state with the batch whose commit failed: it may be there after a start.
    in_doubt: Option<Map>,
    snapshots: Vec<(Snapshot, Map)>,
    /// Numbers of the disk's operations that fail.
    faults: Vec<u64>,
    /// How many errors were seen, how often a process followed one that had seen some, on the same
    /// disk, and how often the power went.
    errors: usize,
    restarts_after_errors: usize,
    losses: usize,
}

impl Run {
    fn new(seed: u64) -> Run {
        let sync = [Sync::Always, Sync::Never, Sync::Every(0)][seed as usize % 3];
        let mut run = Run {
            sync,
            rng: ChaCha8Rng::seed_from_u64(seed),
            disk: ModelDisk::new(),
            tree: None,
            states: vec![Map::new()],
            in_doubt: None,
            snapshots: Vec::new(),
            faults: Vec::new(),
            errors: 0,
            restarts_after_errors: 0,
            losses: 0,
        };
        run.start();
        run
    }

    fn latest(&self) -> &Map {
        self.states.last().expect("there is always one")
    }

    fn tree(&self) -> &Tree {
        self.tree.as_ref().expect("it is started")
    }

    fn all_durable(&mut self) {
        self.states.drain(..self.states.len() - 1);
    }

    fn step(&mut self) {
        if self.rng.random_bool(0.04) {
            let kind = [ErrorKind::Other, ErrorKind::StorageFull][self.rng.random_range(0..2)];
            let operation = self.disk.operations() + self.rng.random_range(0..12);
            self.disk.fail_operation(operation, kind);
            self.faults.push(operation);
        }
        match self.rng.random_range(0..100) {
            0..50 => self.commit(),
            50..62 => self.tolerate(|tree| tree.flush_one().map(drop)),
            62..65 => self.sync(),
            65..85 => self.tolerate(|tree| tree.compact_one().map(drop)),
            85..90 => self.snapshots.push((self.tree().snapshot(), self.latest().clone())),
            90..93 => self.read_snapshots(),
            93..96 => self.restart(),
            96..98 => self.lose_power(),
            _ => self.read(),
        }
    }

    fn commit(&mut self) {
        let batch = random_batch(&mut self.rng, KEYS);
        let next = with(self.latest(), &batch);
        let syncs = self.tree().statistics().syncs;
        let committed = self.tree().commit(batch);
        match committed {
            Ok(()) => {
                assert!(self.in_doubt.is_none(), "a broken tree took a write");
                self.states.push(next);
                let synced = self.tree().statistics().syncs > syncs;
                assert!(synced || self.sync != Sync::Always, "answered before it was synced");
                if synced {
                    self.all_durable();
                }
            }
            Err(EngineError::Closed(_)) => {}
            Err(error) => {
                self.require_io(&error);
                self.in_doubt = Some(next);
            }
        }
        self.read();
    }

    /// What was answered is durable then, also where nobody promised it.
    fn sync(&mut self) {
        match self.tree().sync_log() {
            Ok(()) => self.all_durable(),
            Err(error) => {
                self.require_io(&error);
                self.require_refusal();
            }
        }
        self.read();
    }

    /// After a sync that failed no write is taken, until another start.
    fn require_refusal(&self) {
        let refuse = || self.tree().commit(batch(&[("refused", Some("at once"))])).unwrap_err();
        self.require_expected(&refuse());
        let again = refuse();
        assert!(matches!(again, EngineError::Closed(_)), "{again:?}");
    }

    fn tolerate(&mut self, step: impl Fn(&Tree) -> Result<(), EngineError>) {
        if let Err(error) = step(self.tree()) {
            self.require_io(&error);
        }
        self.read();
    }

    fn require_io(&mut self, error: &EngineError) {
        self.require_expected(error);
        self.errors += 1;
    }

    fn require_expected(&self, error: &EngineError) {
        let expected = matches!(error, EngineError::Io { .. } | EngineError::Closed(_));
        assert!(expected, "{:?}: no byte is damaged, but: failed to {error}", self.sync);
    }

    /// Everything is as it was written last.
    fn read(&self) {
        assert_eq!(self.scan(), *self.latest(), "by scan");
        for key in (0..KEYS).map(key) {
            assert_eq!(self.tree().get(&key).unwrap().as_ref(), self.latest().get(&key), "{key:?}");
        }
    }

    fn scan(&self) -> Map {
        self.tree().scan(b"", usize::MAX).unwrap().into_iter().collect()
    }

    fn read_snapshots(&mut self) {
        for (snapshot, map) in self.snapshots.drain(..) {
            let (mut range, mut found) = (snapshot.range(b"").unwrap(), Map::new());
            while let Some((key, value)) = range.pair() {
                found.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
                range.advance().unwrap();
            }
            assert_eq!(found, map, "a snapshot moved");
            for key in (0..KEYS).map(key) {
                assert_eq!(snapshot.get(&key).unwrap().as_ref(), map.get(&key), "{key:?}");
            }
        }
    }

    /// The process ends, in order or not, and another begins. Where a sync failed the machine goes
    /// with it: what the next process would read is then not what the disk has, and no program can
    /// tell (Rebello et al., ATC 2020, §3).
    fn restart(&mut self) {
        self.read_snapshots();
        if self.disk.failed_syncs() > 0 {
            return self.lose_power();
        }
        let has_failed = self.faults.iter().any(|&operation| operation < self.disk.operations());
        self.restarts_after_errors += usize::from(has_failed);
        if !has_failed && self.rng.random_bool(0.5) {
            if let Err(error) = self.tree().finish() {
                self.require_io(&error);
                return self.lose_power();
            }
            self.all_durable();
        }
        self.tree = None;
        let (latest, losses) = (self.latest().clone(), self.losses);
        self.start();
        assert!(self.losses > losses || *self.latest() == latest, "no power was lost");
    }

    fn lose_power(&mut self) {
        self.read_snapshots();
        self.tree = None;
        self.cut_power();
        self.start();
    }

    fn cut_power(&mut self) {
        self.disk = self.disk.after_power_loss(Remains::drawn(self.rng.random()));
        self.faults.clear();
        self.losses += 1;
    }

    /// Starts, again if the disk fails meanwhile, and compares.
    fn start(&mut self) {
        let mut opened = open_by_hand(&self.disk, by_hand(self.sync));
        while let Err(error) = opened {
            // A fault planned for later is met now; whatever it left is of no use to a program.
            self.require_io(&error);
            self.cut_power();
            opened = open_by_hand(&self.disk, by_hand(self.sync));
        }
        self.tree = opened.ok();
        let found = self.scan();
        let is_allowed = self.states.contains(&found) || self.in_doubt.as_ref() == Some(&found);
        assert!(is_allowed, "{:?}: found {found:?}\nof {:?}", self.sync, self.states);
        (self.states, self.in_doubt) = (vec![found], None);
        self.read();
        self.require_no_leftover();
    }

    fn require_no_leftover(&self) {
        let tables: usize = self.tree().statistics().tables.iter().sum();
        assert_eq!(names(&self.disk, "table-").len(), tables, "{:?}", names(&self.disk, ""));
        let logs: Vec<u64> =
            names(&self.disk, "log-").iter().map(|it| it[4..].parse().unwrap()).collect();
        assert!(logs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{logs:?}");
        let others = names(&self.disk, "").len() - tables - logs.len();
        assert_eq!(others, 2, "LOCK and MANIFEST, but {:?}", names(&self.disk, ""));
    }
}

/// Panics with the seed; what came of it.
fn run(seed: u64) -> Run {
    let guard = SayOnPanic(seed);
    let mut run = Run::new(seed);
    for _ in 0..STEPS {
        run.step();
    }
    run.lose_power();
    std::mem::forget(guard);
    run
}

struct SayOnPanic(u64);

impl Drop for SayOnPanic {
    #[expect(clippy::print_stderr, reason = "a test that fails says how to repeat it")]
    fn drop(&mut self) {
        eprintln!("the seed was {}", self.0);
    }
}

#[test]
fn whatever_fails_reads_stay_right_and_promises_are_kept() {
    let (mut errors, mut restarts, mut losses) = (0, 0, 0);
    for seed in 0..600 {
        let run = run(seed);
        errors += run.errors;
        restarts += run.restarts_after_errors;
        losses += run.losses;
    }
    assert!(errors > 500 && losses > 1_500, "{errors} errors, {losses} losses of power");
    assert!(restarts > 100, "{restarts} restarts after errors");
}

#[test]
fn a_key_written_over_and_over_does_not_grow_the_log_without_bound() {
    let disk = ModelDisk::new();
    let tree = open_by_hand(&disk, by_hand(Sync::Never)).unwrap();
    for number in 0..500 {
        tree.commit(batch(&[("key", Some(&format!("{number:0100}")))])).unwrap();
        while tree.flush_one().unwrap() {}
    }
    assert!(tree.statistics().flushes > 3, "{:?}", tree.statistics());
    assert_eq!(names(&disk, "log-").len(), 1);
}
