//! What all charts over time share: the axis in seconds, the shade of each fault, the phases.
//!
//! ```text
//!   warm-up ┊ faults                                  ┊ final reads      phases
//!           ┊   1  ░░░░   2 ░░░░░░   3 ░░             ┊                  fault numbers
//!   ┌───────┊──────░░░░─────░░░░░░─────░░─────────────┊────────┐ top
//!   │                                                          │
//!   └──────────────────────────────────────────────────────────┘ bottom
//!   0       5 s       10 s                                       seconds
//! ```

use checker::FaultWindow;

use super::scale::{Linear, label, nice};
use super::svg::{Anchor, Rect, Svg};
use super::{LEFT, RIGHT, WIDTH};
use crate::windows::{Phase, in_force};

/// Room above a plot for the names of phases and the numbers of faults.
pub(super) const ABOVE: f64 = 40.0;
/// Room below a plot for the axis.
pub(super) const BELOW: f64 = 28.0;
/// What one letter of a label takes, generously.
const LETTER: f64 = 7.0;
const TICKS: usize = 9;

/// A run as the charts over time see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// The last moment, in nanoseconds since the run began.
    pub(crate) last: u64,
    /// What was done to it.
    pub(crate) faults: &'a [FaultWindow],
    /// What it went through.
    pub(crate) phases: &'a [Phase],
}

/// The plot within a chart over time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    seconds: Linear,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Frame {
    /// The plot of a run that ended at `last`, between two heights.
    pub(super) fn new(last: u64, top: f64, bottom: f64) -> Frame {
        let seconds = Linear::new((0.0, last as f64 / 1e9), (LEFT, WIDTH - RIGHT));
        Frame { seconds, top, bottom }
    }

    /// Where a moment is drawn.
    pub(super) fn x(&self, nanoseconds: u64) -> f64 {
        self.seconds.at(nanoseconds as f64 / 1e9)
    }

    /// The full height between two moments.
    pub(super) fn column(&self, begin: u64, end: u64) -> Rect {
        let (x, right) = (self.x(begin), self.x(end).min(WIDTH - RIGHT));
        Rect { x, y: self.top, width: right - x, height: self.bottom - self.top }
    }

    /// What lies behind the data.
    pub(super) fn draw_behind(&self, svg: &mut Svg, run: Run<'_>) {
        self.draw_faults(svg, run);
        self.draw_phases(svg, run.phases);
        self.draw_axis(svg);
    }

    /// A shade for each fault, and its number where there is room for one.
    fn draw_faults(&self, svg: &mut Svg, run: Run<'_>) {
        let mut taken = 0.0;
        let mut faults: Vec<_> = run.faults.iter().collect();
        faults.sort_by_key(|fault| fault.begin);
        for fault in faults {
            let Some((begin, end)) = in_force(fault, run.last) else { continue };
            let column = self.column(begin, end);
            svg.rect("band", column, None);
            let number = fault.fault.to_string();
            let half = number.len() as f64 * LETTER / 2.0;
            let middle = column.x + column.width / 2.0;
            if middle - half >= taken {
                svg.text("band-number", (middle, self.top - 6.0), Anchor::Middle, &number);
                taken = middle + half + 2.0;
            }
        }
    }

    /// Where each phase begins. Its name stands right of that, or where it would run into the next
    /// or out of the picture, left of it and a row lower.
    fn draw_phases(&self, svg: &mut Svg, phases: &[Phase]) {
        for (at, phase) in phases.iter().enumerate() {
            let x = self.x(phase.begin);
            let until = phases.get(at + 1).map_or(WIDTH, |next| self.x(next.begin));
            let width = phase.name.chars().count() as f64 * LETTER;
            let (x_name, rise, anchor) = if x + 5.0 + width <= until {
                (x + 5.0, 22.0, Anchor::Start)
            } else {
                (x - 5.0, 7.0, Anchor::End)
            };
            svg.line("phase", (x, self.top - 32.0), (x, self.bottom));
            svg.text("phase-name", (x_name, self.top - rise), anchor, &phase.name);
        }
    }

    fn draw_axis(&self, svg: &mut Svg) {
        svg.line("axis", (LEFT, self.bottom), (WIDTH - RIGHT, self.bottom));
        for tick in self.seconds.ticks(TICKS) {
            let x = self.seconds.at(tick);
            svg.line("axis", (x, self.bottom), (x, self.bottom + 4.0));
            let words = if tick == 0.0 { "0".to_owned() } else { format!("{} s", label(tick)) };
            svg.text("tick", (x, self.bottom + 18.0), Anchor::Middle, &words);
        }
    }
}

/// A horizontal line at each of `ticks`, with its number left of the plot.
pub(super) fn draw_grid(svg: &mut Svg, ticks: impl IntoIterator<Item = (f64, String)>) {
    for (y, words) in ticks {
        svg.line("grid", (LEFT, y), (WIDTH - RIGHT, y));
        svg.text("tick", (LEFT - 8.0, y + 4.0), Anchor::End, &words);
    }
}

/// The least number with a round tick at or above `value`.
pub(super) fn headroom(value: f64, ticks: usize) -> f64 {
    let step = nice(value.max(1.0) / ticks as f64);
    (value.max(1.0) / step).ceil() * step
}
