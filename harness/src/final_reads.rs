//! The reads that end a run: what every replica holds of every key, asked of each one directly.
//!
//! A coordinator would hide what convergence is about: its read repair mends a difference in the very
//! moment of showing it. So each read goes to the node itself, and its answer is for that node alone.
//!
//! They are ordinary operations in the history, of fresh processes. A node that does not answer is
//! asked again until the deadline, each attempt recorded: replicas nobody could read were not judged,
//! which must be said. A refusal is an answer (most often: this node is no replica of the key).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use checker::Kind;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::Instant;
use workloads::{Connector, Invocation};

use crate::recorder::{Recorder, RecorderError};
use crate::seat::{Node, Seat};
use crate::worker::{complete, invoked};

/// Connections to each node: enough to hide the round trip, too few to be a load.
const LANES: u32 = 4;

/// What final reads need; [`FinalReads::run`] does the rest.
pub struct FinalReads {
    /// Each of them is asked every read.
    pub nodes: Vec<Node>,
    /// The reads.
    pub invocations: Vec<Invocation>,
    /// How they are carried out.
    pub connector: Arc<dyn Connector>,
    /// Where they are recorded.
    pub recorder: Recorder,
    /// How long each attempt may take.
    pub timeout: Duration,
    /// How long all of them together may take.
    pub patience: Duration,
}

/// A read that no attempt brought an answer to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// The node that was asked.
    pub node: String,
    /// The key.
    pub key: String,
}

/// Reads waiting for a lane of their node.
type Queue = Arc<Mutex<VecDeque<Invocation>>>;

impl FinalReads {
    /// Asks every node every read. *Requires* that no worker runs any more. *Returns* what could not
    /// be read within `patience`, ascending.
    pub async fn run(self) -> Result<Vec<Unread>, RecorderError> {
        let deadline = Instant::now() + self.patience;
        let first = self.recorder.fresh_process();
        let mut lanes = Vec::new();
        for node in &self.nodes {
            let queue: Queue = Arc::new(Mutex::new(self.invocations.iter().cloned().collect()));
            for _ in 0..LANES {
                let process = first + lanes.len() as u32;
                lanes.push(self.lane(node.clone(), queue.clone(), process, deadline));
            }
        }
        let mut unread: Vec<Unread> = try_join_all(lanes).await?.into_iter().flatten().collect();
        unread.sort();
        Ok(unread)
    }

    /// Takes reads from the queue until there are none; returns those it could not do.
    async fn lane(
        &self,
        node: Node,
        queue: Queue,
        process: u32,
        deadline: Instant,
    ) -> Result<Vec<Unread>, RecorderError> {
        // A lane stops by its deadline alone; the sender only has to outlive it.
        let (_running, mut never) = watch::channel(false);
        let name = node.0.clone();
        let mut seat = Seat::new(vec![node], 0, self.connector.clone(), self.timeout);
        let mut unread = Vec::new();
        while let Some(invocation) = take(&queue) {
            let answered = tokio::time::timeout_at(deadline, seat.client(&mut never)).await;
            let in_time = Instant::now() < deadline;
            let Some((_, client)) = answered.ok().flatten().filter(|_| in_time) else {
                unread.push(Unread { node: name.clone(), key: invocation.key });
                continue;
            };
            let mut event = invoked(process, &name, &invocation);
            self.recorder.record(&mut event)?;
            complete(&mut event, client.invoke(&invocation).await);
            self.recorder.record(&mut event)?;
            if event.kind != Kind::Ok && !client.is_usable() {
                put_back(&queue, invocation);
            }
        }
        Ok(unread)
    }
}

fn take(queue: &Queue) -> Option<Invocation> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

fn put_back(queue: &Queue, invocation: Invocation) {
    queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(invocation);
}
