//! A worker: one client after another, asking the store one thing at a time.
//!
//! ```text
//! next -> record invoke -> send … reply -> record completion -> next
//! ```
//!
//! A worker goes through a run as a succession of *processes*. A process is single-threaded, so one
//! whose operation ended as `info`, and may still be running somewhere, can never speak again: the
//! worker goes on as a new process, whose number is greater by the count of all workers. So numbers
//! stay unique, and `process % workers` is the worker.
//!
//! The generator is locked while an event is recorded, always before the recorder's own lock, so that
//! it is shown the events of its workload in the order of the file.
//!
//! Source: Jepsen's interpreter (process numbers, crashed processes).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use checker::{Event, Kind, Process};
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use workloads::{Completion, Connector, Generator, Invocation};

use crate::recorder::{Recorder, RecorderError};
use crate::seat::{Node, Seat, is_stopped, stopped};

/// A generator that the workers of one workload share. Never locked across an await.
pub type SharedGenerator = Arc<Mutex<Box<dyn Generator>>>;

/// What a worker needs; [`Worker::run`] does the rest.
pub struct Worker {
    /// Its number among all workers of the run, from zero.
    pub number: u32,
    /// How many workers the run has, those of other workloads included.
    pub workers: u32,
    /// The nodes it may use; it sits with one of them, `number` counting through the list.
    pub nodes: Vec<Node>,
    /// Where its operations come from.
    pub generator: SharedGenerator,
    /// How they are carried out.
    pub connector: Arc<dyn Connector>,
    /// Where they are recorded.
    pub recorder: Recorder,
    /// How long an operation may take, and connecting.
    pub timeout: Duration,
    /// The least time from the start of one operation to the start of the next; none: at once.
    pub pace: Option<Duration>,
    /// Turns true when the worker shall stop, after the operation in flight.
    pub stop: watch::Receiver<bool>,
}

impl Worker {
    /// Works until it is told to stop or the generator has nothing left; then every operation it
    /// began is completed in the history. An error means the run cannot go on.
    pub async fn run(self) -> Result<(), RecorderError> {
        let Worker { number, workers, generator, recorder, mut stop, .. } = self;
        let Worker { nodes, connector, timeout, pace, .. } = self;
        let mut seat = Seat::new(nodes, number as usize, connector, timeout);
        let mut pace = pace.map(|interval| staggered(interval, number, workers));
        let mut process = number;
        while !is_stopped(&stop) {
            if let Some(pace) = &mut pace {
                tokio::select! {
                    _ = pace.tick() => {}
                    () = stopped(&mut stop) => break,
                }
            }
            let Some((node, client)) = seat.client(&mut stop).await else { break };
            let Some(invocation) = lock(&generator).next(number) else { break };
            let mut event = invoked(process, node, &invocation);
            record(&recorder, &generator, &mut event)?;
            complete(&mut event, client.invoke(&invocation).await);
            record(&recorder, &generator, &mut event)?;
            if event.kind == Kind::Info {
                process += workers;
            }
        }
        Ok(())
    }
}

/// A tick every `interval`, the workers spread evenly over it.
fn staggered(interval: Duration, number: u32, workers: u32) -> Interval {
    let offset = interval.mul_f64(f64::from(number) / f64::from(workers.max(1)));
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + offset, interval);
    // After a slow operation go on at the usual pace; a burst to catch up would be a fault of ours.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Records `event` and shows it to the generator, in one order for both.
fn record(
    recorder: &Recorder,
    generator: &SharedGenerator,
    event: &mut Event,
) -> Result<(), RecorderError> {
    let mut generator = lock(generator);
    recorder.record(event)?;
    generator.observe(event);
    Ok(())
}

fn lock(generator: &SharedGenerator) -> MutexGuard<'_, Box<dyn Generator>> {
    // A generator that panicked has failed its worker, and with it the run; the others may end.
    generator.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The event of `invocation`; its time is set when it is recorded.
pub(crate) fn invoked(process: u32, node: &str, invocation: &Invocation) -> Event {
    Event {
        time: 0,
        process: Process::Client(process),
        kind: Kind::Invoke,
        f: invocation.f.clone(),
        key: Some(invocation.key.clone()),
        value: invocation.value.clone(),
        node: Some(node.to_owned()),
        version: None,
        error: None,
    }
}

/// Makes of an invocation the event of its completion. What did not come back with a reply keeps the
/// argument, so that the line says what may have happened.
pub(crate) fn complete(event: &mut Event, completion: Completion) {
    match completion {
        Completion::Ok(value, version) => {
            event.kind = Kind::Ok;
            event.value = value;
            event.version = version;
        }
        Completion::Fail(why) => {
            event.kind = Kind::Fail;
            event.error = Some(why);
        }
        Completion::Info(why) => {
            event.kind = Kind::Info;
            event.error = Some(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::Ordering;

    use checker::Value;

    use super::*;
    use crate::clock::Clock;
    use crate::fakes::{Counting, Fake, PATIENCE, Tape, ToFake, lines, node, until};

    struct Stage {
        tape: Tape,
        fake: Arc<Fake>,
        seen: Arc<Mutex<Vec<Event>>>,
        generator: SharedGenerator,
        stop: watch::Sender<bool>,
    }

    impl Stage {
        /// `last` operations against `fake`.
        fn new(last: i64, fake: Arc<Fake>) -> Stage {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let counting = Counting { next: 1, last, seen: seen.clone() };
            let generator: SharedGenerator = Arc::new(Mutex::new(Box::new(counting)));
            let (tape, stop) = (Tape::new(), watch::Sender::new(false));
            Stage { tape, fake, seen, generator, stop }
        }

        /// Worker `number` of three.
        fn worker(&self, number: u32, ports: &[u16]) -> Worker {
            Worker {
                number,
                workers: 3,
                nodes: ports.iter().map(|port| node(*port)).collect(),
                generator: self.generator.clone(),
                connector: Arc::new(ToFake(self.fake.clone())),
                recorder: self.tape.recorder.clone(),
                timeout: PATIENCE,
                pace: None,
                stop: self.stop.subscribe(),
            }
        }

        fn invoked(&self) -> u64 {
            self.tape.recorder.tally().invoked
        }
    }

    fn ok(invocation: &Invocation) -> (Completion, bool) {
        (Completion::Ok(invocation.value.clone(), None), true)
    }

    #[tokio::test]
    async fn a_worker_ends_when_the_generator_has_nothing_left() {
        let stage = Stage::new(2, Fake::new(|_, asked| ok(asked)));
        stage.worker(0, &[1]).run().await.unwrap();
        let expected = ["0 invoke 1 n1", "0 ok 1 n1", "0 invoke 2 n1", "0 ok 2 n1"];
        assert_eq!(stage.tape.lines(), expected);
        assert_eq!(stage.fake.connects.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn after_an_info_a_worker_is_a_new_process_on_a_new_connection() {
        let fake = Fake::new(|_, asked| match asked.value {
            Value::Int(1) => (Completion::Fail("ERR no".into()), true),
            Value::Int(2) => (Completion::Info("no reply in time".into()), false),
            _ => ok(asked),
        });
        let stage = Stage::new(3, fake);
        stage.worker(1, &[1]).run().await.unwrap();
        let events = stage.tape.events();
        assert_eq!(events[1].error.as_deref(), Some("ERR no"));
        assert_eq!(events[3].error.as_deref(), Some("no reply in time"));
        let expected = ["1 invoke 1", "1 fail 1", "1 invoke 2", "1 info 2", "4 invoke 3", "4 ok 3"];
        assert_eq!(lines(&events), expected.map(|line| format!("{line} n1")));
        assert_eq!(stage.fake.connects.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_failed_read_on_a_lost_connection_keeps_the_process_but_not_the_connection() {
        let fake = Fake::new(|_, asked| match asked.value {
            Value::Int(1) => (Completion::Fail("no reply in time".into()), false),
            _ => ok(asked),
        });
        let stage = Stage::new(2, fake);
        stage.worker(0, &[1]).run().await.unwrap();
        assert_eq!(stage.tape.lines()[1..3], ["0 fail 1 n1", "0 invoke 2 n1"]);
        assert_eq!(stage.fake.connects.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn an_invocation_is_recorded_before_it_is_sent_and_its_completion_before_the_next() {
        let tape = Tape::new();
        let recorder = tape.recorder.clone();
        let fake = Fake::new(move |_, asked| {
            let tally = recorder.tally();
            assert_eq!(asked.value, Value::Int(tally.invoked.cast_signed()));
            assert_eq!(tally.ok, tally.invoked - 1);
            ok(asked)
        });
        let mut stage = Stage::new(5, fake);
        stage.tape = tape;
        stage.worker(0, &[1]).run().await.unwrap();
        assert_eq!(stage.tape.recorder.tally().ok, 5);
    }

    #[tokio::test]
    async fn a_refused_connection_is_no_operation_and_the_next_node_is_tried() {
        let stage = Stage::new(1, Fake::new(|_, asked| ok(asked)));
        stage.fake.set_dead(&[1, 2]);
        stage.worker(0, &[1, 2, 3]).run().await.unwrap();
        assert_eq!(stage.tape.lines(), ["0 invoke 1 n3", "0 ok 1 n3"]);
        assert_eq!(stage.fake.connects.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn workers_sit_around_the_table() {
        let stage = Stage::new(3, Fake::new(|_, asked| ok(asked)));
        for number in 0..3 {
            let mut worker = stage.worker(number, &[1, 2]);
            let one = Counting { next: 1, last: 1, seen: stage.seen.clone() };
            worker.generator = Arc::new(Mutex::new(Box::new(one)));
            worker.run().await.unwrap();
        }
        let nodes: Vec<_> = stage.tape.events().into_iter().filter_map(|it| it.node).collect();
        assert_eq!(nodes, ["n1", "n1", "n2", "n2", "n1", "n1"]);
    }

    #[tokio::test]
    async fn a_worker_goes_home_when_home_is_back() {
        let stage = Stage::new(i64::MAX, Fake::new(|_, asked| ok(asked)));
        stage.fake.set_dead(&[1]);
        let running = tokio::spawn(stage.worker(0, &[1, 2]).run());
        let at = |name: &'static str| {
            let seen = stage.seen.clone();
            move || seen.lock().unwrap().iter().any(|event| event.node.as_deref() == Some(name))
        };
        until(at("n2"), |sat| *sat).await;
        assert!(!at("n1")());
        stage.fake.set_dead(&[]);
        until(at("n1"), |sat| *sat).await;
        stage.stop.send_replace(true);
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn told_to_stop_a_worker_finishes_the_operation_in_flight() {
        let stage = Stage::new(i64::MAX, Fake::with_permits(0, |_, asked| ok(asked)));
        let running = tokio::spawn(stage.worker(0, &[1]).run());
        until(|| stage.invoked(), |invoked| *invoked == 1).await;
        stage.stop.send_replace(true);
        stage.fake.permits.add_permits(10);
        running.await.unwrap().unwrap();
        assert_eq!(stage.tape.lines(), ["0 invoke 1 n1", "0 ok 1 n1"]);
    }

    #[tokio::test]
    async fn told_to_stop_a_worker_does_not_wait_for_a_dead_cluster() {
        let stage = Stage::new(i64::MAX, Fake::new(|_, asked| ok(asked)));
        stage.fake.set_dead(&[1]);
        let running = tokio::spawn(stage.worker(0, &[1]).run());
        until(|| stage.fake.connects.load(Ordering::Relaxed), |connects| *connects > 0).await;
        stage.stop.send_replace(true);
        running.await.unwrap().unwrap();
        assert_eq!(stage.tape.lines(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_paced_worker_waits_its_turn() {
        let stage = Stage::new(i64::MAX, Fake::new(|_, asked| ok(asked)));
        let hour = Some(Duration::from_hours(1));
        let first = tokio::spawn(Worker { pace: hour, ..stage.worker(0, &[1]) }.run());
        let second = tokio::spawn(Worker { pace: hour, ..stage.worker(1, &[1]) }.run());
        until(|| stage.tape.recorder.tally().ok, |ok| *ok == 1).await;
        stage.stop.send_replace(true);
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        assert_eq!(stage.tape.lines(), ["0 invoke 1 n1", "0 ok 1 n1"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_generator_is_shown_the_events_in_the_order_of_the_file() {
        let stage = Stage::new(2000, Fake::new(|_, asked| ok(asked)));
        let workers = (0..3).map(|number| tokio::spawn(stage.worker(number, &[1]).run()));
        for worker in workers.collect::<Vec<_>>() {
            worker.await.unwrap().unwrap();
        }
        assert_eq!(stage.tape.events(), *stage.seen.lock().unwrap());
        assert_eq!(stage.tape.recorder.tally().ok, 2000);
    }

    #[tokio::test]
    async fn a_history_that_cannot_be_written_stops_the_worker() {
        let path = Path::new("/dev/full");
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let recorder = Recorder::over(file, path, Clock::start());
        let stage = Stage::new(i64::MAX, Fake::new(|_, asked| ok(asked)));
        let worker = Worker { recorder, ..stage.worker(0, &[1]) };
        assert!(matches!(worker.run().await, Err(RecorderError::File { .. })));
    }
}
