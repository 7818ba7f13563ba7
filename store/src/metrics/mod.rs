//! What a node can be measured by, declared once and told twice: in `INFO`, and to a Prometheus.
//!
//! ```text
//! Stats, Requests, Statistics, Process … -> [Metric] -> INFO          name:value, by section
//!                                                    -> GET /metrics  OpenMetrics text
//! ```
//!
//! A [`Metric`] is a value: its name, what it means, what it reads now, and under which field `INFO`
//! shows it. Whoever counts something says all of that in one place, and both readers are rendered
//! from the same list, so they cannot disagree. Nothing is kept between two readings but the counts
//! themselves, which are relaxed atomics: each is exact, and a list of them is of nearly one moment.
//!
//! Labels are few and bounded by the configuration: keyspaces, members, levels of the engine, first
//! words of errors; never keys, nor anything a client can invent.
//!
//! Sources: the OpenMetrics specification, 1.0 (the text format), and Prometheus, "Metric and label
//! naming" (base units, `_total`).

mod endpoint;
mod engine;
mod histogram;
mod metric;
mod openmetrics;
mod process;
mod requests;

pub use endpoint::{Bounds, serve};
pub use histogram::{Histogram, Spread};
pub use metric::{Field, Labels, Metric, Number, Readings, Section, Unit};
pub use openmetrics::{CONTENT_TYPE, text};
pub use process::Process;
pub use requests::{Request, Requests};
