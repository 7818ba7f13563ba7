//! The process that breaks the cluster and mends it, and records what it did and how it bit.
//!
//! Each fault is four events: asked for, in force, asked to end, ended. The last carries the
//! evidence, read from outside the node: packets the cut dropped, the signal a killed process ended
//! by, the state the kernel shows of a stopped one. A fault without effect is recorded as such, and
//! makes the run `Unknown`.
//!
//! Partitions may overlap: the cut in force is the union of those that hold. A node that ended by
//! itself, or does not come back from a kill, is the store's doing: the run goes on, and tells.

use std::collections::BTreeMap;

use anyhow::Result;
use checker::{Event, Function, Kind, Note, Process, Value};
use serde_json::json;

use crate::cluster::{Cluster, Dropped};
use crate::grudge::Grudge;
use crate::recorder::Recorder;
use crate::schedule::{Act, PlannedFault};

/// In place of evidence, where there was nothing to break.
const NOT_RUNNING: &str = "not running";

/// The process that breaks the cluster and mends it.
pub struct Nemesis {
    recorder: Recorder,
    /// The faults in force, by number, with what was measured at their begin.
    in_force: BTreeMap<u64, InForce>,
}

struct InForce {
    fault: PlannedFault,
    evidence: Note,
    bit: bool,
    /// For a partition: the counters when it began.
    dropped: Dropped,
}

impl Nemesis {
    /// A nemesis that writes to `recorder`.
    pub fn new(recorder: Recorder) -> Nemesis {
        Nemesis { recorder, in_force: BTreeMap::new() }
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

    /// Applies `fault`.
    pub async fn begin(&mut self, cluster: &mut Cluster, fault: &PlannedFault) -> Result<()> {
        self.record(Kind::Invoke, "begin", describe(fault))?;
        let mut state = InForce {
            fault: fault.clone(),
            evidence: Note::new(),
            bit: false,
            dropped: Dropped::new(),
        };
        match &fault.act {
            Act::Partition(grudge) => {
                state.dropped = cluster.dropped()?;
                cluster.cut(&self.cut_in_force().union(grudge))?;
            }
            Act::Kill(node) => {
                let exit = cluster.kill(node).await?;
                state.bit = exit.is_some();
                let exit = exit.map_or_else(|| NOT_RUNNING.to_owned(), |exit| exit.to_string());
                state.evidence.insert("exit".to_owned(), json!(exit));
            }
            Act::Pause(node) => {
                let states = cluster.pause(node).await?.map(|seen| seen.states);
                let stopped = |states: &String| states.chars().all(|state| state == 'T');
                state.bit = states.as_ref().is_some_and(stopped);
                let states = states.unwrap_or_else(|| NOT_RUNNING.to_owned());
                state.evidence.insert("threads while paused".to_owned(), json!(states));
            }
        }
        let mut note = describe(fault);
        note.insert("evidence".to_owned(), json!(state.evidence));
        self.in_force.insert(fault.fault, state);
        self.record(Kind::Info, "begin", note)
    }

    /// Undoes `fault`, and records its evidence. A fault that is not in force is left alone.
    pub async fn end(&mut self, cluster: &mut Cluster, fault: u64) -> Result<()> {
        let Some(mut state) = self.in_force.remove(&fault) else { return Ok(()) };
        self.record(Kind::Invoke, "end", describe(&state.fault))?;
        match &state.fault.act {
            Act::Partition(grudge) => {
                cluster.cut(&self.cut_in_force())?;
                let packets = dropped_by(grudge, &state.dropped, &cluster.dropped()?);
                state.bit = packets.values().any(|&count| count > 0);
                let total: u64 = packets.values().sum();
                state.evidence.insert("packets dropped".to_owned(), json!(total));
                state.evidence.insert("by link".to_owned(), json!(packets));
            }
            // What this fault did not kill is not its own to start.
            Act::Kill(_) if !state.bit => {}
            Act::Kill(node) => {
                let silence = cluster.restart(node).await?;
                let came_back = silence.unwrap_or_else(|| "answers".to_owned());
                state.evidence.insert("after its restart".to_owned(), json!(came_back));
            }
            Act::Pause(node) => {
                let states = cluster.resume(node).await?.map(|seen| seen.states);
                let states = states.unwrap_or_else(|| NOT_RUNNING.to_owned());
                state.evidence.insert("threads when resumed".to_owned(), json!(states));
            }
        }
        let mut note = describe(&state.fault);
        note.insert("evidence".to_owned(), json!(state.evidence));
        note.insert("bit".to_owned(), json!(state.bit));
        self.record(Kind::Info, "end", note)
    }

    /// Undoes every fault in force, in the order in which they began; one that cannot be undone
    /// holds up none of the others.
    pub async fn heal(&mut self, cluster: &mut Cluster) -> Result<()> {
        let mut healed = Ok(());
        while let Some((&fault, _)) = self.in_force.first_key_value() {
            healed = healed.and(self.end(cluster, fault).await);
        }
        healed
    }

    /// The union of all partitions in force.
    fn cut_in_force(&self) -> Grudge {
        let grudges = self.in_force.values().filter_map(|state| match &state.fault.act {
            Act::Partition(grudge) => Some(grudge),
            Act::Kill(_) | Act::Pause(_) => None,
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

/// What every event of a fault carries.
fn describe(fault: &PlannedFault) -> Note {
    Note::from([
        ("fault".to_owned(), json!(fault.fault)),
        ("kind".to_owned(), json!(fault.act.kind())),
        ("nodes".to_owned(), json!(fault.act.nodes())),
        ("description".to_owned(), json!(fault.act.to_string())),
    ])
}

/// Packets dropped on the links of `grudge` between two readings of the counters.
fn dropped_by(grudge: &Grudge, before: &Dropped, after: &Dropped) -> BTreeMap<String, u64> {
    let count =
        |reading: &Dropped, link: &(String, String)| reading.get(link).copied().unwrap_or(0);
    grudge
        .pairs()
        .map(|(from, to)| {
            let link = (from.to_owned(), to.to_owned());
            let packets = count(after, &link).saturating_sub(count(before, &link));
            (format!("{from} → {to}"), packets)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_credited_only_with_what_its_own_links_dropped_meanwhile() {
        let link = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let before = Dropped::from([(link("n1", "n2"), 5), (link("n3", "n2"), 1)]);
        let after = Dropped::from([(link("n1", "n2"), 12), (link("n3", "n2"), 90)]);
        let grudge = Grudge::one_way(&["n1".to_owned()], &["n2".to_owned()]);
        let packets = dropped_by(&grudge, &before, &after);
        assert_eq!(packets, BTreeMap::from([("n1 → n2".to_owned(), 7)]));
    }
}
