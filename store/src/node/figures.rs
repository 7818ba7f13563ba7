//! Everything this node can be measured by, gathered at one moment: for `INFO`, and for a Prometheus.
//!
//! Who counts says what its counts mean ([`Stats`](crate::stats::Stats), the engine, requests, the
//! process); what is believed of the others, and what is kept for them, is put into words here.

use std::sync::Arc;
use std::time::Instant;

use crate::config::Config;
use crate::coordinator::Coordinator;
use crate::lsm::Lsm;
use crate::membership::Health;
use crate::metrics::{Labels, Metric, Process, Requests, Section, Unit};
use crate::ring::NodeId;

/// What this node can be measured by.
pub(super) struct Figures {
    start: Instant,
    identity: Labels,
    coordinator: Arc<Coordinator>,
    engine: Arc<Lsm>,
    requests: Arc<Requests>,
}

impl Figures {
    pub(super) fn new(
        config: &Config,
        coordinator: Arc<Coordinator>,
        engine: Arc<Lsm>,
        requests: Arc<Requests>,
    ) -> Figures {
        let identity = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("cluster", config.cluster.clone()),
            ("node", config.node.clone()),
            ("sync", config.sync.to_string()),
        ];
        Figures { start: Instant::now(), identity, coordinator, engine, requests }
    }

    /// What is believed of every member, ascending.
    pub(super) fn members(&self) -> Vec<(NodeId, Health)> {
        self.coordinator.view.members()
    }

    /// All of them, as they are now; `members` as they were a moment ago.
    pub(super) fn metrics(&self, members: &[(NodeId, Health)]) -> Vec<Metric> {
        let mut metrics = self.itself();
        metrics.extend(Process::read().metrics());
        metrics.extend(self.engine.statistics().metrics());
        metrics.extend(self.coordinator.stats.metrics());
        metrics.extend(self.requests.metrics());
        metrics.extend(health(members));
        metrics.extend(self.others());
        metrics
    }

    fn itself(&self) -> Vec<Metric> {
        let uptime = self.start.elapsed();
        let live = self.coordinator.replica.live_keys();
        vec![
            Metric::info(
                "schism_node",
                "Which node this is, and when its writes count as durable.",
                self.identity.clone(),
            ),
            Metric::gauge("schism_uptime", "Time since this node was started.")
                .unit(Unit::Seconds)
                .reads(uptime)
                .shown_as(Section::Server, "uptime_in_seconds", |_| uptime.as_secs().to_string()),
            Metric::gauge(
                "schism_live_keys",
                "Keys of which this node holds a copy with a value, tombstones left out.",
            )
            .reads(live)
            .shown_as(Section::Keyspace, "db0", |keys| format!("keys={keys},expires=0,avg_ttl=0")),
            Metric::gauge(
                "schism_tombstones",
                "Deleted keys of which this node still holds a tombstone.",
            )
            .reads(self.coordinator.replica.tombstones())
            .shown(Section::Keyspace, "tombstones"),
        ]
    }

    /// Connections to the others, and what waits for them.
    fn others(&self) -> [Metric; 5] {
        let Coordinator { peers, hints, late, replica, .. } = &*self.coordinator;
        let (kept, bytes) = hints.kept();
        let connected = Metric::gauge(
            "schism_peer_connected",
            "Whether our connection to this node stands, as far as one can know: 1 or 0.",
        );
        let hinted = Metric::gauge(
            "schism_hints_kept",
            "Hints kept for this node: writes it missed, brought to it once it is up.",
        );
        let to = |node: &NodeId| vec![("peer", node.as_str().to_owned())];
        [
            peers
                .nodes()
                .fold(connected, |it, node| {
                    it.reads_for(to(node), usize::from(peers.is_connected(node)))
                })
                .shown(Section::Replication, "nodes_connected"),
            peers
                .nodes()
                .fold(hinted, |it, node| {
                    it.reads_for(to(node), kept.get(node).copied().unwrap_or(0))
                })
                .shown(Section::Replication, "hints_pending"),
            Metric::gauge("schism_hints_kept", "Bytes of the keys and records of these hints.")
                .unit(Unit::Bytes)
                .reads(bytes)
                .shown(Section::Replication, "hints_pending_bytes"),
            Metric::gauge(
                "schism_late_tasks",
                "Answers not yet heard after the client had its reply, each of which may still \
                 become a hint or a repair.",
            )
            .reads(late.len())
            .shown(Section::Replication, "late_tasks"),
            Metric::gauge(
                "schism_catching_up",
                "Other replicas with whom this node, which started without data, has yet to compare \
                 before it answers all reads.",
            )
            .reads(replica.catching_up_with())
            .shown(Section::Replication, "catching_up"),
        ]
    }
}

/// What is believed of the members: of each, and of all.
fn health(members: &[(NodeId, Health)]) -> [Metric; 2] {
    let counted = [(Health::Up, "up"), (Health::Suspected, "suspected"), (Health::Down, "down")];
    let all = counted.iter().fold(
        Metric::gauge(
            "schism_members",
            "Members of the cluster by what this node believes of them: suspected if it misses \
             them itself, down only if enough others do too.",
        ),
        |metric, (health, word)| {
            let those = members.iter().filter(|(_, it)| it == health).count();
            metric.reads_for(vec![("health", (*word).to_owned())], those)
        },
    );
    let down = all.sum(|labels| labels[0].1 == "down");
    let not_down = all.sum(|labels| labels[0].1 != "down");
    let all = all
        .shown(Section::Replication, "nodes")
        .shown_as(Section::Replication, "nodes_up", |_| not_down.to_string())
        .shown_as(Section::Replication, "nodes_down", |_| down.to_string());
    let each = members.iter().fold(
        Metric::gauge(
            "schism_member_up",
            "Whether this node takes the member to be up: 0 only if it is believed down.",
        ),
        |metric, (node, health)| {
            let labels = vec![("member", node.as_str().to_owned())];
            metric.reads_for(labels, usize::from(*health != Health::Down))
        },
    );
    [all, each]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Number;

    #[test]
    fn a_suspected_member_counts_as_up_and_as_suspected() {
        let node = |name: &str| NodeId::new(name).unwrap();
        let members = [
            (node("n1"), Health::Up),
            (node("n2"), Health::Suspected),
            (node("n3"), Health::Down),
            (node("n4"), Health::Down),
        ];
        let [all, each] = health(&members);
        let texts: Vec<String> =
            all.fields.iter().map(|field| format!("{}:{}", field.name, field.text)).collect();
        assert_eq!(texts, ["nodes:4", "nodes_up:2", "nodes_down:2"]);
        assert_eq!(all.sum(|labels| labels[0].1 == "suspected"), Number::Whole(1));
        assert_eq!(each.sum(|labels| labels[0].1 == "n2"), Number::Whole(1));
        assert_eq!(each.sum(|labels| labels[0].1 == "n3"), Number::Whole(0));
    }
}
