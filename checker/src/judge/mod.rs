//! The checkers: each judges one promise, under the name suites and reports know it by.

mod activity;
mod availability;
mod convergence;
mod crashes;
mod faults;
mod linearizability;
mod lost_writes;
mod quiescence;
mod reaping;
mod resurrection;
mod stale_reads;

pub use activity::Activity;
pub use availability::Availability;
pub use convergence::Convergence;
pub use crashes::Crashes;
pub use faults::Faults;
pub use linearizability::Linearizability;
pub use lost_writes::LostWrites;
pub use quiescence::Quiescence;
pub use reaping::Reaping;
pub use resurrection::Resurrection;
pub use stale_reads::StaleReads;
