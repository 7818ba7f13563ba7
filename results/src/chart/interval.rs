//! One witness, enlarged: a lane for each process, a bar for each operation from its invocation to
//! its completion.
//!
//! Distances are by the logarithm of time: a witness may hold two operations of a millisecond with
//! ten seconds between them, and what convicts is their order. Order and overlap are exact, and the
//! axis says when each event was. An operation that may yet happen runs out of the picture.

use checker::{Function, Operation, Outcome};

use super::frame::Run;
use super::svg::{Anchor, Rect, Svg};
use super::{LEFT, WIDTH};
use crate::quantity;
use crate::windows::in_force;
use crate::witness::{Layout, Row};
use crate::wording;

const RIGHT_EDGE: f64 = WIDTH - 16.0;
const TOP: f64 = 26.0;
const ROW: f64 = 40.0;
const BAR: f64 = 14.0;
const BELOW: f64 = 34.0;
const LETTER: f64 = 7.9;
const LONGEST_LABEL: usize = 44;

/// A monotone way from moments to places, straight between the events of the witness.
struct Warp {
    /// Moment and place of each event, both ascending.
    knots: Vec<(u64, f64)>,
}

/// The operations of a witness, and the faults in force around them.
pub(crate) fn interval_diagram(layout: &Layout<'_>, run: Run<'_>) -> String {
    let warp = Warp::of(layout);
    let lanes = Lanes::of(layout, &warp);
    let height = lanes.rows as f64 * ROW;
    let mut svg = Svg::new(TOP + height + BELOW, "The operations of the witness in real time");
    draw_faults(&mut svg, &warp, run, height);
    for (process, first, count) in &lanes.of_process {
        let top = TOP + *first as f64 * ROW;
        svg.line("grid", (8.0, top), (RIGHT_EDGE, top));
        let middle = top + *count as f64 * ROW / 2.0;
        svg.text("lane", (LEFT - 14.0, middle + 4.5), Anchor::End, &format!("p{process}"));
    }
    for (row, at) in layout.rows.iter().zip(&lanes.of_row) {
        draw_operation(&mut svg, &warp, row, TOP + *at as f64 * ROW);
    }
    draw_axis(&mut svg, &warp, layout.origin(), TOP + height);
    svg.finish()
}

impl Warp {
    fn of(layout: &Layout<'_>) -> Warp {
        let mut moments: Vec<u64> = Vec::new();
        for row in &layout.rows {
            moments.push(row.operation.began);
            moments.extend(row.to.and(row.operation.ended));
        }
        moments.sort_unstable();
        moments.dedup();
        let gaps = moments.windows(2).map(|pair| ((pair[1] - pair[0]) as f64 / 1e6).ln_1p() + 1.6);
        let mut reached = vec![0.0];
        for gap in gaps {
            reached.push(reached[reached.len() - 1] + gap);
        }
        // What may yet happen needs room to run out of the picture; other labels need some too.
        let open = layout.rows.iter().any(|row| row.to.is_none());
        let room = if open { 1.6 } else { 0.9 };
        let whole = (reached[reached.len() - 1] + room).max(4.0);
        let place = |along: f64| LEFT + along / whole * (RIGHT_EDGE - LEFT);
        Warp { knots: moments.into_iter().zip(reached.into_iter().map(place)).collect() }
    }

    /// Where `moment` is drawn; moments outside the witness are drawn at its edges.
    fn at(&self, moment: u64) -> f64 {
        match self.knots.binary_search_by_key(&moment, |knot| knot.0) {
            Ok(exact) => self.knots[exact].1,
            Err(0) => LEFT - 8.0,
            Err(after) if after == self.knots.len() => RIGHT_EDGE,
            Err(after) => {
                let ((m0, x0), (m1, x1)) = (self.knots[after - 1], self.knots[after]);
                x0 + (x1 - x0) * (moment - m0) as f64 / (m1 - m0) as f64
            }
        }
    }
}

/// Which row each operation is drawn in: those of one process together, and in one row unless
/// their bars or their labels would touch.
struct Lanes {
    /// Process, its first row, how many rows it has.
    of_process: Vec<(u32, usize, usize)>,
    /// Row of each operation, in the layout's order.
    of_row: Vec<usize>,
    rows: usize,
}

impl Lanes {
    fn of(layout: &Layout<'_>, warp: &Warp) -> Lanes {
        let mut processes: Vec<u32> = Vec::new();
        for row in &layout.rows {
            if !processes.contains(&row.operation.process) {
                processes.push(row.operation.process);
            }
        }
        let mut lanes =
            Lanes { of_process: Vec::new(), of_row: vec![0; layout.rows.len()], rows: 0 };
        for process in processes {
            let mut taken: Vec<f64> = Vec::new();
            for (at, row) in layout.rows.iter().enumerate() {
                if row.operation.process != process {
                    continue;
                }
                let (left, right) = extent(row, warp);
                let free = taken.iter().position(|until| *until < left).unwrap_or(taken.len());
                if free == taken.len() {
                    taken.push(right);
                }
                taken[free] = right;
                lanes.of_row[at] = lanes.rows + free;
            }
            lanes.of_process.push((process, lanes.rows, taken.len()));
            lanes.rows += taken.len();
        }
        lanes
    }
}

/// Left and right edge of an operation with its label.
fn extent(row: &Row<'_>, warp: &Warp) -> (f64, f64) {
    let (left, right) = bar(row, warp);
    let label = label(row).chars().count() as f64 * LETTER;
    (left.min(RIGHT_EDGE - label), right.max(left + label) + 6.0)
}

fn bar(row: &Row<'_>, warp: &Warp) -> (f64, f64) {
    let left = warp.at(row.operation.began);
    let right = row.to.and(row.operation.ended).map_or(RIGHT_EDGE, |ended| warp.at(ended));
    (left, right.max(left + 3.0))
}

/// `W1 write 42 → ok @n1`, shortened where it is too long to read at a glance.
fn label(row: &Row<'_>) -> String {
    let mut words = wording::operation(row.operation);
    if words.chars().count() > LONGEST_LABEL {
        words = words.chars().take(LONGEST_LABEL - 1).chain(['…']).collect();
    }
    let node = row.operation.node.as_deref().map(|node| format!(" @{node}")).unwrap_or_default();
    format!("{} {words}{node}", row.name).trim_start().to_owned()
}

fn draw_operation(svg: &mut Svg, warp: &Warp, row: &Row<'_>, top: f64) {
    let (left, right) = bar(row, warp);
    let words = label(row);
    let width = words.chars().count() as f64 * LETTER;
    let (x, anchor) =
        if left + width > RIGHT_EDGE { (RIGHT_EDGE, Anchor::End) } else { (left, Anchor::Start) };
    let operation = row.operation;
    let how = match operation.outcome {
        Outcome::Ok(_) => "did",
        Outcome::Fail => "never",
        Outcome::Info => "may",
    };
    let class = format!("op {how} {}", function_class(&operation.f));
    let place = Rect { x: left, y: top + 20.0, width: right - left, height: BAR };
    svg.rect(&class, place, Some(&told(operation)));
    svg.text("op-name", (x, top + 15.0), anchor, &words);
}

/// What hovering over an operation says.
fn told(operation: &Operation) -> String {
    let mut lines = vec![wording::operation(operation)];
    lines.extend(operation.error.clone());
    lines.push(match &operation.node {
        Some(node) => format!("process {}, {node}", operation.process),
        None => format!("process {}", operation.process),
    });
    let ended = operation.ended.map_or_else(|| "no end".to_owned(), quantity::seconds);
    lines.push(format!("{} – {ended} s", quantity::seconds(operation.began)));
    lines.join("\n")
}

/// Reads and writes are told apart by colour; anything else is drawn as a write.
fn function_class(function: &Function) -> &'static str {
    match function {
        Function::Read | Function::ReadReplica => "read",
        _ => "write",
    }
}

fn draw_faults(svg: &mut Svg, warp: &Warp, run: Run<'_>, height: f64) {
    let (Some(first), Some(last)) = (warp.knots.first(), warp.knots.last()) else { return };
    let mut taken = 0.0;
    for fault in run.faults {
        let Some((begin, end)) = in_force(fault, run.last) else { continue };
        if end <= first.0 || begin >= last.0 {
            continue;
        }
        let (left, right) = (warp.at(begin), warp.at(end));
        let told = format!("fault {}, {}: {}", fault.fault, fault.kind, fault.description);
        let band = Rect { x: left, y: TOP - 4.0, width: right - left, height: height + 4.0 };
        svg.rect("band", band, Some(&told));
        let words = format!("{} {}", fault.fault, fault.kind);
        let right = left + 4.0 + words.chars().count() as f64 * LETTER;
        if left >= taken && right <= WIDTH {
            svg.text("band-number", (left + 4.0, TOP - 10.0), Anchor::Start, &words);
            taken = right + 8.0;
        }
    }
}

/// A tick for each event, with its time since the first where there is room.
fn draw_axis(svg: &mut Svg, warp: &Warp, origin: u64, y: f64) {
    svg.line("axis", (LEFT, y), (RIGHT_EDGE, y));
    let (mut taken, mut last) = (0.0, String::new());
    for (moment, x) in &warp.knots {
        svg.line("axis", (*x, y), (*x, y + 4.0));
        let words = match moment - origin {
            0 => format!("{} ms", quantity::milliseconds(origin)),
            since => format!("+{}", quantity::microseconds(since.div_ceil(1000))),
        };
        let half = words.chars().count() as f64 * LETTER / 2.0;
        let x = x.max(LEFT + half - 16.0);
        // Two ticks that say the same would deny the distance between them.
        if x - half >= taken && x + half <= WIDTH && words != last {
            svg.text("tick", (x, y + 18.0), Anchor::Middle, &words);
            (taken, last) = (x + half + 4.0, words);
        }
    }
}
