//! What clients do: generators, clients, and which checkers may judge them.
//!
//! A [`Generator`] is a seeded, pure source of [`Invocation`]s. A [`Client`] carries one out against
//! one node and says how it ended. A [`Workload`] ties both to the checkers that may judge them, and
//! a [`WorkloadSpec`] is how a suite asks for one.
//!
//! ```text
//! WorkloadSpec --build--> Workload --generator(rng)--> Generator --next--> Invocation
//!                                  --connector-------> Client --invoke--> Completion
//!                                  --checkers--------> Finding
//! ```
//!
//! | noun | in a line |
//! |---|---|
//! | [`register`] | one integer a key, read, overwritten and deleted |
//! | [`mv_register`] | siblings that are overwritten, deleted and made anew with what was read |
//! | [`set`] | a set a key, grown by read, merge and write-back |
//! | [`trouble`] | the table of definite errors: what makes a completion `fail`, and what `info` |
//! | [`connection`] | one request, one reply, one deadline; broken for good once a reply is missing |

pub mod client;
pub mod connection;
pub mod elements;
pub mod generator;
mod keys;
pub mod mv_register;
pub mod options;
mod overwriting;
pub mod promise;
pub mod register;
mod resp_client;
pub mod set;
pub mod spec;
pub mod trouble;
pub mod workload;

pub use client::{BoxFuture, Client, Completion, Connector};
pub use generator::{Generator, Invocation};
pub use mv_register::MvRegisterOptions;
pub use options::OptionsError;
pub use promise::Promise;
pub use register::RegisterOptions;
pub use set::SetOptions;
pub use spec::WorkloadSpec;
pub use trouble::{Trouble, classify};
pub use workload::Workload;
