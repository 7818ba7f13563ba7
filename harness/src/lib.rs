//! The harness: nodes as real processes in a network of their own, and the faults done to them.
//!
//! From the bottom up: [`sandbox`] takes the whole program into namespaces that die with it;
//! [`fabric`] lays a network inside, one namespace a node; [`grudge`] says, as data, who refuses
//! whose packets; [`process`] starts, kills and freezes nodes and keeps the evidence; [`doctor`]
//! tries all of it on this machine and says what to do where it is refused.

pub mod clock;
#[cfg(test)]
mod fakes;
pub mod final_reads;
pub mod recorder;
pub mod seat;
pub mod seed;
pub mod worker;
