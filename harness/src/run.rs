//! One run, from a plan to a recorded history.
//!
//! ```text
//! cluster up -> warm-up -> faults -> recovery -> clients stop -> quiesce -> final reads -> cluster down
//! ```
//!
//! The conductor follows the timeline of the plan, and between its steps looks after what must not
//! go unseen: a node that ended by itself (recorded, and judged), a history that can no longer be
//! written (the run ends; it is never an outcome of the store), a user who has seen enough.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use results::RunDirectory;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use workloads::{Generator, Workload};

use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::final_reads::FinalReads;
use crate::nemesis::Nemesis;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::recorder::{Recorder, RecorderError};
use crate::seed::Seed;
use crate::timeline::{Step, timeline};
use crate::worker::Worker;

/// How often the conductor looks around between two steps.
const GLANCE: Duration = Duration::from_millis(50);
/// How long the replicas must be seen at rest before they are read.
const SETTLE: Duration = Duration::from_millis(500);
/// How long a node may take to say what it has done.
const ASK_PATIENCE: Duration = Duration::from_secs(1);
/// How long the final reads of one workload may take, with all their retries.
const FINAL_READS_PATIENCE: Duration = Duration::from_secs(15);

/// Carries out `plan`, leaving its history and logs in `directory`.
pub async fn run(plan: &Plan, directory: &RunDirectory, progress: &Progress) -> Result<()> {
    progress.phase("starting");
    let cluster = Cluster::start(plan, directory).await?;
    let recorder = Recorder::create(&directory.history(), Clock::start())?;
    progress.follow(recorder.clone());
    let mut conductor = Conductor {
        plan,
        directory,
        progress,
        addresses: cluster.addresses(),
        nemesis: Nemesis::new(recorder.clone()),
        workloads: plan.suite.workloads.iter().map(|load| load.workload.build()).collect(),
        cluster,
        recorder,
    };
    conductor.work().await?;
    conductor.quiesce().await?;
    conductor.final_reads().await?;
    let Conductor { cluster, recorder, .. } = conductor;
    progress.phase("stopping");
    cluster.stop().await?;
    recorder.finish()?;
    Ok(())
}

struct Conductor<'p> {
    plan: &'p Plan,
    directory: &'p RunDirectory,
    progress: &'p Progress,
    addresses: BTreeMap<String, SocketAddr>,
    workloads: Vec<Arc<dyn Workload>>,
    cluster: Cluster,
    nemesis: Nemesis,
    recorder: Recorder,
}

impl Conductor<'_> {
    /// Clients work while the timeline passes.
    async fn work(&mut self) -> Result<()> {
        let start = Instant::now();
        let (stop, stopped) = watch::channel(false);
        let mut workers = self.start_workers(&stopped);
        let followed = self.follow(start, &mut workers).await;
        // By construction every fault has ended, unless a step failed: then nothing stays broken.
        let healed = self.nemesis.heal(&mut self.cluster).await;
        followed.and(healed)?;
        stop.send_replace(true);
        while let Some(ended) = workers.join_next().await {
            ended.context("a worker panicked")??;
        }
        Ok(())
    }

    /// Takes every step of the timeline at its time.
    async fn follow(&mut self, start: Instant, workers: &mut Workers) -> Result<()> {
        for (at, step) in timeline(self.plan) {
            self.wait(start + at, workers).await?;
            self.step(step).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Phase(phase) => self.phase(phase.name()),
            Step::Begin(number) => {
                let fault = self.plan.faults.iter().find(|fault| fault.fault == number);
                let fault = fault.with_context(|| format!("fault {number} is not planned"))?;
                self.nemesis.begin(&mut self.cluster, fault).await?;
                self.progress.fault();
                Ok(())
            }
            Step::End(number) => self.nemesis.end(&mut self.cluster, number).await,
        }
    }

    fn phase(&self, name: &str) -> Result<()> {
        self.progress.phase(name);
        self.nemesis.phase(name)
    }

    /// Waits until `deadline`, looking around meanwhile.
    async fn wait(&mut self, deadline: Instant, workers: &mut Workers) -> Result<()> {
        loop {
            self.tell_crashes()?;
            self.nemesis.look(&mut self.cluster).await?;
            while let Some(ended) = workers.try_join_next() {
                ended.context("a worker panicked")??;
            }
            if Instant::now() >= deadline {
                return Ok(());
            }
            sleep_until(deadline.min(Instant::now() + GLANCE)).await;
        }
    }

    /// Records the nodes that ended by themselves since the last time.
    fn tell_crashes(&mut self) -> Result<()> {
        self.cluster.crashes().iter().try_for_each(|crash| self.nemesis.crashed(crash))
    }

    fn start_workers(&self, stopped: &watch::Receiver<bool>) -> Workers {
        let seed = Seed(self.plan.seed);
        let generators: Vec<Arc<Mutex<Box<dyn Generator>>>> = self
            .workloads
            .iter()
            .enumerate()
            .map(|(index, workload)| {
                let stream = seed.stream(&format!("workload/{index}/{}", workload.name()));
                Arc::new(Mutex::new(workload.generator(stream)))
            })
            .collect();
        let mut workers = JoinSet::new();
        for client in &self.plan.clients {
            let load = &self.plan.suite.workloads[client.workload];
            let nodes = client.nodes.iter();
            let worker = Worker {
                number: client.client,
                workers: self.plan.clients.len() as u32,
                nodes: nodes.map(|name| (name.clone(), self.addresses[name])).collect(),
                generator: Arc::clone(&generators[client.workload]),
                connector: self.workloads[client.workload].connector(),
                recorder: self.recorder.clone(),
                timeout: load.timeout,
                pace: load.rate.map(|rate| Duration::from_secs_f64(f64::from(load.clients) / rate)),
                stop: stopped.clone(),
            };
            workers.spawn(worker.run());
        }
        workers
    }

    /// Waits for the replicas to agree; what keeps them apart is recorded, and judged.
    async fn quiesce(&mut self) -> Result<()> {
        let patience = self.plan.suite.phases.quiesce;
        let unrest = crate::quiesce::quiesce(&self.addresses, patience, SETTLE).await.err();
        if let Some(why) = &unrest {
            self.progress.note(&format!("not at rest after {patience:?}: {why}"));
        }
        self.nemesis.quiesced(unrest.as_deref())?;
        self.tell_reaped().await
    }

    /// Records how many tombstones were reaped, where the plan asks for it. A node that does not answer
    /// says nothing of itself.
    async fn tell_reaped(&self) -> Result<()> {
        if self.plan.suite.cluster.reap_every.is_none() {
            return Ok(());
        }
        let mut reaped = BTreeMap::new();
        for (name, &address) in &self.addresses {
            if let Ok(count) = crate::control::tombstones_reaped(address, ASK_PATIENCE).await {
                reaped.insert(name.clone(), count);
            }
        }
        self.nemesis.reaped(&reaped)
    }

    /// Reads every key that was worked, from every node directly.
    async fn final_reads(&mut self) -> Result<()> {
        self.phase("final reads")?;
        // What the nemesis records is in the file at once, and all that stood before it.
        let history = crate::judge::read_history(&self.directory.history())?;
        let nodes: Vec<(String, SocketAddr)> =
            self.addresses.iter().map(|(name, &address)| (name.clone(), address)).collect();
        for (workload, load) in self.workloads.iter().zip(&self.plan.suite.workloads) {
            let reads = FinalReads {
                recorder: self.recorder.clone(),
                connector: workload.connector(),
                nodes: nodes.clone(),
                invocations: workload.final_reads(&owned(&history.keys(load.workload.keyspace()))),
                timeout: load.timeout,
                patience: FINAL_READS_PATIENCE,
            };
            for unread in reads.run().await? {
                self.progress.note(&format!("{} could not read {}", unread.node, unread.key));
            }
        }
        self.tell_crashes()
    }
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}

type Workers = JoinSet<Result<(), RecorderError>>;
