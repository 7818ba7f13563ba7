//! Operations a second over time, stacked by how they ended.

use super::frame::{ABOVE, BELOW, Frame, Run, draw_grid, headroom};
use super::scale::{Linear, label};
use super::svg::{Anchor, Rect, Svg};
use super::{LEFT, RIGHT, WIDTH};
use crate::quantity;
use crate::series::{Bucket, Series};

const HEIGHT: f64 = 200.0;
const TICKS: usize = 5;

/// Operations a second over time: `ok` at the bottom, `info` on it, `fail` on top.
pub(crate) fn throughput_over_time(series: &Series, run: Run<'_>) -> String {
    let mut svg = Svg::new(ABOVE + HEIGHT + BELOW, "Operations per second over time");
    let frame = Frame::new(run.last, ABOVE, ABOVE + HEIGHT);
    let rates = series.buckets.iter().map(|bucket| series.per_second(bucket.counts.total()));
    let highest = headroom(rates.fold(0.0, f64::max), TICKS);
    let scale = Linear::new((0.0, highest), (frame.bottom, frame.top));

    frame.draw_behind(&mut svg, run);
    let ticks = scale.ticks(TICKS).into_iter().filter(|tick| *tick > 0.0);
    draw_grid(&mut svg, ticks.map(|tick| (scale.at(tick), words(tick))));
    svg.text("unit", (LEFT - 8.0, frame.top - 22.0), Anchor::End, "ops/s");
    for at in 0..series.buckets.len() {
        draw_bucket(&mut svg, series, at, frame, scale);
    }
    svg.finish()
}

/// One bucket: a column of up to three parts, and an unseen one over it all that can be hovered.
fn draw_bucket(svg: &mut Svg, series: &Series, at: usize, frame: Frame, scale: Linear) {
    let Bucket { counts, .. } = series.buckets[at];
    let (begin, end) = series.span(at);
    let column = frame.column(begin, end);
    let gap = (column.width * 0.12).min(1.0);
    let mut below = 0;
    for (class, count) in [("ok", counts.ok), ("info", counts.info), ("fail", counts.fail)] {
        if count == 0 {
            continue;
        }
        let y = scale.at(series.per_second(below + count));
        let height = scale.at(series.per_second(below)) - y;
        svg.rect(class, Rect { y, height, width: column.width - gap, ..column }, None);
        below += count;
    }
    let per_second = |count| quantity::rate(series.per_second(count));
    let told = format!(
        "{} – {} s\nok {}/s\ninfo {}/s\nfail {}/s",
        quantity::seconds(begin),
        quantity::seconds(end),
        per_second(counts.ok),
        per_second(counts.info),
        per_second(counts.fail),
    );
    svg.rect(
        "hover",
        Rect { width: column.width.min(WIDTH - RIGHT - column.x), ..column },
        Some(&told),
    );
}

fn words(rate: f64) -> String {
    if rate >= 1_000.0 { format!("{}k", label(rate / 1_000.0)) } else { label(rate) }
}
