//! `INFO` and a collector are told the same.

use std::collections::{BTreeMap, BTreeSet};

use super::exposition::Exposition;
use super::site::Site;

/// Fields of `INFO` that are words, or settings.
const WORDS: [&str; 9] = [
    "schism_version",
    "node",
    "cluster",
    "sync",
    "process_id",
    "maxclients",
    "role",
    "nodes_down_list",
    "nodes_suspected_list",
];

/// What collecting itself changes, either way.
const RESTLESS: [&str; 2] = ["used_memory_rss", "process_open_files"];

/// Every other field, and what a collector calls it.
fn same(metrics: &Exposition) -> BTreeMap<String, f64> {
    let sum = |name: &str| metrics.sum(name);
    let mut same: BTreeMap<String, f64> = [
        ("uptime_in_seconds", sum("schism_uptime_seconds").floor()),
        ("used_memory_rss", sum("process_resident_memory_bytes")),
        ("process_open_files", sum("process_open_fds")),
        ("engine_writes", sum("schism_engine_writes_total")),
        ("engine_groups", sum("schism_engine_groups_total")),
        ("engine_syncs", sum("schism_engine_syncs_total")),
        ("engine_flushes", sum("schism_engine_flushes_total")),
        ("engine_merges", sum("schism_engine_merges_total")),
        ("engine_moves", sum("schism_engine_moves_total")),
        ("engine_user_bytes", sum("schism_engine_user_bytes_total")),
        ("engine_log_bytes", sum("schism_engine_log_bytes_total")),
        ("engine_flushed_bytes", sum("schism_engine_flushed_bytes_total")),
        ("engine_merged_bytes", sum("schism_engine_merged_bytes_total")),
        ("engine_stalls", sum("schism_engine_stalls_total")),
        ("engine_stalled_ms", (sum("schism_engine_stalled_seconds_total") * 1e3).floor()),
        ("engine_cache_hits", sum("schism_engine_cache_hits_total")),
        ("engine_cache_misses", sum("schism_engine_cache_misses_total")),
        ("engine_memtable_bytes", sum("schism_engine_memtable_bytes")),
        ("engine_tables", sum("schism_engine_tables")),
        ("engine_table_bytes", sum("schism_engine_table_bytes")),
        ("engine_cache_bytes", sum("schism_engine_cache_bytes")),
        ("engine_damaged_blocks", sum("schism_engine_damaged_blocks")),
        ("engine_write_amplification", sum("schism_engine_write_amplification_ratio")),
        ("engine_space_amplification", sum("schism_engine_space_amplification_ratio")),
        ("engine_read_amplification", sum("schism_engine_read_amplification_ratio")),
        ("total_commands_processed", sum("schism_commands_total")),
        ("quorum_reads", sum("schism_quorum_reads_total")),
        ("quorum_writes", sum("schism_quorum_writes_total")),
        ("forwards", sum("schism_forwards_total")),
        ("read_repairs", sum("schism_read_repairs_total")),
        ("write_backs", sum("schism_write_backs_total")),
        ("quorum_failures", sum("schism_quorum_failures_total")),
        ("hints_taken", sum("schism_hints_taken_total")),
        ("hints_replayed", sum("schism_hints_replayed_total")),
        ("hints_dropped", sum("schism_hints_dropped_total")),
        ("exchanges", sum("schism_merkle_exchanges_total")),
        ("exchanged_records", sum("schism_merkle_exchanged_records_total")),
        ("exchange_sent_bytes", sum("schism_merkle_exchange_sent_bytes_total")),
        ("exchange_received_bytes", sum("schism_merkle_exchange_received_bytes_total")),
        ("stand_ins", sum("schism_stand_ins_total")),
        ("hedges", sum("schism_hedges_total")),
        ("nodes", sum("schism_members")),
        ("nodes_up", sum("schism_member_up")),
        ("nodes_down", metrics.value("schism_members", &[("health", "down")])),
        ("nodes_connected", sum("schism_peer_connected")),
        ("hints_pending", sum("schism_hints_kept")),
        ("hints_pending_bytes", sum("schism_hints_kept_bytes")),
        ("late_tasks", sum("schism_late_tasks")),
        ("catching_up", sum("schism_catching_up")),
        ("tombstones", sum("schism_tombstones")),
        ("reaping_failures", sum("schism_reaping_failures_total")),
        ("tombstones_reaped", sum("schism_tombstones_reaped_total")),
        ("db0 keys", sum("schism_live_keys")),
        ("db0 expires", 0.0),
        ("db0 avg_ttl", 0.0),
    ]
    .map(|(field, value)| (field.to_owned(), value))
    .into();
    for word in WORDS_OF_ERRORS {
        let count = metrics.value("schism_errors_total", &[("word", word)]);
        same.insert(format!("errorstat_{word} count"), count);
    }
    for keyspace in ["l", "r", "default"] {
        for request in ["read", "write", "delete"] {
            let labels = [("keyspace", keyspace), ("request", request)];
            let field = format!("requeststat_{keyspace}_{request}");
            let calls = metrics.value("schism_request_duration_seconds_count", &labels);
            let seconds = metrics.value("schism_request_duration_seconds_sum", &labels);
            same.insert(format!("{field} calls"), calls);
            same.insert(format!("{field} usec"), (seconds * 1e6 + 1e-4).floor());
        }
    }
    same
}

/// First words of errors, and one for all others.
const WORDS_OF_ERRORS: [&str; 9] = [
    "ERR",
    "NOPROTO",
    "NOTREPLICA",
    "OVERLOADED",
    "TOOBIG",
    "UNAVAILABLE",
    "UNCERTAIN",
    "UNREPAIRED",
    "other",
];

/// Every number of `INFO`; those inside a field as `field part`.
fn numbers(info: &BTreeMap<String, String>) -> BTreeMap<String, f64> {
    let mut numbers = BTreeMap::new();
    let fields = info.iter().filter(|(name, _)| !WORDS.contains(&name.as_str()));
    for (name, text) in fields {
        for part in text.split(',') {
            let (name, number) = match part.split_once('=') {
                Some((part, number)) => (format!("{name} {part}"), number),
                None => (name.clone(), part),
            };
            let number = number.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}"));
            numbers.insert(name, number);
        }
    }
    numbers
}

#[tokio::test]
async fn every_number_of_info_is_a_metric_that_reads_the_same() {
    let site = Site::start().await;
    for request in ["SET l:1 a", "MGET l:1 l:2", "DEL l:1", "GET r:1", "SET r:1 a", "NOPE", "GET x"]
    {
        site.ask(request).await;
    }
    // From here on nothing changes but by looking.
    site.until("n2 missed", |it| it.value("schism_members", &[("health", "down")]) > 0.5).await;
    site.until("no late answers", |it| it.sum("schism_late_tasks") < 0.5).await;
    let before = numbers(&site.info().await);
    let collected = same(&site.metrics().await);
    let after = numbers(&site.info().await);
    let names = |all: &BTreeMap<String, f64>| all.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&before), names(&collected), "a number is told to one of them only");
    for (name, &metric) in &collected {
        let (one, other) = (before[name], after[name]);
        // INFO shows ratios in two digits.
        let (least, most) = (one.min(other) - 0.005, one.max(other) + 0.005);
        let agrees = (least..=most).contains(&metric) || RESTLESS.contains(&name.as_str());
        assert!(agrees, "{name} is {one}, then {other}, and was {metric} in between");
    }
    assert!(collected["hints_pending"] > 0.5 && collected["errorstat_ERR count"] > 0.5);
}
