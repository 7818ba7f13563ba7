//! What clients do: generators, clients, and the checkers that may judge them.
//!
//! A [`Generator`] is a seeded, pure source of [`Invocation`]s. A [`Client`] carries one out against
//! one node and says how it ended. A [`Workload`] ties both to the checkers that may judge them.

pub mod client;
pub mod generator;
pub mod workload;

pub use client::{Client, Completion, Connector};
pub use generator::{Generator, Invocation};
pub use workload::Workload;
