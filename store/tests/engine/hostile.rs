//! Any byte of any file may be wrong, any file cut short or exchanged: the answer is right, or an error
//! that names the file.
//!
//! A small directory has everything a large one has: tables on several levels, of several partitions,
//! with tombstones, and a log of two segments. Each of its bytes is changed in turn, each file cut at
//! each length; the tree is opened on that, asked for every key and for all, merged, and opened again.
//!
//! What no file can tell is said here, too: of the newest segment of the log, and of any that was never
//! synced, a lost end looks like writes that never came. Then what is found must be the past, and never
//! a mixture.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use store::lsm::Tree;
use store::lsm::vfs::{Lock, ModelDisk, Vfs, VfsFile};

use super::by_hand::*;
use super::*;

type Files = Vec<(PathBuf, Vec<u8>)>;

const KEYS: usize = 60;

/// Length of a segment's header.
const HEADER_BYTES: usize = 40;

fn options(sync: Sync) -> Options {
    let table =
        TableShape { block_bytes: 128, partition_bytes: 384, compression: Compression::Lz4 };
    let shape = Shape { level0_trigger: 2, level1_bytes: 2_000, fanout: 2, table_bytes: 1_300 };
    Options { memtable_bytes: 2_200, table, shape, ..by_hand(sync) }
}

/// How the tree that made the directory ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// As a killed process does.
    Killed,
    /// In order: the log says that all of it was synced.
    Finished,
}

/// A directory to be damaged.
struct Victim {
    sync: Sync,
    end: End,
    files: Files,
    /// The files some time before.
    older: Files,
    /// What it held after each batch; the last is what it holds.
    history: Vec<Map>,
    /// What of `history` was written before the newest segment began.
    before_newest: usize,
    /// And before the other one.
    before_older: usize,
}

impl Victim {
    fn make(sync: Sync, end: End) -> Victim {
        let (disk, mut rng) = (ModelDisk::new(), ChaCha8Rng::seed_from_u64(3));
        let tree = open_by_hand(&disk, options(sync)).unwrap();
        let (mut history, mut older) = (vec![Map::new()], Vec::new());
        let (mut before_newest, mut before_older) = (0, 0);
        for write in 1..=300 {
            let segments = names(&disk, "log-").last().cloned();
            let batch = random_batch(&mut rng, KEYS);
            history.push(with(history.last().unwrap(), &batch));
            tree.commit(batch).unwrap();
            if names(&disk, "log-").last().cloned() != segments {
                (before_older, before_newest) = (before_newest, history.len() - 1);
            }
            if write == 80 {
                older = disk.files();
            }
            // The last segment but one stays: its memtable is not flushed.
            if write > 120 && names(&disk, "log-").len() == 2 && history.len() > before_newest + 4 {
                break;
            }
            assert!(write < 300, "{:?} {before_newest} of {}", names(&disk, ""), history.len());
            if write <= 120 {
                while tree.flush_one().unwrap() {}
            }
            if write < 105 && write % 4 == 0 {
                tree.compact_one().unwrap();
            }
        }
        let tables = tree.statistics().tables;
        assert!(
            tables[0] > 0 && tables.iter().filter(|count| **count > 0).count() > 2,
            "{tables:?}"
        );
        if end == End::Finished {
            tree.finish().unwrap();
        }
        Victim { sync, end, files: disk.files(), older, history, before_newest, before_older }
    }

    fn newest_log(&self) -> &Path {
        self.files_of("log-").map(|(path, _)| path).max().unwrap()
    }

    fn files_of(&self, kind: &str) -> impl Iterator<Item = &(PathBuf, Vec<u8>)> {
        self.files.iter().filter(move |(path, _)| path.to_str().unwrap().contains(kind))
    }

    fn latest(&self) -> &[Map] {
        &self.history[self.history.len() - 1..]
    }

    /// What may be found where a byte of `path` is wrong.
    fn after_change(&self, path: &Path) -> &[Map] {
        match (self.end, self.sync) {
            _ if path != self.newest_log() => self.after_cut(path),
            (End::Finished, _) => self.latest(),
            // Each record knows the one before to be synced; nobody knows the last.
            (End::Killed, Sync::Always) => &self.history[self.history.len() - 2..],
            (End::Killed, _) => self.after_cut(path),
        }
    }

    /// What may be found where `path` is cut.
    fn after_cut(&self, path: &Path) -> &[Map] {
        let is_log = self.files_of("log-").any(|(log, _)| log == path);
        if path == self.newest_log() {
            &self.history[self.before_newest..]
        } else if is_log && self.was_never_synced() {
            &self.history[self.before_older..=self.before_newest]
        } else {
            self.latest()
        }
    }

    /// Whether nothing says of any record that it was on the platter.
    fn was_never_synced(&self) -> bool {
        (self.sync, self.end) == (Sync::Never, End::Killed)
    }

    /// Whether enough was refused: of segments never synced, only what cannot be read as a header.
    fn has_refused_enough(&self, tally: &Tally, unreadable: usize) -> bool {
        if self.was_never_synced() { tally.refused == unreadable } else { tally.refused > 500 }
    }

    fn with(&self, path: &Path, bytes: Vec<u8>) -> Files {
        let mut files = self.files.clone();
        files.iter_mut().find(|(named, _)| named == path).unwrap().1 = bytes;
        files
    }
}

/// How it went with one damaged directory.
#[derive(Debug, Default)]
struct Tally {
    tried: usize,
    /// The tree did not open.
    refused: usize,
    /// It opened, and something could not be read.
    partly: usize,
}

/// A disk that gives nobody more bytes at once than the file has: a reader that asks for more has
/// believed a length, and allocated it.
#[derive(Debug)]
struct Frugal(ModelDisk);

#[derive(Debug)]
struct FrugalFile(Arc<dyn VfsFile>);

impl Vfs for Frugal {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        self.0.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        Ok(Arc::new(FrugalFile(self.0.open(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.0.list(directory)
    }
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.0.create_directory(path)
    }
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.0.sync_directory(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.0.lock(path)
    }
}

impl VfsFile for FrugalFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let length = self.0.len()?;
        assert!(buffer.len() as u64 <= length, "{} bytes of a file of {length}", buffer.len());
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.0.allocate(length)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

/// One damaged directory under examination.
struct Case<'a> {
    at: String,
    /// What it may hold; narrowed down by every answer.
    allowed: Vec<&'a Map>,
    /// The files that an error may name, and how long they were.
    suspects: Vec<(&'a Path, usize)>,
}

impl Case<'_> {
    /// An error names a file that was tampered with, and a place in it.
    fn require_named(&self, error: &EngineError) {
        let is_named = match error {
            EngineError::Damaged { path, offset, .. } => {
                let is_it = |(suspect, length): &(&Path, usize)| {
                    suspect == path && *offset <= *length as u64
                };
                self.suspects.iter().any(is_it)
            }
            _ => false,
        };
        assert!(is_named, "{}: failed to {error}", self.at);
    }

    /// Asks for every key, and for all; whether everything could be read.
    fn read(&mut self, tree: &Tree) -> bool {
        let mut is_whole = true;
        for key in (0..KEYS).map(key) {
            match tree.get(&key) {
                Ok(found) => self.allowed.retain(|map| map.get(&key) == found.as_ref()),
                Err(error) => {
                    self.require_named(&error);
                    is_whole = false;
                }
            }
            assert!(!self.allowed.is_empty(), "{}: a wrong answer for {key:?}", self.at);
        }
        match tree.scan(b"", usize::MAX) {
            Ok(found) => {
                self.allowed.retain(|map| map.iter().eq(found.iter().map(|(k, v)| (k, v))));
            }
            Err(error) => {
                self.require_named(&error);
                is_whole = false;
            }
        }
        assert!(!self.allowed.is_empty(), "{}: a wrong scan", self.at);
        is_whole
    }

    /// Opens `files`, reads, merges, reads, and does it all again.
    fn examine(mut self, files: Files, sync: Sync, tally: &mut Tally) {
        tally.tried += 1;
        let disk = Arc::new(Frugal(ModelDisk::from_files(files)));
        let mut is_whole = true;
        for _ in 0..2 {
            let tree = match Tree::open(disk.clone(), Path::new(DIRECTORY), options(sync)) {
                Ok(tree) => tree,
                Err(error) => {
                    self.require_named(&error);
                    tally.refused += 1;
                    return;
                }
            };
            is_whole &= self.read(&tree);
            if let Err(error) = merge_all(&tree) {
                self.require_named(&error);
            }
            is_whole &= self.read(&tree);
        }
        tally.partly += usize::from(!is_whole);
    }
}

/// Changes a bit of every byte of the files whose names contain `kind`.
fn change_every_byte(victim: &Victim, kind: &str) -> Tally {
    let mut tally = Tally::default();
    for (path, bytes) in victim.files_of(kind) {
        for at in interesting(bytes) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            let case = Case {
                at: format!("{:?}: byte {at} of {} changed", victim.end, path.display()),
                allowed: victim.after_change(path).iter().collect(),
                suspects: vec![(path, bytes.len())],
            };
            case.examine(victim.with(path, changed), victim.sync, &mut tally);
        }
    }
    tally
}

/// Cuts the files whose names contain `kind` at every length.
fn cut_everywhere(victim: &Victim, kind: &str) -> Tally {
    let mut tally = Tally::default();
    for (path, bytes) in victim.files_of(kind) {
        for length in interesting(bytes) {
            let case = Case {
                at: format!("{:?}: {} cut to {length}", victim.end, path.display()),
                allowed: victim.after_cut(path).iter().collect(),
                suspects: vec![(path, bytes.len())],
            };
            case.examine(victim.with(path, bytes[..length].to_vec()), victim.sync, &mut tally);
        }
    }
    tally
}

/// Every offset; of the zeros allocated ahead of a log, a few hundred.
fn interesting(bytes: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let border = bytes.len().min(end + 64);
    (0..border).chain((border..bytes.len()).step_by(331))
}

const ENDS: [(Sync, End); 4] = [
    (Sync::Always, End::Killed),
    (Sync::Always, End::Finished),
    (Sync::Never, End::Killed),
    (Sync::Never, End::Finished),
];

#[test]
fn a_changed_byte_of_table_or_manifest_is_an_error_that_names_it() {
    let victim = Victim::make(Sync::Always, End::Killed);
    for kind in ["table-", "MANIFEST"] {
        let tally = change_every_byte(&victim, kind);
        let bytes: usize = victim.files_of(kind).map(|(_, bytes)| bytes.len()).sum();
        let seen = if kind == "MANIFEST" { tally.refused } else { tally.partly };
        assert_eq!((tally.tried, seen), (bytes, bytes), "{kind}");
        assert!(kind == "MANIFEST" || tally.tried > 4_000, "{tally:?}");
    }
}

#[test]
fn a_changed_byte_of_the_log_is_an_error_that_names_it_or_a_tear_nobody_promised_against() {
    let mut tried = 0;
    for (sync, end) in ENDS {
        let victim = Victim::make(sync, end);
        let tally = change_every_byte(&victim, "log-");
        assert!(victim.has_refused_enough(&tally, 2 * HEADER_BYTES), "{sync:?} {end:?} {tally:?}");
        tried += tally.tried;
    }
    assert!(tried > 4_000, "only {tried} changes were tried");
}

#[test]
fn a_cut_table_or_manifest_is_an_error_that_names_it() {
    let victim = Victim::make(Sync::Always, End::Killed);
    for kind in ["table-", "MANIFEST"] {
        let tally = cut_everywhere(&victim, kind);
        let seen = if kind == "MANIFEST" { tally.refused } else { tally.partly };
        assert_eq!(tally.tried, seen, "{kind}");
        assert!(kind == "MANIFEST" || tally.tried > 4_000, "{tally:?}");
    }
}

#[test]
fn a_cut_log_is_an_error_that_names_it_or_a_past_state() {
    let mut tried = 0;
    for (sync, end) in ENDS {
        let victim = Victim::make(sync, end);
        let tally = cut_everywhere(&victim, "log-");
        assert!(victim.has_refused_enough(&tally, HEADER_BYTES), "{sync:?} {end:?} {tally:?}");
        tried += tally.tried;
    }
    assert!(tried > 4_000, "only {tried} cuts were tried");
}

/// Of files nobody wrote, the log's newest may pass for one torn while it was made.
#[test]
fn garbage_in_place_of_a_file_is_refused_by_name() {
    let (victim, mut rng) =
        (Victim::make(Sync::Always, End::Finished), ChaCha8Rng::seed_from_u64(1));
    let mut tally = Tally::default();
    for (path, bytes) in &victim.files {
        for round in 0..60 {
            let kept = if round % 2 == 0 { 0 } else { rng.random_range(0..=bytes.len()) };
            let mut garbage = vec![0; rng.random_range(0..2_000)];
            rng.fill_bytes(&mut garbage);
            let forged = [&bytes[..kept], &garbage].concat();
            let case = Case {
                at: format!("{}: {kept} bytes, then garbage", path.display()),
                allowed: victim.after_cut(path).iter().collect(),
                suspects: vec![(path, bytes.len().max(forged.len()))],
            };
            case.examine(victim.with(path, forged), victim.sync, &mut tally);
        }
    }
    // Of a table only its own keys are lost.
    assert!(tally.refused > 100 && tally.refused + tally.partly > 300, "{tally:?}");
}

#[test]
fn tables_and_segments_under_each_others_names_are_refused() {
    let victim = Victim::make(Sync::Always, End::Killed);
    let mut tally = Tally::default();
    for (one, _) in &victim.files {
        for (other, bytes) in victim.files.iter().filter(|(other, _)| other != one) {
            if one.ends_with("LOCK") {
                continue;
            }
            let case = Case {
                at: format!("{} under the name {}", other.display(), one.display()),
                // An empty file in place of the newest segment is one torn while it was made.
                allowed: victim.after_cut(one).iter().collect(),
                suspects: vec![(one, bytes.len())],
            };
            case.examine(victim.with(one, bytes.clone()), victim.sync, &mut tally);
        }
    }
    // What is no table at all is one that is damaged; a table of another name ends the start.
    assert!(tally.tried > 50 && tally.refused + tally.partly > tally.tried - 3, "{tally:?}");
    assert!(tally.refused > tally.tried / 2, "{tally:?}");
}

#[test]
fn a_segment_of_another_engine_is_refused() {
    let victim = Victim::make(Sync::Always, End::Killed);
    // The same segment of an engine that took other writes before.
    let disk = ModelDisk::new();
    let tree = open_by_hand(&disk, options(Sync::Always)).unwrap();
    let newest = victim.newest_log().file_name().unwrap().to_str().unwrap().to_owned();
    let large = "v".repeat(600);
    while names(&disk, "log-").last() != Some(&newest) {
        tree.commit(batch(&[("key00", Some(&large))])).unwrap();
    }
    tree.commit(batch(&[("key01", Some("strange"))])).unwrap();
    let files = disk.files();
    let (_, strange) = files.iter().find(|(path, _)| path == victim.newest_log()).unwrap();
    let case = Case {
        at: "another engine's segment".to_owned(),
        allowed: Vec::new(),
        suspects: victim.files.iter().map(|(path, bytes)| (&**path, bytes.len())).collect(),
    };
    let mut tally = Tally::default();
    case.examine(victim.with(victim.newest_log(), strange.clone()), victim.sync, &mut tally);
    assert_eq!(tally.refused, 1);
}

/// As after a backup that was put back in part: what the older manifest does not name is not a
/// leftover to be removed before it is known that all it does name is there.
#[test]
fn an_older_manifest_is_refused_and_what_is_newer_stays() {
    let victim = Victim::make(Sync::Always, End::Killed);
    let manifest = Path::new(DIRECTORY).join("MANIFEST");
    let of = |files: &Files| files.iter().find(|(path, _)| *path == manifest).unwrap().1.clone();
    assert_ne!(of(&victim.older), of(&victim.files));
    let disk = ModelDisk::from_files(victim.with(&manifest, of(&victim.older)));
    let error = open_by_hand(&disk, options(victim.sync)).map(drop).unwrap_err();
    assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
    let mut left = disk.files();
    left.iter_mut().find(|(path, _)| *path == manifest).unwrap().1 = of(&victim.files);
    assert_eq!(left, victim.files, "nothing was removed or changed");
}

#[test]
fn a_name_that_skips_billions_of_segments_is_not_counted_up_to() {
    let victim = Victim::make(Sync::Always, End::Killed);
    for number in [u64::MAX, 1 << 40] {
        let stray = Path::new(DIRECTORY).join(format!("log-{number:020}"));
        let mut files = victim.files.clone();
        files.push((stray, vec![7; 100]));
        let disk = ModelDisk::from_files(files);
        let error = open_by_hand(&disk, options(victim.sync)).map(drop).unwrap_err();
        assert!(matches!(error, EngineError::Damaged { .. }), "{error}");
    }
}

#[test]
fn what_each_file_holds_is_missed_where_it_is_gone() {
    let victim = Victim::make(Sync::Always, End::Killed);
    let mut refused = BTreeSet::new();
    for (path, bytes) in victim.files.iter().filter(|(path, _)| !path.ends_with("LOCK")) {
        let files = victim.files.iter().filter(|(other, _)| other != path).cloned().collect();
        let case = Case {
            at: format!("{} is gone", path.display()),
            allowed: victim.after_cut(path).iter().collect(),
            suspects: vec![(path, bytes.len())],
        };
        let mut tally = Tally::default();
        case.examine(files, victim.sync, &mut tally);
        if tally.refused == 1 {
            refused.insert(path.as_path());
        }
    }
    // The newest segment alone may be gone unseen: its name is the only sign of it.
    assert_eq!(refused.len(), victim.files.len() - 2, "{refused:?}");
    assert!(!refused.contains(victim.newest_log()));
}
