//! What a running node tells who collects metrics, held against what it tells by `INFO`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod exposition;
mod info;
mod names;
mod site;
mod work;
