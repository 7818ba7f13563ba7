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

use std::cmp::Reverse;

use checker::FaultWindow;

use super::scale::{Linear, label, nice};
use super::shelf::Shelf;
use super::svg::{Anchor, Rect, Svg};
use super::{LEFT, RIGHT, WIDTH};
use crate::windows::{Phase, in_force};

/// Room above a plot for the names of phases and the numbers of faults.
pub(super) const ABOVE: f64 = 40.0;
/// Room below a plot for the axis.
pub(super) const BELOW: f64 = 28.0;
/// What one letter of a label takes, generously.
const LETTER: f64 = 7.0;
/// Between the line of a phase and its name.
const ASIDE: f64 = 5.0;
const TICKS: usize = 9;

/// The name of a phase, placed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct PhaseLabel<'p> {
    name: &'p str,
    x: f64,
    /// How far above the plot.
    rise: f64,
    anchor: Anchor,
}

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
        let below = self.draw_faults(svg, run);
        for phase in run.phases {
            let x = self.x(phase.begin);
            svg.line("phase", (x, self.top - 32.0), (x, self.bottom));
        }
        for label in self.phase_labels(run.phases, below) {
            svg.text("phase-name", (label.x, self.top - label.rise), label.anchor, label.name);
        }
        self.draw_axis(svg);
    }

    /// A shade for each fault, and its number where there is room for one; returns the row of the
    /// numbers.
    fn draw_faults(&self, svg: &mut Svg, run: Run<'_>) -> Shelf {
        let mut numbers = Shelf::default();
        let mut faults: Vec<_> = run.faults.iter().collect();
        faults.sort_by_key(|fault| fault.begin);
        for fault in faults {
            let Some((begin, end)) = in_force(fault, run.last) else { continue };
            let column = self.column(begin, end);
            svg.rect("band", column, None);
            let number = fault.fault.to_string();
            let half = number.len() as f64 * LETTER / 2.0;
            let middle = column.x + column.width / 2.0;
            if numbers.claim(middle - half, middle + half) {
                svg.text("band-number", (middle, self.top - 6.0), Anchor::Middle, &number);
            }
        }
        numbers
    }

    /// The names of phases, each where its phase begins: right of that, or where it would run into
    /// the next or out of the picture, left of it in the row `below`. The longest phases are named
    /// first, and a name that finds no room is left out.
    fn phase_labels<'p>(&self, phases: &'p [Phase], mut below: Shelf) -> Vec<PhaseLabel<'p>> {
        let mut above = Shelf::default();
        let mut labels = Vec::new();
        let mut by_length: Vec<(usize, &Phase)> = phases.iter().enumerate().collect();
        by_length.sort_by_key(|(_, phase)| Reverse(phase.end.saturating_sub(phase.begin)));
        for (at, phase) in by_length {
            let (x, name) = (self.x(phase.begin), phase.name.as_str());
            let width = name.chars().count() as f64 * LETTER;
            let until = phases.get(at + 1).map_or(WIDTH, |next| self.x(next.begin));
            let (right, left) = (x + ASIDE, x - ASIDE);
            if right + width <= until && above.claim(right, right + width) {
                labels.push(PhaseLabel { name, x: right, rise: 22.0, anchor: Anchor::Start });
            } else if left - width >= LEFT && below.claim(left - width, left) {
                labels.push(PhaseLabel { name, x: left, rise: 7.0, anchor: Anchor::End });
            }
        }
        labels
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn frame(last_ms: u64) -> Frame {
        Frame::new(last_ms * MS, ABOVE, ABOVE + 200.0)
    }

    /// Phases that begin at these milliseconds, the last to end at `last`.
    fn phases(named: &[(&str, u64)], last: u64) -> Vec<Phase> {
        let ends = named.iter().skip(1).map(|(_, begin)| *begin).chain([last]);
        let phase = |((name, begin), end): (&(&str, u64), u64)| Phase {
            name: (*name).to_owned(),
            begin: begin * MS,
            end: end * MS,
        };
        named.iter().zip(ends).map(phase).collect()
    }

    fn edges(label: &PhaseLabel<'_>) -> (f64, f64) {
        let width = label.name.chars().count() as f64 * LETTER;
        match label.anchor {
            Anchor::Start => (label.x, label.x + width),
            Anchor::Middle => (label.x - width / 2.0, label.x + width / 2.0),
            Anchor::End => (label.x - width, label.x),
        }
    }

    #[test]
    fn of_short_phases_at_the_end_the_longest_is_named() {
        let named = [("warm-up", 0), ("faults", 2_001), ("recovery", 22_000), ("quiesce", 24_001)];
        let phases = phases(&[&named[..], &[("final reads", 24_007)]].concat(), 24_071);
        let labels = frame(24_071).phase_labels(&phases, Shelf::default());
        let mut told: Vec<_> = labels.iter().map(|label| (label.name, label.rise)).collect();
        told.sort_by_key(|(name, _)| *name);
        let expected =
            [("faults", 22.0), ("final reads", 7.0), ("recovery", 22.0), ("warm-up", 22.0)];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_name_gives_way_to_the_numbers_of_faults() {
        let phases = phases(&[("faults", 0), ("final reads", 9_950)], 10_000);
        let frame = frame(10_000);
        assert_eq!(frame.phase_labels(&phases, Shelf::default()).len(), 2);
        let mut numbers = Shelf::default();
        assert!(numbers.claim(frame.x(9_800 * MS), frame.x(9_850 * MS)));
        let labels = frame.phase_labels(&phases, numbers);
        assert_eq!(labels.iter().map(|label| label.name).collect::<Vec<_>>(), ["faults"]);
    }

    #[test]
    fn no_two_names_overlap_and_none_leaves_the_picture() {
        let names =
            ["warm-up", "faults", "recovery", "quiesce", "final reads", "a", "very long phase"];
        let mut seen = 0;
        for seed in 0..2_000_u64 {
            // Phases of very different lengths, from a few milliseconds to most of the run.
            let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut at = 0;
            let begins = names.map(|name| {
                let begin = at;
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                at += 1 + (dice >> 8) % 10_u64.pow(u32::try_from(dice % 5).unwrap());
                (name, begin)
            });
            let phases = phases(&begins, at);
            let labels = frame(at).phase_labels(&phases, Shelf::default());
            seen += labels.len();
            for (place, label) in labels.iter().enumerate() {
                let (left, right) = edges(label);
                assert!(left >= LEFT && right <= WIDTH, "seed {seed}: {label:?}");
                for other in &labels[..place] {
                    let (from, to) = edges(other);
                    let below = (label.rise - other.rise).abs() > 12.0;
                    let apart = below || right <= from || to <= left;
                    assert!(apart, "seed {seed}: {label:?} on {other:?}");
                }
            }
        }
        assert!(seen > 4_000, "most phases are named: {seen} of 14 000");
    }
}
