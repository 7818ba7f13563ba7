//! The pictures of a report, drawn as SVG by hand: no script, no network, no font of its own.
//!
//! ```text
//! scale     a number of the data -> a place on the page; ticks at numbers one can say
//! svg       elements, attributes, text: everything that came from a run is escaped here
//! shelf     a row of labels, none of which stands on another
//! frame     the part all charts over time share: axis, fault bands, phases
//! throughput, latency, faults     over the whole run
//! interval  one witness, enlarged
//! ```
//!
//! Colours are classes, filled in by the page's style sheet, so that one picture serves light,
//! dark and paper. All are drawn [`WIDTH`] units wide, and scaled by the browser.
//!
//! Source: Heckbert, "Nice Numbers for Graph Labels", Graphics Gems, 1990; Tufte, "The Visual
//! Display of Quantitative Information", 1983 (label the line, erase the box).

mod faults;
mod frame;
mod interval;
mod latency;
mod scale;
mod shelf;
#[cfg(test)]
mod snapshot_tests;
mod svg;
mod throughput;

pub(crate) use faults::{fault_timeline, kind_class};
pub(crate) use frame::Run;
pub(crate) use interval::interval_diagram;
pub(crate) use latency::latency_over_time;
pub(crate) use throughput::throughput_over_time;

/// Width of every chart, in its own units.
const WIDTH: f64 = 1000.0;

/// Room left of every plot for the names of lanes and the numbers of the axis.
const LEFT: f64 = 64.0;

/// Room right of every plot for half the last number of the axis.
const RIGHT: f64 = 14.0;
