//! Whether the replicas have come to rest: found by asking, never by a fixed sleep.
//!
//! At rest means: every node answers, none has a hint left to hand over, waits for a late answer (it
//! may become a hint or a repair), believes another down or has yet to catch up, and all members of a
//! replica set show the same Merkle root. It must look so twice, some time apart: a write under way between two nodes is
//! seen by neither look alone. Only then are final reads worth anything; a cluster that never comes to
//! rest is read all the same, but no such run is `Valid`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::catch_up::behind;
use crate::control::{self, Quiet};

/// What was asked of one node, or why it did not answer.
pub(crate) type Answer = Result<(Quiet, Vec<(String, String)>), String>;

/// What keeps the cluster from being at rest, in words; `None` when it is.
pub(crate) fn unrest(answers: &BTreeMap<String, Answer>) -> Option<String> {
    let mut roots = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (node, answer) in answers {
        let (quiet, own) = match answer {
            Ok(answer) => answer,
            Err(why) => return Some(format!("{node} does not answer: {why}")),
        };
        if quiet.hints_pending > 0 {
            return Some(format!("{node} has {} hints to hand over", quiet.hints_pending));
        }
        if quiet.late_tasks > 0 {
            return Some(format!("{node} waits for {} late answers", quiet.late_tasks));
        }
        if quiet.nodes_down > 0 {
            return Some(format!("{node} believes {} nodes down", quiet.nodes_down));
        }
        if quiet.catching_up > 0 {
            return Some(behind(node, quiet.catching_up));
        }
        for (set, root) in own {
            roots.entry(set).or_default().insert(root);
        }
    }
    let differing = roots.iter().find(|(_, roots)| roots.len() > 1);
    differing.map(|(set, roots)| format!("replicas of {set} show {} Merkle roots", roots.len()))
}

/// Waits until the cluster has been at rest for `settle`, for at most `patience` (and `settle`).
///
/// Returns how long that took, or what kept it from rest when the time was up.
pub async fn quiesce(
    nodes: &BTreeMap<String, SocketAddr>,
    patience: Duration,
    settle: Duration,
) -> Result<Duration, String> {
    let start = Instant::now();
    let mut rest: Option<Instant> = None;
    loop {
        let mut answers = BTreeMap::new();
        for (name, &address) in nodes {
            answers.insert(name.clone(), ask(address).await);
        }
        match unrest(&answers) {
            None if rest.get_or_insert_with(Instant::now).elapsed() >= settle => {
                return Ok(start.elapsed());
            }
            None => {}
            Some(why) if start.elapsed() > patience => return Err(why),
            Some(_) => rest = None,
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn ask(address: SocketAddr) -> Answer {
    let timeout = Duration::from_secs(1);
    let answer = async {
        Ok((control::quiet(address, timeout).await?, control::roots(address, timeout).await?))
    };
    answer.await.map_err(|error: anyhow::Error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Said = (Quiet, Vec<(String, String)>);

    fn answer([hints_pending, late_tasks, nodes_down, catching_up]: [u64; 4], root: &str) -> Said {
        let quiet = Quiet { hints_pending, late_tasks, nodes_down, catching_up };
        (quiet, vec![("set/n1,n2".to_owned(), root.to_owned())])
    }

    fn of(answers: [Answer; 2]) -> BTreeMap<String, Answer> {
        ["n1".to_owned(), "n2".to_owned()].into_iter().zip(answers).collect()
    }

    #[test]
    fn equal_roots_without_hints_are_rest() {
        assert_eq!(unrest(&of([Ok(answer([0; 4], "a")), Ok(answer([0; 4], "a"))])), None);
    }

    #[test]
    fn what_is_pending_or_missed_or_silent_or_lags_or_differs_is_unrest() {
        let why = |other| unrest(&of([Ok(answer([0; 4], "a")), other])).expect("not at rest");
        assert_eq!(why(Ok(answer([2, 0, 0, 0], "a"))), "n2 has 2 hints to hand over");
        assert_eq!(why(Ok(answer([0, 0, 1, 0], "a"))), "n2 believes 1 nodes down");
        assert_eq!(why(Ok(answer([0, 3, 0, 0], "a"))), "n2 waits for 3 late answers");
        let lags = "n2 has yet to compare its copies with 4 replicas";
        assert_eq!(why(Ok(answer([0, 0, 0, 4], "a"))), lags);
        assert_eq!(why(Err("refused".to_owned())), "n2 does not answer: refused");
        assert_eq!(why(Ok(answer([0; 4], "b"))), "replicas of set/n1,n2 show 2 Merkle roots");
    }
}
