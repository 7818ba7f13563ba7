//! How a keyspace of policy `siblings` tells a later write from a concurrent one, and how many it keeps.
//!
//! ```yaml
//! carts:   { policy: siblings, n: 3, r: 2, w: 2, max-siblings: 20 }
//! lessons: { policy: siblings, n: 3, r: 2, w: 2, causality: server-vector, vector-limit: 10 }
//! ```

use serde::{Deserialize, Serialize};

use super::{Keyspace, Policy};

/// Siblings of a key where the keyspace does not say how many: far more than clients who merge ever
/// leave, and few enough that a reader can take them all.
const MAX_SIBLINGS: usize = 100;

/// How a keyspace of policy `siblings` tells a later write from a concurrent one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Causality {
    /// By dots: a write supersedes what its client had read, and nothing else.
    #[default]
    Dotted,
    /// By a vector of servers, as it is usually taught. **Loses acknowledged writes** as soon as two
    /// clients write through one server; it is there to show that, see
    /// [`Branches`](crate::version::Branches).
    ServerVector,
}

impl Causality {
    /// Whether it is what a keyspace has that does not say.
    pub fn is_default(&self) -> bool {
        *self == Causality::default()
    }
}

impl std::fmt::Display for Causality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Causality::Dotted => "dotted",
            Causality::ServerVector => "server-vector",
        })
    }
}

impl Keyspace {
    /// How many siblings a client's write may leave of a key, tombstones included.
    pub fn siblings_allowed(&self) -> usize {
        self.max_siblings.unwrap_or(MAX_SIBLINGS)
    }

    /// Settings that cannot be meant beside the others: the name of each, and why not.
    pub fn contradictions(&self) -> Vec<(&'static str, String)> {
        let Keyspace { policy, causality, vector_limit, max_siblings, .. } = self;
        let mut found = Vec::new();
        if *policy != Policy::Siblings {
            let set = [
                ("causality", !causality.is_default()),
                ("vector-limit", vector_limit.is_some()),
                ("max-siblings", max_siblings.is_some()),
            ];
            let set = set.into_iter().filter(|(_, is_set)| *is_set);
            found.extend(set.map(|(setting, _)| {
                (setting, format!("{setting} is for policy `siblings`, and this is `{policy}`"))
            }));
        } else if vector_limit.is_some() && *causality == Causality::Dotted {
            let why = "vector-limit is for causality `server-vector`: a dot that was forgotten would be \
                       given again, to another write, and one of the two be lost";
            found.push(("vector-limit", why.to_owned()));
        }
        for (setting, value) in [("vector-limit", vector_limit), ("max-siblings", max_siblings)] {
            if *value == Some(0) {
                found.push((setting, format!("{setting} must be at least 1")));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyspace(settings: &str) -> Result<Keyspace, serde_yaml::Error> {
        serde_yaml::from_str(&format!("{{n: 1, r: 1, w: 1, {settings}}}"))
    }

    fn contradiction(settings: &str) -> String {
        let found = keyspace(settings).unwrap().contradictions();
        let [(setting, why)] = &found[..] else { panic!("{settings}: {found:?}") };
        assert!(why.starts_with(setting), "{why}");
        why.clone()
    }

    #[test]
    fn a_keyspace_counts_by_dots_unless_it_says_otherwise() {
        let quiet = keyspace("policy: siblings").unwrap();
        assert_eq!((quiet.causality, quiet.vector_limit), (Causality::Dotted, None));
        assert_eq!(quiet.siblings_allowed(), 100);
        assert_eq!(quiet.contradictions(), []);
        let loud = keyspace(
            "policy: siblings, causality: server-vector, vector-limit: 10, max-siblings: 3",
        );
        let loud = loud.unwrap();
        assert_eq!((loud.causality, loud.vector_limit), (Causality::ServerVector, Some(10)));
        assert_eq!(loud.siblings_allowed(), 3);
        assert_eq!(loud.contradictions(), []);
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        let text = serde_yaml::to_string(&keyspace("policy: siblings").unwrap()).unwrap();
        assert_eq!(text, "policy: siblings\nn: 1\nr: 1\nw: 1\n");
        let loud = keyspace("policy: siblings, causality: server-vector, vector-limit: 2").unwrap();
        let text = serde_yaml::to_string(&loud).unwrap();
        assert_eq!(serde_yaml::from_str::<Keyspace>(&text).unwrap(), loud);
    }

    #[test]
    fn server_vectors_are_not_had_by_a_slip_of_the_pen() {
        for slip in ["vector", "server_vector", "Server-Vector", "true", "''"] {
            assert!(keyspace(&format!("policy: siblings, causality: {slip}")).is_err(), "{slip}");
        }
        assert_eq!(
            contradiction("policy: lww, causality: server-vector"),
            "causality is for policy `siblings`, and this is `lww`"
        );
    }

    #[test]
    fn settings_that_mean_nothing_together_are_refused() {
        let why = contradiction("policy: siblings, vector-limit: 10");
        assert!(why.contains("is for causality `server-vector`"), "{why}");
        assert_eq!(
            contradiction("policy: register, max-siblings: 3"),
            "max-siblings is for policy `siblings`, and this is `register`"
        );
        for (settings, said) in [
            ("max-siblings: 0", "max-siblings must be at least 1"),
            ("causality: server-vector, vector-limit: 0", "vector-limit must be at least 1"),
        ] {
            assert_eq!(contradiction(&format!("policy: siblings, {settings}")), said);
        }
    }
}
