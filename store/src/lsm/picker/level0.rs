//! What leaves level 0, or is merged inside it.
//!
//! Tables of level 0 overlap. Those that overlap, directly or through others, are a *cluster*, and go
//! down together: none of them can then sink past an older one. A cluster is free to go where no
//! table in it is held, or overlaps an older one that cannot go itself.
//!
//! Going down rewrites what the cluster overlaps on the base level. Where that is more than `fanout`
//! times the cluster, or the cluster is a small part of one table, it would be paid for little; then
//! neighbours of similar size are merged inside level 0 first, so that fewer, larger tables go down
//! later (*size-tiered*). Neighbours in age: the product stands where they stood.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::span::Span;
use super::{Candidate, Kind, Picture, Task};
use crate::lsm::levels::{LAST, Placed};

pub(super) fn pick<T: Placed + Clone>(picture: &Picture<'_, T>) -> Option<Task> {
    let candidates: Vec<Candidate> =
        clusters(picture).iter().filter_map(|cluster| sink(picture, cluster)).collect();
    let is_worth_it = |candidate: &&Candidate| is_worth_it(picture, candidate);
    best(candidates.iter().filter(is_worth_it))
        .or_else(|| merge_inside(picture))
        .or_else(|| best(candidates.iter()))
}

/// Moves are free; else the more tables go at once, the better. Ties go to the older.
fn best<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> Option<Task> {
    let rank = |candidate: &&Candidate| {
        let tables = candidate.task.inputs.iter().filter(|(level, _)| *level == 0).count();
        (candidate.task.kind != Kind::Move, Reverse(tables))
    };
    candidates.min_by_key(rank).map(|candidate| candidate.task.clone())
}

/// Whether what goes down is enough for what it costs.
fn is_worth_it<T: Placed + Clone>(picture: &Picture<'_, T>, candidate: &Candidate) -> bool {
    let fanout = picture.shape.fanout;
    let top = candidate.top_bytes.saturating_mul(fanout);
    top >= candidate.bottom_bytes && top >= picture.shape.table_bytes
}

/// Tables that overlap, by their place in level 0, and the span of them all.
struct Cluster<'a, T> {
    span: Span<'a>,
    tables: BTreeMap<usize, &'a T>,
}

/// The tables that can go down, in clusters, the one with the oldest table first.
fn clusters<'a, T: Placed + Clone>(picture: &Picture<'a, T>) -> Vec<Cluster<'a, T>> {
    let mut stuck: Vec<Span<'a>> = Vec::new();
    let mut clusters: Vec<Cluster<'a, T>> = Vec::new();
    for (place, table) in picture.levels.level(0).iter().enumerate().rev() {
        let span = Span::of(table.facts());
        if picture.is_held(table) || stuck.iter().any(|older| older.overlaps(span)) {
            stuck.push(span);
            continue;
        }
        let mut cluster = Cluster { span, tables: BTreeMap::from([(place, table)]) };
        for older in clusters.extract_if(.., |other| other.span.overlaps(span)) {
            cluster.span = cluster.span.join(older.span);
            cluster.tables.extend(older.tables);
        }
        clusters.push(cluster);
    }
    clusters.sort_by_key(|cluster| Reverse(cluster.tables.keys().next_back().copied()));
    clusters
}

/// Where a cluster goes: to the last level where nobody below has keys in its span, as there is nothing
/// to meet on the way; else to the base, to wait for company; and never past what it overlaps.
fn sink<T: Placed + Clone>(
    picture: &Picture<'_, T>,
    cluster: &Cluster<'_, T>,
) -> Option<Candidate> {
    let first = picture.first_overlapping(1, cluster.span);
    let output_level = first.map_or(LAST, |first| first.min(picture.targets.base));
    let tables: Vec<&T> = cluster.tables.values().copied().collect();
    picture.sink(0, &tables, output_level)
}

/// Merging the most neighbours of similar size, of those the ones with the fewest bytes.
///
/// Similar: the largest is at most twice all the others together. So whoever is rewritten is in a
/// table half as large again afterwards, and a byte is rewritten here only so many times as the
/// logarithm of level 0 over a flush.
fn merge_inside<T: Placed + Clone>(picture: &Picture<'_, T>) -> Option<Task> {
    let tables = picture.levels.level(0);
    let windows = (0..tables.len())
        .flat_map(|from| (from + 2..=tables.len()).map(move |to| &tables[from..to]));
    let window = windows
        .filter(|window| !window.iter().any(|table| picture.is_held(table)))
        .filter(|window| is_similar(window))
        .min_by_key(|window| (Reverse(window.len()), sum(window)))?;
    let inputs = window.iter().map(|table| (0, table.facts().number)).collect();
    let is_bottom = is_bottom(picture, window);
    Some(Task { inputs, output_level: 0, kind: Kind::Merge, is_bottom })
}

fn is_similar<T: Placed>(window: &[T]) -> bool {
    let largest = window.iter().map(|table| table.facts().bytes).max().unwrap_or(0);
    largest <= 2 * (sum(window) - largest)
}

fn sum<T: Placed>(window: &[T]) -> u64 {
    window.iter().map(|table| table.facts().bytes).sum()
}

/// Whether nothing older overlaps: neither on level 0 nor below.
fn is_bottom<T: Placed + Clone>(picture: &Picture<'_, T>, window: &[T]) -> bool {
    let Some(span) = Span::around(window.iter().map(Placed::facts)) else { return false };
    let oldest = window.last().map(|table| table.facts().number);
    let mut older = picture
        .levels
        .level(0)
        .iter()
        .rev()
        .take_while(|table| Some(table.facts().number) != oldest);
    !older.any(|table| Span::of(table.facts()).overlaps(span))
        && picture.first_overlapping(1, span).is_none()
}
