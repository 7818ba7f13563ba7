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
