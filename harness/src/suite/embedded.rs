//! The suites that travel inside the binary, so that the first run needs no file.

/// A suite that travels inside the binary.
#[derive(Debug)]
pub struct Embedded {
    /// The name users type.
    pub name: &'static str,
    /// Its YAML.
    pub text: &'static str,
}

/// Every embedded suite; the first is the default.
pub const EMBEDDED: &[Embedded] = &[
    Embedded { name: "smoke", text: include_str!("../../../ci/suites/smoke.yaml") },
    Embedded {
        name: "sloppy-handoff",
        text: include_str!("../../../ci/suites/sloppy-handoff.yaml"),
    },
    Embedded {
        name: "minority-majority",
        text: include_str!("../../../ci/suites/minority-majority.yaml"),
    },
    Embedded { name: "tombstones", text: include_str!("../../../ci/suites/tombstones.yaml") },
    Embedded {
        name: "permanent-loss",
        text: include_str!("../../../ci/suites/permanent-loss.yaml"),
    },
    Embedded { name: "stale-reads", text: include_str!("../../../ci/suites/stale-reads.yaml") },
];

impl Embedded {
    /// The embedded suite called `name`.
    pub fn named(name: &str) -> Option<&'static Embedded> {
        EMBEDDED.iter().find(|embedded| embedded.name == name)
    }
}
