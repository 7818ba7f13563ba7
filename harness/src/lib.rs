//! From a suite to a recorded history: the cluster, what breaks it, and the clients that work it.
//!
//! ```text
//! suite.yaml -parse-> Suite -resolve(seed)-> Plan -bring up-> Cluster + Nemesis + Workers -record-> History
//! ```
//!
//! Each arrow is one function, each noun one file here and one file in the run directory. Decisions
//! ([`suite`], [`plan`], [`schedule`], [`grudge`], the timeline) are pure; what touches processes,
//! packets and files ([`cluster`], [`fabric`], [`nemesis`], [`recorder`], [`sandbox`]) decides nothing.
//!
//! | noun | file | in a line |
//! |---|---|---|
//! | [`suite::Suite`] | `suite/` | what a user asks for, with errors that point at the line |
//! | [`plan::Plan`] | `plan.rs` | every choice, before any process starts |
//! | [`schedule::PlannedFault`] | `schedule.rs` | what strikes whom, when |
//! | [`grudge::Grudge`] | `grudge.rs` | a partition as data: who drops whose packets |
//! | [`sandbox`] | `sandbox/` | the namespaces of a run, which take everything with them when it ends |
//! | [`fabric::Fabric`] | `fabric/` | the network between the nodes, and the cuts in it |
//! | [`process::NodeProcess`] | `process.rs` | a node as a child process |
//! | [`cluster::Cluster`] | `cluster.rs` | the nodes under test |
//! | [`nemesis::Nemesis`] | `nemesis.rs` | breaks, mends, and records how it bit |
//! | [`worker::Worker`] | `worker.rs` | a client at work |
//! | [`recorder::Recorder`] | `recorder.rs` | the history as it is made |

mod catch_up;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod control;
pub mod disk;
pub mod doctor;
pub mod fabric;
#[cfg(test)]
mod fakes;
pub mod final_reads;
pub mod grudge;
pub mod judge;
pub mod nemesis;
pub mod plan;
pub mod process;
pub mod progress;
pub mod quiesce;
pub mod recorder;
pub mod run;
pub mod sandbox;
pub mod schedule;
pub mod seat;
pub mod seed;
pub mod suite;
mod time_budget;
mod timeline;
mod wipe;
pub mod worker;
