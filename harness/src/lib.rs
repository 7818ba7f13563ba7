//! harness

pub mod clock;
pub mod final_reads;
pub mod recorder;
pub mod seat;
pub mod seed;
pub mod worker;
