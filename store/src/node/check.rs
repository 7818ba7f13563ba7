//! Whether a configuration can be meant as it stands; said before anything is bound, made or opened.

use std::collections::BTreeSet;

use crate::config::{Config, Keyspace, Limits, Member};
use crate::placement::DEFAULT_KEYSPACE;
use crate::ring::NodeId;

/// Shares of the ring one member may take: each is many points, walked at every start.
const WEIGHT_MAX: u32 = 1_000;

/// All that is wrong with a configuration, one complaint a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is wrong: {}", .0.join("; "))]
pub struct ConfigError(pub Vec<String>);

/// Whether `config` can be meant as it stands.
pub fn check(config: &Config) -> Result<(), ConfigError> {
    let mut complaints = Vec::new();
    members(config, &mut complaints);
    let members = config.members.iter().filter(|member| member.weight > 0).count();
    for (name, keyspace) in &config.keyspaces {
        if name.is_empty() || name.contains([':', '/', ',', '\0', ' ', '\n']) {
            complaints.push(format!(
                "keyspace {name:?} must not be empty nor hold any of `:/,` or a space"
            ));
        }
        if name == DEFAULT_KEYSPACE {
            complaints
                .push(format!("keyspace `{name}` is set by `default:`, not under `keyspaces:`"));
        }
        quorums(name, keyspace, members, &mut complaints);
        causality(name, keyspace, &mut complaints);
    }
    causality(DEFAULT_KEYSPACE, &config.default, &mut complaints);
    quorums(DEFAULT_KEYSPACE, &config.default, members, &mut complaints);
    let Limits { deadline_ms, pair_bytes, reap_every_ms, .. } = config.limits;
    if deadline_ms == 0 || pair_bytes == 0 || reap_every_ms == 0 {
        let what = "limits `deadline-ms`, `pair-bytes` and `reap-every-ms` must be at least 1";
        complaints.push(what.to_owned());
    }
    if complaints.is_empty() { Ok(()) } else { Err(ConfigError(complaints)) }
}

fn members(config: &Config, complaints: &mut Vec<String>) {
    let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for member in &config.members {
        if let Err(error) = NodeId::new(&member.node) {
            complaints.push(error.to_string());
        }
        if member.weight > WEIGHT_MAX {
            let Member { node, weight, .. } = member;
            complaints
                .push(format!("weight of `{node}` is {weight}, and must be at most {WEIGHT_MAX}"));
        }
        if !names.insert(member.node.as_str()) {
            complaints.push(format!("member `{}` is named twice", member.node));
        }
        for address in [member.client, member.peer] {
            // Port 0 is any free one, and so never the same.
            if address.port() != 0 && !addresses.insert(address) {
                complaints.push(format!("address {address} is given twice"));
            }
        }
    }
    if let Some(address) = config.metrics
        && address.port() != 0
        && addresses.contains(&address)
    {
        complaints.push(format!("address {address} is a member's, and cannot be `metrics` too"));
    }
    if !names.contains(config.node.as_str()) {
        let names: Vec<&str> = names.into_iter().collect();
        complaints.push(format!(
            "node `{}` is none of the members {}",
            config.node,
            names.join(", ")
        ));
    }
}

fn quorums(name: &str, keyspace: &Keyspace, members: usize, complaints: &mut Vec<String>) {
    let Keyspace { n, r, w, .. } = *keyspace;
    if !(1..=members).contains(&n) {
        complaints.push(format!("keyspace `{name}`: n is {n}, and {members} members take keys"));
    }
    for (letter, quorum) in [('r', r), ('w', w)] {
        if !(1..=n).contains(&quorum) {
            complaints
                .push(format!("keyspace `{name}`: {letter} is {quorum}, and must be 1 to n = {n}"));
        }
    }
}

fn causality(name: &str, keyspace: &Keyspace, complaints: &mut Vec<String>) {
    let found = keyspace.contradictions().into_iter();
    complaints.extend(found.map(|(_, why)| format!("keyspace `{name}`: {why}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let yaml = "{cluster: demo, node: n1, data: /nowhere, \
                    members: [{node: n1, client: '127.0.0.1:1', peer: '127.0.0.1:2'}, \
                    {node: n2, client: '127.0.0.1:3', peer: '127.0.0.1:4'}], \
                    keyspaces: {a: {policy: register, n: 2, r: 1, w: 2}}}";
        serde_yaml::from_str(yaml).unwrap()
    }

    fn complaint(change: impl FnOnce(&mut Config)) -> String {
        let mut config = config();
        change(&mut config);
        check(&config).expect_err("something is wrong").to_string()
    }

    #[test]
    fn a_sound_configuration_passes() {
        assert_eq!(check(&config()), Ok(()));
    }

    #[test]
    fn an_unknown_node_is_told_who_is_known() {
        let said = complaint(|config| config.node = "n9".into());
        assert!(said.contains("node `n9` is none of the members n1, n2"), "{said}");
    }

    #[test]
    fn impossible_quorums_are_refused() {
        let quorums = |n, r, w| {
            move |config: &mut Config| {
                let keyspace = Keyspace { n, r, w, ..Keyspace::default() };
                config.keyspaces.insert("a".into(), keyspace);
            }
        };
        assert!(complaint(quorums(3, 1, 1)).contains("n is 3, and 2 members take keys"));
        assert!(complaint(quorums(2, 3, 1)).contains("r is 3, and must be 1 to n = 2"));
        assert!(complaint(quorums(2, 1, 0)).contains("w is 0, and must be 1 to n = 2"));
    }

    #[test]
    fn server_vectors_are_refused_where_there_are_no_siblings() {
        let said = complaint(|config| {
            let keyspace = config.keyspaces.get_mut("a").unwrap();
            keyspace.causality = crate::config::Causality::ServerVector;
        });
        assert!(said.contains("keyspace `a`: causality is for policy `siblings`"), "{said}");
        let said = complaint(|config| config.default.max_siblings = Some(3));
        assert!(said.contains("keyspace `default`: max-siblings is for policy"), "{said}");
    }

    #[test]
    fn a_weight_beyond_all_measure_is_refused() {
        let said = complaint(|config| config.members[0].weight = 4_000_000_000);
        assert!(said.contains("weight of `n1` is 4000000000, and must be at most 1000"), "{said}");
    }

    #[test]
    fn any_free_port_is_no_port_twice() {
        let mut config = config();
        for member in &mut config.members {
            member.client.set_port(0);
            member.peer.set_port(0);
        }
        assert_eq!(check(&config), Ok(()));
    }

    #[test]
    fn metrics_have_an_address_of_their_own() {
        let at = |address: &str| Some(address.parse().unwrap());
        let said = complaint(|config| config.metrics = at("127.0.0.1:2"));
        assert!(said.contains("127.0.0.1:2 is a member's, and cannot be `metrics` too"), "{said}");
        for free in ["127.0.0.1:5", "127.0.0.1:0"] {
            assert_eq!(check(&Config { metrics: at(free), ..config() }), Ok(()));
        }
    }

    #[test]
    fn members_must_be_told_apart() {
        let twin = |config: &mut Config| config.members[1] = config.members[0].clone();
        let said = complaint(twin);
        assert!(said.contains("member `n1` is named twice"), "{said}");
        assert!(said.contains("address 127.0.0.1:1 is given twice"), "{said}");
        let odd = |config: &mut Config| {
            let member = Member { node: "n,3".into(), ..config.members[1].clone() };
            config.members[1] = member;
        };
        assert!(complaint(odd).contains("not \"n,3\""));
    }

    #[test]
    fn names_that_would_run_into_keys_are_refused() {
        for name in ["", "a:b", "a/b", "default"] {
            let keyspace = Keyspace::default();
            let said = complaint(|config| {
                config.keyspaces.insert(name.into(), keyspace);
            });
            assert!(said.contains("keyspace"), "{said}");
        }
    }
}
