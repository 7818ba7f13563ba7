//! One fault on the cluster: how it strikes, how it is undone, and what was measured of it meanwhile.
//!
//! | fault | strikes | is undone | has bitten if |
//! |---|---|---|---|
//! | partition | the cut is in force | it is not | packets were dropped on its links |
//! | kill | SIGKILL | the node is started | the process ended by that signal |
//! | pause | SIGSTOP | SIGCONT | every thread was seen stopped |
//! | wipe | SIGKILL, the disk is erased | the node is started, and catches up | the process ended by that signal, files were removed, and the disk was empty at the restart |
//!
//! All of it is read from outside the node.

use std::collections::BTreeMap;

use anyhow::Result;
use checker::Note;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cluster::{Cluster, Dropped};
use crate::grudge::Grudge;
use crate::schedule::{Act, PlannedFault};

/// In place of evidence, where there was nothing to break.
const NOT_RUNNING: &str = "not running";

/// A fault, with what was measured of it so far.
pub(super) struct InForce {
    pub(super) fault: PlannedFault,
    evidence: Note,
    bit: bool,
    /// Whether this fault killed its node, and has to start it again: what another ended is not its
    /// own to start.
    is_killer: bool,
    /// For a partition: the counters when it began.
    dropped: Dropped,
}

/// What is left of a fault that was undone.
pub(super) enum Undone {
    /// Nothing.
    Over,
    /// A node that runs since then, but has lost what it held.
    Behind(Instant),
}

impl InForce {
    /// `fault`, before it strikes.
    pub(super) fn new(fault: &PlannedFault) -> InForce {
        let (fault, evidence, dropped) = (fault.clone(), Note::new(), Dropped::new());
        InForce { fault, evidence, bit: false, is_killer: false, dropped }
    }

    /// Applies it; `cut` is the cut that then is in force.
    pub(super) async fn strike(&mut self, cluster: &mut Cluster, cut: &Grudge) -> Result<()> {
        match self.fault.act.clone() {
            Act::Partition(_) => {
                self.dropped = cluster.dropped()?;
                cluster.cut(cut)?;
            }
            Act::Kill(node) => self.kill(cluster, &node).await?,
            Act::Wipe(node) => {
                self.kill(cluster, &node).await?;
                self.erase(cluster, &node)?;
            }
            Act::Pause(node) => {
                let states = cluster.pause(&node).await?.map(|seen| seen.states);
                let stopped = |states: &String| states.chars().all(|state| state == 'T');
                self.bit = states.as_ref().is_some_and(stopped);
                let states = states.unwrap_or_else(|| NOT_RUNNING.to_owned());
                self.note("threads while paused", json!(states));
            }
        }
        Ok(())
    }

    /// Undoes it; `cut` is the cut that then is in force.
    pub(super) async fn undo(&mut self, cluster: &mut Cluster, cut: &Grudge) -> Result<Undone> {
        match self.fault.act.clone() {
            Act::Partition(grudge) => {
                cluster.cut(cut)?;
                let packets = dropped_by(&grudge, &self.dropped, &cluster.dropped()?);
                self.bit = packets.values().any(|&count| count > 0);
                self.note("packets dropped", json!(packets.values().sum::<u64>()));
                self.note("by link", json!(packets));
            }
            Act::Kill(_) | Act::Wipe(_) if !self.is_killer => {}
            Act::Kill(node) => self.restart(cluster, &node).await?,
            Act::Wipe(node) => {
                self.look_at_disk(cluster, &node)?;
                let since = Instant::now();
                self.restart(cluster, &node).await?;
                self.note("ms until it answered", millis(since.elapsed()));
                return Ok(Undone::Behind(since));
            }
            Act::Pause(node) => {
                let states = cluster.resume(&node).await?.map(|seen| seen.states);
                let states = states.unwrap_or_else(|| NOT_RUNNING.to_owned());
                self.note("threads when resumed", json!(states));
            }
        }
        Ok(Undone::Over)
    }

    /// How long its node took to catch up, or why nobody saw it do so.
    pub(super) fn caught_up(&mut self, outcome: Result<std::time::Duration, String>) {
        match outcome {
            Ok(took) => self.note("ms until it had caught up", millis(took)),
            Err(why) => self.note("caught up", json!(why)),
        }
    }

    /// What was measured so far.
    pub(super) fn evidence(&self) -> &Note {
        &self.evidence
    }

    /// Whether that shows an effect.
    pub(super) fn has_bitten(&self) -> bool {
        self.bit
    }

    async fn kill(&mut self, cluster: &mut Cluster, node: &str) -> Result<()> {
        let exit = cluster.kill(node).await?;
        self.is_killer = exit.is_some();
        self.bit = self.is_killer;
        let exit = exit.map_or_else(|| NOT_RUNNING.to_owned(), |exit| exit.to_string());
        self.note("exit", json!(exit));
        Ok(())
    }

    /// Takes what a node held; of one that somebody else ended, nothing.
    fn erase(&mut self, cluster: &mut Cluster, node: &str) -> Result<()> {
        if !self.is_killer {
            return Ok(());
        }
        let erased = cluster.erase(node)?;
        self.bit &= erased.files > 0;
        self.note("files removed", json!(erased.files));
        self.note("bytes removed", json!(erased.bytes));
        Ok(())
    }

    /// Looks whether nothing has come back to the disk while its node was away.
    fn look_at_disk(&mut self, cluster: &Cluster, node: &str) -> Result<()> {
        let entries = cluster.count_on_disk(node)?;
        self.bit &= entries == 0;
        self.note("entries on disk at the restart", json!(entries));
        Ok(())
    }

    async fn restart(&mut self, cluster: &mut Cluster, node: &str) -> Result<()> {
        let silence = cluster.restart(node).await?;
        let came_back = silence.unwrap_or_else(|| "answers".to_owned());
        self.note("after its restart", json!(came_back));
        Ok(())
    }

    fn note(&mut self, name: &str, value: Value) {
        self.evidence.insert(name.to_owned(), value);
    }
}

fn millis(duration: std::time::Duration) -> Value {
    json!(duration.as_millis() as u64)
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
