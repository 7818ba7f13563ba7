//! The log is synced beside the writers: who writes waits for no sync, and a sync proves what was
//! before it.
//!
//! A sync of a real disk is over when the disk likes. Here a test decides: on a modelled disk each sync
//! of the log is met by somebody who lets it wait, or fail, or has the tree write, rotate and flush
//! just before the bytes are on the platter and just after, in the middle of the step that syncs.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, Weak};
use std::time::Instant;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use store::lsm::Tree;
use store::lsm::vfs::{Lock, ModelDisk, Remains, Vfs, VfsFile};

use super::by_hand::*;
use super::crash::{Known, every_cut};
use super::*;

/// Who meets a sync of the log.
trait Meet: Send + std::marker::Sync {
    /// Is there while `sync` puts a file on the platter, and says what came of it.
    fn meet(&self, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()>;
}

/// A modelled disk whose log is not synced without somebody being met.
struct MetDisk {
    disk: ModelDisk,
    meet: Arc<dyn Meet>,
}

/// A file of it; `is_log` if it is one of the log.
struct MetFile {
    file: Arc<dyn VfsFile>,
    meet: Arc<dyn Meet>,
    is_log: bool,
}

impl fmt::Debug for MetDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disk.fmt(f)
    }
}

impl fmt::Debug for MetFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

impl MetDisk {
    fn met(&self, path: &Path, file: Arc<dyn VfsFile>) -> Arc<dyn VfsFile> {
        let is_log = path.to_string_lossy().contains("log-");
        Arc::new(MetFile { file, meet: self.meet.clone(), is_log })
    }
}

impl Vfs for MetDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        self.disk.create(path).map(|file| self.met(path, file))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        self.disk.open(path).map(|file| self.met(path, file))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.create_directory(path)
    }
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_directory(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.disk.lock(path)
    }
}

impl VfsFile for MetFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }
    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.allocate(length)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    /// The header of a segment that is being made is not met: for that, who writes does wait.
    fn sync(&self) -> io::Result<()> {
        let has_records = self.is_log && self.file.len()? > 40;
        if has_records { self.meet.meet(&|| self.file.sync()) } else { self.file.sync() }
    }
}

/// Lets syncs wait until it is told how they end.
#[derive(Default)]
struct Gate {
    state: Mutex<AtGate>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct AtGate {
    is_closed: bool,
    /// How many of those that come to the closed gate are let through.
    passes: usize,
    /// Whether those let through fail.
    fails: bool,
    /// How many came, and how many are there; and the most that ever were.
    came: usize,
    there: usize,
    most: usize,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, AtGate> {
        self.state.lock().unwrap()
    }

    fn tell(&self, change: impl Fn(&mut AtGate)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits until so many syncs came.
    fn wait_for(&self, came: usize) {
        let few = |at: &mut AtGate| at.came < came;
        let (at, waited) = self.changed.wait_timeout_while(self.state(), PATIENCE, few).unwrap();
        assert!(!waited.timed_out(), "{came} syncs awaited, {at:?}");
    }
}

impl Meet for Gate {
    fn meet(&self, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        self.tell(|at| {
            (at.came, at.there) = (at.came + 1, at.there + 1);
            at.most = at.most.max(at.there);
        });
        let held = |at: &mut AtGate| at.is_closed && at.passes == 0;
        let mut at = self.changed.wait_while(self.state(), held).unwrap();
        at.passes = at.passes.saturating_sub(1);
        at.there -= 1;
        if at.fails { Err(io::Error::other("the platter is gone")) } else { sync() }
    }
}

/// A gate that opens when its keeper goes: an engine that ends waits for its syncs.
struct Keeper(Arc<Gate>);

impl Deref for Keeper {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.0
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.tell(|at| at.is_closed = false);
    }
}

/// An engine on a disk whose gate is closed from the first write on. The keeper comes last, and so goes
/// first.
fn gated(options: Options) -> (ModelDisk, Arc<Lsm>, Keeper) {
    let (disk, gate) = (ModelDisk::new(), Arc::new(Gate::default()));
    let met = MetDisk { disk: disk.clone(), meet: gate.clone() };
    let engine = Lsm::open_on(Arc::new(met), Path::new(DIRECTORY), options).unwrap();
    gate.tell(|at| at.is_closed = true);
    (disk, Arc::new(engine), Keeper(gate))
}

/// Waits for a condition of the engine.
fn wait_until(engine: &Lsm, what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: {:?}", engine.statistics());
        std::thread::yield_now();
    }
}

/// A record of the log, as it is read now.
#[derive(Debug)]
struct Record {
    path: PathBuf,
    /// Where it begins.
    offset: usize,
    sequence: u64,
    /// Up to where it says that all is on the platter.
    synced: u64,
}

/// The records of the segments that are there, in order. The format is drawn in `lsm/format.rs`.
fn records(disk: &ModelDisk) -> Vec<Record> {
    let mut records = Vec::new();
    let files = disk.files().into_iter();
    for (path, bytes) in files.filter(|(path, _)| path.to_string_lossy().contains("log-")) {
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let mut offset = 40;
        // Zeros are room.
        while bytes.len() > offset + 28 && u64_at(offset + 8) > 0 {
            let (sequence, synced) = (u64_at(offset + 8), u64_at(offset + 16));
            records.push(Record { path: path.clone(), offset, sequence, synced });
            offset += 28 + u64_at(offset + 4) as u32 as usize;
        }
    }
    records
}

/// How many records are there, after asserting that no sync was over when any was written.
#[track_caller]
fn count_unsynced(disk: &ModelDisk) -> usize {
    let records = records(disk);
    assert!(records.iter().all(|record| record.synced == 0), "{records:?}");
    records.len()
}

/// Leaves a batch and leads it, as a connection does that has others to serve.
fn lead(engine: &Lsm, one: Batch) -> Result<(), EngineError> {
    let (told, answer) = mpsc::channel();
    let done = Box::new(move |result| told.send(result).unwrap());
    if let Err(refused) = engine.leave(one, done) {
        return Err(refused.why);
    }
    engine.lead();
    answer.recv_timeout(PATIENCE).expect("an answer within patience")
}

#[test]
fn writers_are_answered_while_a_sync_is_held_up_and_none_of_them_is_called_synced() {
    let options = Options { sync: Sync::Every(1), ..Options::default() };
    let (disk, engine, gate) = gated(options);
    put(&engine, "before", "the sync");
    gate.wait_for(1);
    for number in 0..100 {
        let one = |kind: &str| batch(&[(&format!("{kind}{number}"), Some("value"))]);
        write(&engine, one("left")).unwrap();
        lead(&engine, one("led")).unwrap();
        engine.commit(one("committed")).unwrap();
        assert_eq!(engine.get(format!("led{number}").as_bytes()).unwrap(), Some("value".into()));
    }
    assert_eq!((engine.statistics().writes, engine.statistics().syncs), (301, 0));
    assert_eq!(count_unsynced(&disk), 301);
    // What that sync was begun for is synced once it is done, and nothing that came meanwhile.
    gate.tell(|at| at.passes = 1);
    wait_until(&engine, "a sync", || engine.statistics().syncs == 1);
    put(&engine, "after", "the sync");
    let records = records(&disk);
    let last = records.last().unwrap();
    assert_eq!((last.sequence, last.synced), (302, 1));
    // And one more was due all the time, for all of them: not one for each interval that went by.
    gate.wait_for(2);
    gate.tell(|at| at.is_closed = false);
    engine.close().unwrap();
    assert_eq!(gate.state().most, 1, "{:?}", gate.state());
}

#[test]
fn segments_end_and_are_flushed_and_removed_while_one_of_them_is_synced() {
    let (disk, engine, gate) = gated(tiny(Sync::Every(1)));
    put(&engine, "before", "the sync");
    gate.wait_for(1);
    for number in 0..200 {
        put(&engine, &format!("key{:03}", number % 50), &format!("{number:0100}"));
    }
    engine.flush().unwrap();
    assert!(engine.statistics().flushes > 3, "{:?}", engine.statistics());
    assert!(!names(&disk, "log-").contains(&"log-00000000000000000001".to_owned()));
    assert_eq!((engine.statistics().syncs, gate.state().came), (0, 1));
    gate.tell(|at| at.is_closed = false);
    put(&engine, "after", "the sync");
    engine.close().unwrap();
    drop(engine);
    for remains in Remains::all() {
        let tree = open_by_hand(&disk.after_power_loss(remains), by_hand(Sync::Never)).unwrap();
        assert_eq!(tree.scan(b"", usize::MAX).unwrap().len(), 52, "{remains}");
    }
}

#[test]
fn after_a_sync_beside_the_writers_failed_no_write_is_acknowledged() {
    let options = Options { sync: Sync::Every(1), ..Options::default() };
    let (disk, engine, gate) = gated(options);
    put(&engine, "before", "the sync");
    gate.wait_for(1);
    put(&engine, "during", "the sync");
    gate.tell(|at| (at.fails, at.passes) = (true, 1));
    wait_until(&engine, "a refusal", || write(&engine, batch(&[("after", None)])).is_err());
    let refused = [
        write(&engine, batch(&[("after", Some("it"))])),
        lead(&engine, batch(&[("after", Some("it"))])),
        engine.commit(batch(&[("after", Some("it"))])),
    ];
    for refused in refused {
        let why = refused.unwrap_err().to_string();
        assert!(why.contains("the platter is gone"), "{why}");
    }
    assert_eq!(engine.get(b"during").unwrap(), Some("the sync".into()), "reads go on");
    assert_eq!(engine.get(b"after").unwrap(), None);
    assert!(count_unsynced(&disk) >= 2);
    let came = gate.state().came;
    gate.tell(|at| at.is_closed = false);
    assert!(engine.close().is_err());
    assert_eq!(gate.state().came, came, "a disk that failed is not asked again");
}

#[test]
fn an_engine_that_closes_waits_for_the_sync_under_way_and_syncs_what_came_since() {
    let options = Options { sync: Sync::Every(1), ..Options::default() };
    let (disk, engine, gate) = gated(options);
    put(&engine, "before", "the sync");
    gate.wait_for(1);
    put(&engine, "during", "the sync");
    let closing = engine.clone();
    let closed = std::thread::spawn(move || closing.close());
    wait_until(&engine, "an end", || engine.commit(Batch::default()).is_err());
    assert_eq!(engine.statistics().syncs, 0);
    gate.tell(|at| at.is_closed = false);
    closed.join().unwrap().unwrap();
    drop(engine);
    assert_eq!(gate.state().most, 1, "two syncs of one file");
    for remains in Remains::all() {
        let tree = open_by_hand(&disk.after_power_loss(remains), by_hand(Sync::Never)).unwrap();
        let found = tree.scan(b"", usize::MAX).unwrap();
        assert_eq!(found.len(), 2, "{remains}");
    }
}

/// Has a client use the tree around each sync.
#[derive(Default)]
struct Interrupts {
    client: OnceLock<Weak<Client>>,
}

impl Meet for Interrupts {
    fn meet(&self, sync: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        let client = self.client.get().and_then(Weak::upgrade);
        if let Some(client) = &client {
            client.interrupt();
        }
        let synced = sync();
        if let Some(client) = client.filter(|_| synced.is_ok()) {
            client.interrupt();
        }
        synced
    }
}

/// One who writes, also while the log is synced.
struct Client {
    tree: Tree,
    notes: Mutex<Notes>,
}

/// What a client works with.
struct Notes {
    rng: ChaCha8Rng,
    known: Known,
    /// Whether something failed: there is no tree any more to be used.
    is_over: bool,
}

impl Client {
    fn open(disk: &ModelDisk, known: Known) -> Result<Arc<Client>, EngineError> {
        let interrupts = Arc::new(Interrupts::default());
        let vfs = MetDisk { disk: disk.clone(), meet: interrupts.clone() };
        // So large that nothing is frozen but by hand.
        let options = Options { memtable_bytes: 1 << 20, ..by_hand(Sync::Every(0)) };
        let tree = Tree::open(Arc::new(vfs), Path::new(DIRECTORY), options)?;
        let notes = Notes { rng: ChaCha8Rng::seed_from_u64(3), known, is_over: false };
        let client = Arc::new(Client { tree, notes: Mutex::new(notes) });
        interrupts.client.set(Arc::downgrade(&client)).expect("it is met by one");
        Ok(client)
    }

    fn write(&self) -> Result<(), EngineError> {
        let mut notes = self.notes.lock().unwrap();
        let batch = random_batch(&mut notes.rng, 24);
        let latest = notes.known.unsynced.last().unwrap_or(&notes.known.acknowledged);
        let next = with(latest, &batch);
        notes.known.unsynced.push(next);
        self.tree.commit(batch)
    }

    /// One thing that others do while the log is synced.
    fn interrupt(&self) {
        let (choice, is_over) = {
            let mut notes = self.notes.lock().unwrap();
            (notes.rng.random_range(0..8), notes.is_over)
        };
        if is_over {
            return;
        }
        let done = match choice {
            0 => self.tree.freeze().and_then(|()| self.write()),
            1 => self.tree.flush_one().map(drop),
            2 => Ok(()),
            _ => self.write(),
        };
        self.notes.lock().unwrap().is_over |= done.is_err();
    }

    /// What was written before this began is durable after it.
    fn sync(&self) -> Result<(), EngineError> {
        let before = self.notes.lock().unwrap().known.unsynced.len();
        self.tree.sync_log()?;
        self.notes.lock().unwrap().known.outlive(before);
        Ok(())
    }
}

/// Writes, and syncs the log with more writes in the middle of it; how often it merged.
fn work(client: &Client) -> Result<usize, EngineError> {
    let mut merged = 0;
    for round in 0..24 {
        for _ in 0..=round % 3 {
            client.write()?;
        }
        if round % 4 == 1 {
            client.tree.freeze()?;
        }
        client.sync()?;
        if round % 4 == 3 {
            while client.tree.flush_one()? {}
            while client.tree.compact_one()? {
                merged += 1;
            }
        }
    }
    Ok(merged)
}

#[test]
fn what_is_written_beside_a_sync_is_not_synced_by_it_wherever_the_power_is_lost() {
    let tried = every_cut(Sync::Every(0), |disk, known| {
        let client = Client::open(disk, std::mem::take(known))?;
        let worked = work(&client);
        *known = client.notes.lock().unwrap().known.clone();
        worked
    });
    assert!(tried > 5_000, "only {tried} crashes were tried");
}

#[test]
fn what_a_sync_proved_is_damage_when_it_is_lost_and_what_came_beside_it_is_a_tear() {
    let disk = ModelDisk::new();
    let client = Client::open(&disk, Known::default()).unwrap();
    for round in 0..6 {
        client.write().unwrap();
        if round % 2 == 1 {
            client.tree.freeze().unwrap();
        }
        client.sync().unwrap();
    }
    client.write().unwrap();
    drop(client);
    let records = records(&disk);
    let Record { sequence: last, synced, .. } = *records.last().unwrap();
    assert!(0 < synced && synced + 1 < last, "some came beside the last sync: {records:?}");
    for Record { path, offset, sequence, .. } in records {
        let damaged = ModelDisk::from_files(disk.files());
        damaged.flip_bit(&path, offset as u64 * 8);
        let opened = open_by_hand(&damaged, by_hand(Sync::Never)).map(drop);
        let is_damage = matches!(opened, Err(EngineError::Damaged { .. }));
        assert_eq!(
            is_damage,
            sequence <= synced,
            "{sequence} of {last}; {synced} synced: {opened:?}"
        );
    }
}
