//! What was done to which node, when: a lane for each node, a bar for each fault that concerned it.

use checker::FaultWindow;

use super::frame::{BELOW, Frame, Run};
use super::svg::{Anchor, Rect, Svg};
use super::{LEFT, RIGHT, WIDTH};
use crate::evidence::Evidence;
use crate::quantity;
use crate::windows::in_force;

/// Room above for the names of phases; the numbers of faults are in their bars.
const ABOVE: f64 = 34.0;
const BAR: f64 = 18.0;
const GAP: f64 = 3.0;
const BETWEEN_LANES: f64 = 8.0;
const LETTER: f64 = 6.4;

/// A bar of one lane.
struct Bar<'a> {
    fault: &'a FaultWindow,
    begin: u64,
    end: u64,
    /// Bars that overlap in time lie in rows of their own.
    row: usize,
}

/// The faults of a run, in a lane for each of `nodes` and for each node only the faults name.
pub(crate) fn fault_timeline(nodes: &[String], run: Run<'_>) -> String {
    let lanes: Vec<_> = lane_names(nodes, run.faults).map(|name| (name, bars(name, run))).collect();
    let height: f64 = lanes.iter().map(|(_, bars)| lane_height(bars)).sum();
    let mut svg = Svg::new(ABOVE + height + BELOW, "Faults over time, by node");
    let frame = Frame::new(run.last, ABOVE, ABOVE + height);
    frame.draw_behind(&mut svg, Run { faults: &[], ..run });
    let mut top = frame.top;
    for (name, bars) in &lanes {
        let bottom = top + lane_height(bars);
        svg.line("grid", (LEFT, top), (WIDTH - RIGHT, top));
        let middle = f64::midpoint(top, bottom);
        svg.text("lane", (LEFT - 10.0, middle + 4.5), Anchor::End, name);
        for bar in bars {
            draw_bar(&mut svg, frame, top, bar);
        }
        top = bottom;
    }
    svg.finish()
}

/// Every node that was there, then those only named by a fault; a fault of none concerns all.
fn lane_names<'a>(nodes: &'a [String], faults: &'a [FaultWindow]) -> impl Iterator<Item = &'a str> {
    let mut names: Vec<&str> = nodes.iter().map(String::as_str).collect();
    for node in faults.iter().flat_map(|fault| &fault.nodes) {
        if !names.contains(&node.as_str()) {
            names.push(node);
        }
    }
    names.into_iter()
}

/// The bars of the lane `node`, each in the first row where it is free.
fn bars<'a>(node: &str, run: Run<'a>) -> Vec<Bar<'a>> {
    let mut rows: Vec<u64> = Vec::new();
    let mut bars = Vec::new();
    for fault in run.faults {
        let concerned = fault.nodes.is_empty() || fault.nodes.iter().any(|name| name == node);
        let Some((begin, end)) = in_force(fault, run.last).filter(|_| concerned) else { continue };
        let row = rows.iter().position(|until| *until <= begin).unwrap_or(rows.len());
        if row == rows.len() {
            rows.push(end);
        }
        rows[row] = end;
        bars.push(Bar { fault, begin, end, row });
    }
    bars
}

fn lane_height(bars: &[Bar<'_>]) -> f64 {
    let rows = bars.iter().map(|bar| bar.row + 1).max().unwrap_or(1) as f64;
    rows * BAR + (rows - 1.0) * GAP + BETWEEN_LANES
}

fn draw_bar(svg: &mut Svg, frame: Frame, lane: f64, bar: &Bar<'_>) {
    let fault = bar.fault;
    let column = frame.column(bar.begin, bar.end);
    let y = lane + BETWEEN_LANES / 2.0 + bar.row as f64 * (BAR + GAP);
    let width = column.width.max(2.0);
    let class = if fault.bit { "fault" } else { "fault toothless" };
    let class = format!("{class} {}", kind_class(&fault.kind));
    svg.rect(&class, Rect { y, height: BAR, width, ..column }, Some(&told(bar)));
    let number = fault.fault.to_string();
    let words = format!("{number} {}", fault.kind);
    let fits = |words: &str| words.chars().count() as f64 * LETTER + 6.0 <= width;
    let Some(words) = [words.as_str(), &number].into_iter().find(|words| fits(words)) else {
        return;
    };
    let class = if fault.bit { "fault-name" } else { "fault-name toothless" };
    svg.text(class, (column.x + 4.0, y + 13.0), Anchor::Start, words);
}

/// What hovering over a bar says.
fn told(bar: &Bar<'_>) -> String {
    let Bar { fault, begin, end, .. } = bar;
    let span = format!("{} – {} s", quantity::seconds(*begin), quantity::seconds(*end));
    let Evidence { head: measured, parts } = Evidence::of(&fault.evidence);
    let head = format!("fault {}, {}: {}", fault.fault, fault.kind, fault.description);
    format!("{head}\n{span}\n{measured}\n{parts}").trim_end().to_owned()
}

/// The colour of a kind: those that are common have their own.
pub(crate) fn kind_class(kind: &str) -> &'static str {
    match kind {
        "partition" => "partition",
        "kill" => "kill",
        "pause" => "pause",
        "wipe" => "wipe",
        _ => "other",
    }
}
