//! What a node says of itself: `INFO` in sections as Redis has them, and `CONFIG GET`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use crate::config::{Config, Sync};
use crate::coordinator::Coordinator;
use crate::lsm::Lsm;
use crate::membership::Health;
use crate::server;

/// What a node says of itself.
pub(super) struct Info {
    node: String,
    cluster: String,
    sync: Sync,
    settings: Vec<(&'static str, String)>,
    start: Instant,
    coordinator: Arc<Coordinator>,
    engine: Arc<Lsm>,
}

/// Names and values, one a line.
type Fields = Vec<(&'static str, String)>;

impl Info {
    pub(super) fn new(config: &Config, coordinator: Arc<Coordinator>, engine: Arc<Lsm>) -> Info {
        let settings = vec![
            ("appendfsync", appendfsync(config.sync).into()),
            ("appendonly", "yes".to_owned()),
            ("cluster-name", config.cluster.clone()),
            ("databases", "1".to_owned()),
            ("deadline-ms", config.limits.deadline_ms.to_string()),
            ("dir", config.data.display().to_string()),
            ("maxclients", server::Limits::with_room().connections.to_string()),
            ("maxmemory", "0".to_owned()),
            ("pair-bytes", config.limits.pair_bytes.to_string()),
            ("save", String::new()),
        ];
        Info {
            node: config.node.clone(),
            cluster: config.cluster.clone(),
            sync: config.sync,
            settings,
            start: Instant::now(),
            coordinator,
            engine,
        }
    }

    /// One section, by name in any case, or all.
    pub(super) fn text(&self, section: Option<&str>) -> String {
        let wanted = section.unwrap_or("all").to_ascii_lowercase();
        let all = matches!(wanted.as_str(), "all" | "default" | "everything");
        let mut text = String::new();
        for (title, fields) in self.sections() {
            if all || title.eq_ignore_ascii_case(&wanted) {
                let gap = if text.is_empty() { "" } else { "\r\n" };
                write!(text, "{gap}# {title}\r\n").expect("a string takes all");
                for (name, value) in fields {
                    write!(text, "{name}:{value}\r\n").expect("a string takes all");
                }
            }
        }
        text
    }

    /// Settings whose names match one of `patterns`, by name.
    pub(super) fn settings(&self, patterns: &[String]) -> Vec<(String, String)> {
        let is_asked = |name: &str| {
            patterns.iter().any(|p| glob(p.to_ascii_lowercase().as_bytes(), name.as_bytes()))
        };
        let asked = self.settings.iter().filter(|(name, _)| is_asked(name));
        asked.map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn sections(&self) -> [(&'static str, Fields); 6] {
        [
            ("Server", self.server()),
            ("Clients", vec![("maxclients", server::Limits::with_room().connections.to_string())]),
            ("Persistence", self.persistence()),
            ("Stats", self.stats()),
            ("Replication", self.replication()),
            ("Keyspace", self.keyspace()),
        ]
    }

    fn server(&self) -> Fields {
        vec![
            ("schism_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("node", self.node.clone()),
            ("cluster", self.cluster.clone()),
            ("sync", self.sync.to_string()),
            ("process_id", std::process::id().to_string()),
            ("uptime_in_seconds", self.start.elapsed().as_secs().to_string()),
        ]
    }

    fn persistence(&self) -> Fields {
        let engine = self.engine.statistics();
        vec![
            ("engine_writes", engine.writes.to_string()),
            ("engine_groups", engine.groups.to_string()),
            ("engine_syncs", engine.syncs.to_string()),
            ("engine_flushes", engine.flushes.to_string()),
            ("engine_merges", engine.merges.to_string()),
            ("engine_moves", engine.moves.to_string()),
            ("engine_stalls", engine.stalls.to_string()),
            ("engine_stalled_ms", engine.stalled.as_millis().to_string()),
            ("engine_memtable_bytes", engine.memtable_bytes.to_string()),
            ("engine_table_bytes", engine.table_bytes.iter().sum::<u64>().to_string()),
            ("engine_damaged_blocks", engine.damaged_blocks.to_string()),
            ("engine_write_amplification", format!("{:.2}", engine.write_amplification())),
            ("engine_space_amplification", format!("{:.2}", engine.space_amplification())),
            ("engine_read_amplification", engine.read_amplification().to_string()),
        ]
    }

    fn stats(&self) -> Fields {
        let counts = self.coordinator.stats.all().into_iter();
        counts.map(|(name, count)| (name, count.to_string())).collect()
    }

    fn replication(&self) -> Fields {
        let Coordinator { view, peers, hints, stats, late, .. } = &*self.coordinator;
        let members = view.members();
        let with = |health: Health| {
            let those =
                members.iter().filter(|(_, it)| *it == health).map(|(node, _)| node.as_str());
            those.collect::<Vec<_>>()
        };
        let (down, suspected) = (with(Health::Down), with(Health::Suspected));
        let connected = peers.nodes().filter(|node| peers.is_connected(node)).count();
        vec![
            ("role", "master".to_owned()),
            ("nodes", members.len().to_string()),
            ("nodes_connected", connected.to_string()),
            ("nodes_up", (members.len() - down.len()).to_string()),
            ("nodes_down", down.len().to_string()),
            ("nodes_down_list", down.join(",")),
            ("nodes_suspected_list", suspected.join(",")),
            ("hints_pending", hints.pending().to_string()),
            // Answers not yet heard, of which each may still become a hint or a repair.
            ("late_tasks", late.len().to_string()),
            ("hints_dropped", stats.hints_dropped.get().to_string()),
        ]
    }

    fn keyspace(&self) -> Fields {
        let keys = self.coordinator.replica.live_keys();
        vec![("db0", format!("keys={keys},expires=0,avg_ttl=0"))]
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any text and `?` for any one byte. Goes
/// back to the last star only, so that a pattern of many cannot keep a node busy.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// The nearest thing Redis has a word for.
fn appendfsync(sync: Sync) -> &'static str {
    match sync {
        Sync::Always => "always",
        Sync::Every(_) => "everysec",
        Sync::Never => "no",
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs_match_as_in_redis() {
        for (pattern, text) in [
            ("*", ""),
            ("save", "save"),
            ("app*o*y", "appendonly"),
            ("s?ve", "save"),
            ("*a*e", "save"),
            ("**", "x"),
        ] {
            assert!(glob(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in
            [("", "save"), ("sav", "save"), ("?", ""), ("*x", "save"), ("*a?", "save")]
        {
            assert!(!glob(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }
}
