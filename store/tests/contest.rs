//! The parts of the benchmark `engine`, tested here because a benchmark has no harness.

#![allow(dead_code, reason = "its parts are tested without the program around them")]

#[path = "../benches/engine/contest/mod.rs"]
mod contest;
