//! The process that breaks the cluster and mends it, and records what it did and how it bit.
//!
//! Each fault is four events: asked for, in force, asked to end, ended. The last carries the
//! evidence, read from outside the node: packets the cut dropped, the signal a killed process ended
//! by, the state the kernel shows of a stopped one, the files taken from a disk. A fault without
//! effect is recorded as such, and makes the run `Unknown`.
//!
//! Partitions may overlap: the cut in force is the union of those that hold. A node that ended by
//! itself, or does not come back from a kill, is the store's doing: the run goes on, and tells.
//!
//! A wipe lasts longer than its node is away: it ends when the node has caught up, which is watched
//! while the run goes on. When one may begin is decided in the `wipe` module; one that is held back
//! begins late, and one held back until its planned end is called off.

mod in_force;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use checker::{Event, Function, Kind, Note, Process, Value};
use serde_json::json;
use tokio::time::Instant;

use crate::catch_up::{self, Watch};
use crate::cluster::Cluster;
use crate::grudge::Grudge;
use crate::recorder::Recorder;
use crate::schedule::{Act, PlannedFault};
use crate::wipe::hindrance;
use in_force::{InForce, Undone};

/// How long nodes that lost their disk may take to catch up once everything else is mended.
const CATCH_UP_DEADLINE: Duration = Duration::from_secs(20);
/// How often one looks whether those that are waited for still run.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The process that breaks the cluster and mends it.
pub struct Nemesis {
    recorder: Recorder,
    /// The faults in force, by number.
    in_force: BTreeMap<u64, InForce>,
    /// Wipes that were asked for and have to wait, by number, with why.
    held_back: BTreeMap<u64, (PlannedFault, String)>,
    /// Wipes whose node was started again and was not seen to have caught up, by number.
    behind: BTreeMap<u64, InForce>,
    watch: Watch,
}

impl Nemesis {
    /// A nemesis that writes to `recorder`.
    pub fn new(recorder: Recorder) -> Nemesis {
        Nemesis {
            recorder,
            in_force: BTreeMap::new(),
            held_back: BTreeMap::new(),
            behind: BTreeMap::new(),
            watch: Watch::default(),
        }
    }

    /// Records the begin of a phase of the run.
    pub fn phase(&self, name: &str) -> Result<()> {
        self.record(Kind::Info, "phase", Note::from([("phase".to_owned(), json!(name))]))
    }

    /// Records whether the replicas came to rest before they are read, and what kept them from it.
    pub fn quiesced(&self, unrest: Option<&str>) -> Result<()> {
        let mut note = Note::from([("at rest".to_owned(), json!(unrest.is_none()))]);
        note.extend(unrest.map(|why| ("because".to_owned(), json!(why))));
        self.record(Kind::Info, "quiesce", note)
    }

    /// Records how many tombstones each node says it has reaped since it was last started.
    pub fn reaped(&self, tombstones: &BTreeMap<String, u64>) -> Result<()> {
        let note = Note::from([("tombstones".to_owned(), json!(tombstones))]);
        self.record(Kind::Info, "reaped", note)
    }

    /// Records a node that ended without being asked to.
    pub fn crashed(&self, crash: &crate::cluster::Crash) -> Result<()> {
        let note = Note::from([
            ("node".to_owned(), json!(crash.node)),
            ("status".to_owned(), json!(crash.status)),
            ("last words".to_owned(), json!(crash.last_words)),
        ]);
        self.record(Kind::Info, "crash", note)
    }

    /// Applies `fault`, or holds it back until it may be.
    pub async fn begin(&mut self, cluster: &mut Cluster, fault: &PlannedFault) -> Result<()> {
        self.record(Kind::Invoke, "begin", describe(fault))?;
        match self.hindrance(cluster, fault).await {
            None => self.strike(cluster, fault).await,
            Some(why) => {
                self.held_back.insert(fault.fault, (fault.clone(), why));
                Ok(())
            }
        }
    }

    /// Looks after what takes its time: ends the wipes whose nodes have caught up, and begins the first
    /// that was held back, if it may now strike.
    pub async fn look(&mut self, cluster: &mut Cluster) -> Result<()> {
        while let Some((fault, took)) = self.watch.seen() {
            self.caught_up(fault, Ok(took))?;
        }
        let Some((&number, _)) = self.held_back.first_key_value() else { return Ok(()) };
        let Some((fault, _)) = self.held_back.remove(&number) else { return Ok(()) };
        match self.hindrance(cluster, &fault).await {
            None => self.strike(cluster, &fault).await,
            Some(why) => {
                self.held_back.insert(number, (fault, why));
                Ok(())
            }
        }
    }

    /// Undoes `fault`, and records its evidence. A fault that is not in force is left alone.
    pub async fn end(&mut self, cluster: &mut Cluster, fault: u64) -> Result<()> {
        if let Some((fault, why)) = self.held_back.remove(&fault) {
            return self.call_off(&fault, &why);
        }
        let Some(mut state) = self.in_force.remove(&fault) else { return Ok(()) };
        self.record(Kind::Invoke, "end", describe(&state.fault))?;
        match state.undo(cluster, &self.cut_in_force()).await? {
            Undone::Over => self.ended(&state),
            Undone::Behind(since) => {
                let nodes = cluster.addresses();
                if let Some(&node) = state.fault.act.process().and_then(|node| nodes.get(node)) {
                    self.watch.follow(fault, node, since);
                }
                self.behind.insert(fault, state);
                Ok(())
            }
        }
    }

    /// Undoes every fault in force, in the order in which they began, and waits until all nodes have
    /// caught up, with a deadline; what cannot be undone holds up none of the others.
    pub async fn heal(&mut self, cluster: &mut Cluster) -> Result<()> {
        let mut healed = Ok(());
        let open: Vec<u64> = self.held_back.keys().chain(self.in_force.keys()).copied().collect();
        for fault in open {
            healed = healed.and(self.end(cluster, fault).await);
        }
        healed.and(self.await_those_behind(cluster).await)
    }

    async fn await_those_behind(&mut self, cluster: &mut Cluster) -> Result<()> {
        if self.behind.is_empty() {
            return Ok(());
        }
        let deadline = Instant::now() + CATCH_UP_DEADLINE;
        while Instant::now() < deadline && self.behind.values().any(|it| runs(cluster, it)) {
            if let Some((fault, took)) = self.watch.next(LOOK_AGAIN).await {
                self.caught_up(fault, Ok(took))?;
            }
        }
        let standings = catch_up::ask(&cluster.addresses()).await;
        let left = std::mem::take(&mut self.behind);
        left.into_values().try_for_each(|mut state| {
            let standing = state.fault.act.process().and_then(|node| standings.get(node));
            state.caught_up(Err(given_up(standing)));
            self.ended(&state)
        })
    }

    /// What forbids that `fault` begins now.
    async fn hindrance(&self, cluster: &Cluster, fault: &PlannedFault) -> Option<String> {
        if !matches!(fault.act, Act::Wipe(_)) {
            return None;
        }
        let open = self.in_force.values().chain(self.behind.values());
        let wipes = open.filter(|state| matches!(state.fault.act, Act::Wipe(_)));
        let lost: Vec<&str> =
            wipes.filter_map(|state| state.fault.act.process()).map(String::as_str).collect();
        hindrance(lost, &catch_up::ask(&cluster.addresses()).await)
    }

    async fn strike(&mut self, cluster: &mut Cluster, fault: &PlannedFault) -> Result<()> {
        let mut state = InForce::new(fault);
        let cut = match &fault.act {
            Act::Partition(grudge) => self.cut_in_force().union(grudge),
            Act::Kill(_) | Act::Pause(_) | Act::Wipe(_) => self.cut_in_force(),
        };
        state.strike(cluster, &cut).await?;
        let mut note = describe(fault);
        note.insert("evidence".to_owned(), json!(state.evidence()));
        self.in_force.insert(fault.fault, state);
        self.record(Kind::Info, "begin", note)
    }

    fn caught_up(&mut self, fault: u64, outcome: Result<Duration, String>) -> Result<()> {
        let Some(mut state) = self.behind.remove(&fault) else { return Ok(()) };
        state.caught_up(outcome);
        self.ended(&state)
    }

    /// Records the end of a fault, with all that was measured of it.
    fn ended(&self, state: &InForce) -> Result<()> {
        let mut note = describe(&state.fault);
        note.insert("evidence".to_owned(), json!(state.evidence()));
        note.insert("bit".to_owned(), json!(state.has_bitten()));
        self.record(Kind::Info, "end", note)
    }

    /// Records that `fault` never began, and why.
    fn call_off(&self, fault: &PlannedFault, why: &str) -> Result<()> {
        self.record(Kind::Invoke, "end", describe(fault))?;
        let mut note = describe(fault);
        note.insert("evidence".to_owned(), json!({ "called off": why }));
        note.insert("bit".to_owned(), json!(false));
        self.record(Kind::Info, "end", note)
    }

    /// The union of all partitions in force.
    fn cut_in_force(&self) -> Grudge {
        let grudges = self.in_force.values().filter_map(|state| match &state.fault.act {
            Act::Partition(grudge) => Some(grudge),
            Act::Kill(_) | Act::Pause(_) | Act::Wipe(_) => None,
        });
        grudges.fold(Grudge::none(), Grudge::union)
    }

    fn record(&self, kind: Kind, f: &str, note: Note) -> Result<()> {
        let mut event = Event {
            time: 0,
            process: Process::Nemesis,
            kind,
            f: Function::Other(f.to_owned()),
            key: None,
            value: Value::Note(note),
            node: None,
            version: None,
            error: None,
        };
        Ok(self.recorder.record(&mut event)?)
    }
}

/// Whether the node of a fault runs, and so may still catch up.
fn runs(cluster: &mut Cluster, state: &InForce) -> bool {
    state.fault.act.process().is_some_and(|node| cluster.is_running(node))
}

/// What was seen last of a node that was waited for in vain.
fn given_up(standing: Option<&Result<u64, String>>) -> String {
    match standing {
        Some(Ok(replicas)) => format!(
            "not within {CATCH_UP_DEADLINE:?} after all was mended: {replicas} replicas were left"
        ),
        Some(Err(why)) => format!("never: it does not answer: {why}"),
        None => "never: nobody knows it".to_owned(),
    }
}

/// What every event of a fault carries.
fn describe(fault: &PlannedFault) -> Note {
    let mut note = Note::from([
        ("fault".to_owned(), json!(fault.fault)),
        ("kind".to_owned(), json!(fault.act.kind())),
        ("nodes".to_owned(), json!(fault.act.nodes())),
        ("description".to_owned(), json!(fault.act.to_string())),
    ]);
    if let Act::Partition(grudge) = &fault.act
        && let Some(sides) = grudge.sides()
    {
        note.insert("sides".to_owned(), json!(sides));
    }
    note
}
