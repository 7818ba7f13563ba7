//! The reads that end a run: what every replica holds of every key, asked of each one directly.
//!
//! A coordinator would hide what convergence is about: its read repair mends a difference in the very
//! moment of showing it. So each read goes to the node itself, and its answer is for that node alone.
//!
//! They are ordinary operations in the history, of fresh processes. A node that does not answer is
//! asked again until the deadline, each attempt recorded. Replicas nobody could read were not judged,
//! which the history itself must say: a read for which there was no connection to the end is recorded
//! as one that failed. A refusal is an answer (most often: this node is no replica of the key).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use checker::Kind;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::Instant;
use workloads::{Completion, Connector, Invocation};

use crate::recorder::{Recorder, RecorderError};
use crate::seat::{Node, Seat};
use crate::worker::{complete, invoked};

/// Connections to each node: enough to hide the round trip, too few to be a load.
const LANES: u32 = 4;
/// How a read failed for which there was no connection.
const UNASKED: &str = "not asked: no connection in time";

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

    /// How many lanes there are, each with a process of its own. As among workers, one whose read ended
    /// as `info` goes on as a process whose number is greater by this.
    fn lanes(&self) -> u32 {
        LANES * self.nodes.len() as u32
    }

    /// Takes reads from the queue until there are none; returns those it could not do.
    async fn lane(
        &self,
        node: Node,
        queue: Queue,
        mut process: u32,
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
            let client = answered.ok().flatten().filter(|_| in_time).map(|(_, client)| client);
            let mut event = invoked(process, &name, &invocation);
            self.recorder.record(&mut event)?;
            let Some(client) = client else {
                complete(&mut event, Completion::Fail(UNASKED.to_owned()));
                self.recorder.record(&mut event)?;
                unread.push(Unread { node: name.clone(), key: invocation.key });
                continue;
            };
            complete(&mut event, client.invoke(&invocation).await);
            self.recorder.record(&mut event)?;
            if event.kind == Kind::Info {
                process += self.lanes();
            }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use checker::{Checker, Convergence, Event, Function, History, Process, Value, Verdict};

    use super::*;
    use crate::fakes::{Fake, PATIENCE, Tape, ToFake, node};

    fn reads(fake: Arc<Fake>, tape: &Tape, keys: usize, ports: &[u16]) -> FinalReads {
        let invocations = (0..keys).map(|number| Invocation {
            f: Function::ReadReplica,
            key: format!("register:{number}"),
            value: Value::Nil,
        });
        FinalReads {
            nodes: ports.iter().map(|port| node(*port)).collect(),
            invocations: invocations.collect(),
            connector: Arc::new(ToFake(fake)),
            recorder: tape.recorder.clone(),
            timeout: PATIENCE,
            patience: PATIENCE,
        }
    }

    fn ok() -> (Completion, bool) {
        (Completion::Ok(Value::Int(1), Some("v".into())), true)
    }

    /// `node key kind`, ascending.
    fn completions(events: &[Event]) -> Vec<String> {
        let completed = events.iter().filter(|event| event.kind != Kind::Invoke);
        let mut lines: Vec<String> = completed
            .map(|event| {
                let (node, key) = (event.node.as_ref().unwrap(), event.key.as_ref().unwrap());
                format!("{node} {key} {:?}", event.kind)
            })
            .collect();
        lines.sort();
        lines
    }

    #[tokio::test]
    async fn every_node_is_asked_every_key_once() {
        let (tape, fake) = (Tape::new(), Fake::new(|_, _| ok()));
        let unread = reads(fake, &tape, 20, &[1, 2, 3]).run().await.unwrap();
        assert_eq!(unread, []);
        let events = tape.events();
        let mut asked = completions(&events);
        asked.dedup();
        assert_eq!((events.len(), asked.len()), (2 * 60, 60));
        assert!(events.iter().all(|event| event.kind == Kind::Invoke || event.version.is_some()));
    }

    #[tokio::test]
    async fn processes_are_fresh() {
        let (tape, fake) = (Tape::new(), Fake::new(|_, _| ok()));
        let invocation = reads(fake.clone(), &tape, 1, &[1]).invocations.remove(0);
        tape.recorder.record(&mut invoked(7, "n1", &invocation)).unwrap();
        reads(fake, &tape, 1, &[1]).run().await.unwrap();
        assert_eq!(tape.events()[1].process, Process::Client(8));
    }

    #[tokio::test]
    async fn a_lost_read_is_recorded_and_asked_again_but_a_refusal_is_an_answer() {
        let asked = AtomicUsize::new(0);
        let fake = Fake::new(move |port, _| match (port, asked.fetch_add(1, Ordering::Relaxed)) {
            (1, 0) => (Completion::Fail("no reply in time".into()), false),
            (1, _) => ok(),
            _ => (Completion::Fail("NOTREPLICA".into()), true),
        });
        let tape = Tape::new();
        assert_eq!(reads(fake, &tape, 1, &[1, 2]).run().await.unwrap(), []);
        let expected =
            ["n1 register:0 Fail", "n1 register:0 Ok", "n2 register:0 Fail"].map(String::from);
        assert_eq!(completions(&tape.events()), expected);
    }

    #[tokio::test]
    async fn what_a_dead_node_holds_is_said_to_be_unread() {
        let (tape, fake) = (Tape::new(), Fake::new(|_, _| ok()));
        fake.set_dead(&[2]);
        let mut reads = reads(fake, &tape, 2, &[1, 2]);
        reads.patience = Duration::from_millis(300);
        let unread = reads.run().await.unwrap();
        let expected =
            ["register:0", "register:1"].map(|key| Unread { node: "n2".into(), key: key.into() });
        assert_eq!(unread, expected);
        let events = tape.events();
        let expected =
            ["n1 register:0 Ok", "n1 register:1 Ok", "n2 register:0 Fail", "n2 register:1 Fail"];
        assert_eq!(completions(&events), expected);
        // And so whoever judges the history knows it, though nobody promised how many copies exist.
        let history = History::from_events(events).unwrap();
        let judged = Convergence::new("register").check(&history);
        assert_eq!(judged.verdict, Verdict::Unknown, "{}", judged.summary);
    }

    #[tokio::test]
    async fn a_process_whose_read_may_go_on_never_speaks_again() {
        let asked = AtomicUsize::new(0);
        let fake = Fake::new(move |_, _| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => (Completion::Info("who knows".into()), false),
            _ => ok(),
        });
        let tape = Tape::new();
        assert_eq!(reads(fake, &tape, 1, &[1]).run().await.unwrap(), []);
        let expected = ["n1 register:0 Info", "n1 register:0 Ok"].map(String::from);
        assert_eq!(completions(&tape.events()), expected);
    }

    #[tokio::test]
    async fn a_node_that_never_answers_is_given_up_in_the_end() {
        let lost = |_: u16, _: &Invocation| (Completion::Fail("no reply in time".into()), false);
        let tape = Tape::new();
        let mut reads = reads(Fake::new(lost), &tape, 1, &[1]);
        reads.patience = Duration::from_millis(300);
        let unread = reads.run().await.unwrap();
        assert_eq!(unread, [Unread { node: "n1".into(), key: "register:0".into() }]);
        let attempts = tape.events().len() / 2;
        assert!((1..30).contains(&attempts), "{attempts} attempts");
    }
}
