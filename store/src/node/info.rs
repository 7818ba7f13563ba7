//! What a node says of itself: `INFO` in sections as Redis has them, and `CONFIG GET`.
//!
//! Words (names, lists of nodes) are said here; every number is that of a [metric](crate::metrics).

use std::fmt::Write as _;
use std::sync::Arc;

use super::figures::Figures;
use crate::config::{Config, Sync};
use crate::membership::Health;
use crate::metrics::{Metric, Section};
use crate::ring::NodeId;
use crate::server;

/// What a node says of itself.
pub(super) struct Info {
    node: String,
    cluster: String,
    sync: Sync,
    settings: Vec<(&'static str, String)>,
    figures: Arc<Figures>,
}

/// Names and values, one a line.
type Fields = Vec<(&'static str, String)>;

impl Info {
    pub(super) fn new(config: &Config, figures: Arc<Figures>) -> Info {
        let metrics = config.metrics.map_or_else(String::new, |address| address.to_string());
        let settings = vec![
            ("appendfsync", appendfsync(config.sync).into()),
            ("appendonly", "yes".to_owned()),
            ("cluster-name", config.cluster.clone()),
            ("databases", "1".to_owned()),
            ("deadline-ms", config.limits.deadline_ms.to_string()),
            ("dir", config.data.display().to_string()),
            ("maxclients", server::Limits::with_room().connections.to_string()),
            ("maxmemory", "0".to_owned()),
            ("metrics", metrics),
            ("pair-bytes", config.limits.pair_bytes.to_string()),
            ("save", String::new()),
        ];
        Info {
            node: config.node.clone(),
            cluster: config.cluster.clone(),
            sync: config.sync,
            settings,
            figures,
        }
    }

    /// One section, by name in any case, or all.
    pub(super) fn text(&self, section: Option<&str>) -> String {
        let wanted = section.unwrap_or("all").to_ascii_lowercase();
        let all = matches!(wanted.as_str(), "all" | "default" | "everything");
        let members = self.figures.members();
        let metrics = self.figures.metrics(&members);
        let mut text = String::new();
        for section in Section::ALL {
            let title = section.to_string();
            if !all && !title.eq_ignore_ascii_case(&wanted) {
                continue;
            }
            let gap = if text.is_empty() { "" } else { "\r\n" };
            write!(text, "{gap}# {title}\r\n").expect("a string takes all");
            let words = self.words(section, &members);
            let words = words.iter().map(|(name, value)| (*name, value.as_str()));
            for (name, value) in words.chain(numbers(section, &metrics)) {
                write!(text, "{name}:{value}\r\n").expect("a string takes all");
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

    /// The words of `section`, which stand before its numbers.
    fn words(&self, section: Section, members: &[(NodeId, Health)]) -> Fields {
        match section {
            Section::Server => vec![
                ("schism_version", env!("CARGO_PKG_VERSION").to_owned()),
                ("node", self.node.clone()),
                ("cluster", self.cluster.clone()),
                ("sync", self.sync.to_string()),
                ("process_id", std::process::id().to_string()),
            ],
            Section::Clients => {
                vec![("maxclients", server::Limits::with_room().connections.to_string())]
            }
            Section::Replication => vec![
                ("role", "master".to_owned()),
                ("nodes_down_list", those(members, Health::Down)),
                ("nodes_suspected_list", those(members, Health::Suspected)),
            ],
            _ => Vec::new(),
        }
    }
}

/// The names of members in this health.
fn those(members: &[(NodeId, Health)], health: Health) -> String {
    let those = members.iter().filter(|(_, it)| *it == health).map(|(node, _)| node.as_str());
    those.collect::<Vec<_>>().join(",")
}

/// The fields of `section` among those of `metrics`, in their order.
fn numbers(section: Section, metrics: &[Metric]) -> impl Iterator<Item = (&str, &str)> {
    let fields = metrics.iter().flat_map(|metric| &metric.fields);
    let fields = fields.filter(move |field| field.section == section);
    fields.map(|field| (field.name.as_str(), field.text.as_str()))
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
