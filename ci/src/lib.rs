//! The checks of the project, run alike here and in CI.
//!
//! [`gate`] is the list of what must pass, in order of cost; [`tidy`] is the part of it that no
//! other tool does: who may import whom, what a file owes its reader, what a crate must not know.

pub mod gate;
pub mod manifest;
pub mod tidy;
