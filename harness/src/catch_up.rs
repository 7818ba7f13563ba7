//! Whether nodes have caught up with the other replicas: found by asking each of them.
//!
//! A node that starts on an empty disk does not know whether it is new or has lost what it once
//! acknowledged. So it refuses reads until it has compared its copies with every other replica, and
//! says in `INFO` with how many of them it has yet to do so (`catching_up:2`). At the first start of a
//! cluster all nodes are in this state; a run begins when none is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::control;

/// How long a node may take to say where it stands, and how soon it is asked again.
const ANSWER: Duration = Duration::from_millis(250);
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// With how many replicas each node has yet to compare its copies, or why it did not say.
pub(crate) type Standings = BTreeMap<String, Result<u64, String>>;

/// What keeps a cluster from being complete, in words; `None` when every node has caught up.
pub(crate) fn lag(standings: &Standings) -> Option<String> {
    standings.iter().find_map(|(node, standing)| match standing {
        Ok(0) => None,
        Ok(replicas) => Some(behind(node, *replicas)),
        Err(why) => Some(format!("{node} does not answer: {why}")),
    })
}

/// That `node` has not caught up.
pub(crate) fn behind(node: &str, replicas: u64) -> String {
    format!("{node} has yet to compare its copies with {replicas} replicas")
}

/// Asks every one of `nodes` at once.
pub(crate) async fn ask(nodes: &BTreeMap<String, SocketAddr>) -> Standings {
    let asked = nodes.iter().map(|(name, &address)| async move {
        let standing = control::quiet(address, ANSWER).await.map(|quiet| quiet.catching_up);
        (name.clone(), standing.map_err(|error| format!("{error:#}")))
    });
    join_all(asked).await.into_iter().collect()
}

/// Waits until all of `nodes` have caught up, for at most `patience`; an error says what was seen
/// last.
pub(crate) async fn wait(
    nodes: &BTreeMap<String, SocketAddr>,
    patience: Duration,
) -> Result<(), String> {
    let deadline = Instant::now() + patience;
    loop {
        match lag(&ask(nodes).await) {
            None => return Ok(()),
            Some(why) if Instant::now() > deadline => {
                return Err(format!("not within {patience:?}: {why}"));
            }
            Some(_) => sleep(ASK_AGAIN).await,
        }
    }
}

/// Nodes followed, beside all that a run does, until they have caught up: each by the number of the
/// fault that took its disk. Dropping it ends the watch.
#[derive(Default)]
pub(crate) struct Watch {
    /// Each ends with its fault, and with how long that took.
    tasks: JoinSet<(u64, Duration)>,
}

impl Watch {
    /// Follows `node`, which runs again since `start`.
    pub(crate) fn follow(&mut self, fault: u64, node: SocketAddr, start: Instant) {
        self.tasks.spawn(async move {
            while !control::quiet(node, ANSWER).await.is_ok_and(|quiet| quiet.catching_up == 0) {
                sleep(ASK_AGAIN).await;
            }
            (fault, start.elapsed())
        });
    }

    /// A fault whose node was meanwhile seen to have caught up, and how long that took.
    pub(crate) fn seen(&mut self) -> Option<(u64, Duration)> {
        self.tasks.try_join_next()?.ok()
    }

    /// The next one, if it is seen within `patience`.
    pub(crate) async fn next(&mut self, patience: Duration) -> Option<(u64, Duration)> {
        timeout(patience, self.tasks.join_next()).await.ok()??.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cluster_in_which_every_node_says_so_has_caught_up() {
        let lag = |n2: Result<u64, &str>| {
            let n2 = n2.map_err(str::to_owned);
            lag(&Standings::from([("n1".to_owned(), Ok(0)), ("n2".to_owned(), n2)]))
        };
        assert_eq!(lag(Ok(0)), None);
        let told = lag(Ok(2)).expect("it lags");
        assert_eq!(told, "n2 has yet to compare its copies with 2 replicas");
        assert_eq!(lag(Err("refused")).expect("unknown"), "n2 does not answer: refused");
    }

    #[tokio::test]
    async fn a_wait_in_vain_says_what_it_saw() {
        // Port 1 of this host takes no connections.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        let nodes = BTreeMap::from([("n1".to_owned(), nowhere)]);
        let why = wait(&nodes, Duration::ZERO).await.expect_err("nobody is there");
        assert!(why.contains("n1 does not answer"), "{why}");
    }
}
