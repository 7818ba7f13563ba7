//! Latency of what ended `ok` over time: median, 99th percentile and slowest, on a log scale.

use super::LEFT;
use super::frame::{ABOVE, BELOW, Frame, Run, draw_grid};
use super::scale::{Log, label};
use super::svg::{Anchor, Svg, polyline};
use crate::quantity;
use crate::series::{BucketLatency, Series};

const HEIGHT: f64 = 220.0;
type Pick = fn(BucketLatency) -> u64;
/// From the back to the front.
const LINES: [(&str, Pick); 3] = [
    ("line max", |latency| latency.max),
    ("line p99", |latency| latency.p99),
    ("line p50", |latency| latency.p50),
];

/// Latency over time. A bucket in which nothing ended `ok` has none, and interrupts the lines.
pub(crate) fn latency_over_time(series: &Series, run: Run<'_>) -> String {
    let mut svg = Svg::new(ABOVE + HEIGHT + BELOW, "Latency over time, logarithmic");
    let frame = Frame::new(run.last, ABOVE, ABOVE + HEIGHT);
    let latencies = || series.buckets.iter().filter_map(|bucket| bucket.latency);
    let lowest = latencies().map(|latency| latency.p50).min().unwrap_or(1_000_000);
    let highest = latencies().map(|latency| latency.max).max().unwrap_or(1_000_000);
    let scale = Log::new((milliseconds(lowest), milliseconds(highest)), (frame.bottom, frame.top));

    frame.draw_behind(&mut svg, run);
    draw_grid(&mut svg, scale.ticks().into_iter().map(|tick| (scale.at(tick), label(tick))));
    svg.text("unit", (LEFT - 8.0, frame.top - 22.0), Anchor::End, "ms");
    for (class, pick) in LINES {
        for part in points(series, frame, scale, pick) {
            svg.path(class, &polyline(&part));
        }
    }
    draw_hovers(&mut svg, series, frame);
    svg.finish()
}

/// The unbroken parts of one line, through the middles of their buckets. A part of one bucket
/// alone is drawn as wide as its bucket, or it could not be seen.
fn points(series: &Series, frame: Frame, scale: Log, pick: Pick) -> Vec<Vec<(f64, f64)>> {
    let mut parts: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut broken = true;
    for (at, bucket) in series.buckets.iter().enumerate() {
        let Some(latency) = bucket.latency else {
            broken = true;
            continue;
        };
        let (begin, end) = series.span(at);
        let column = frame.column(begin, end);
        let y = scale.at(milliseconds(pick(latency)));
        if std::mem::take(&mut broken) {
            parts.push(Vec::new());
        }
        let part = parts.last_mut().expect("one was begun");
        part.push((column.x + column.width / 2.0, y));
    }
    let half = (frame.x(series.width) - frame.x(0)) / 2.0;
    for part in &mut parts {
        if let [(x, y)] = part[..] {
            *part = vec![(x - half, y), (x + half, y)];
        }
    }
    parts
}

fn draw_hovers(svg: &mut Svg, series: &Series, frame: Frame) {
    for (at, bucket) in series.buckets.iter().enumerate() {
        let Some(latency) = bucket.latency else { continue };
        let (begin, end) = series.span(at);
        let words = |nanoseconds: u64| quantity::microseconds(nanoseconds.div_ceil(1000));
        let told = format!(
            "{} – {} s\np50 {}\np99 {}\nmax {}",
            quantity::seconds(begin),
            quantity::seconds(end),
            words(latency.p50),
            words(latency.p99),
            words(latency.max),
        );
        svg.rect("hover", frame.column(begin, end), Some(&told));
    }
}

/// *Returns* milliseconds, never none at all: a logarithm has no place for it.
fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds.max(1) as f64 / 1e6
}
