//! Who takes part.

use std::fmt;

use clap::ValueEnum;
use store::Policy;

/// Who takes part, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum System {
    /// Our store, linearizable.
    OursRegister,
    /// Our store, the wall clock decides.
    OursLww,
    /// etcd.
    Etcd,
    /// Redis; in a cluster with two replicas, each write followed by `WAIT 1`.
    Redis,
}

impl System {
    /// How conflicts end, if it is ours.
    pub(crate) fn policy(self) -> Option<Policy> {
        match self {
            System::OursRegister => Some(Policy::Register),
            System::OursLww => Some(Policy::Lww),
            System::Etcd | System::Redis => None,
        }
    }

    /// The Debian package that has it, if it is not ours.
    pub(crate) fn package(self) -> Option<&'static str> {
        match self {
            System::OursRegister | System::OursLww => None,
            System::Etcd => Some("etcd-server"),
            System::Redis => Some("redis-server"),
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            System::OursRegister => "ours, register",
            System::OursLww => "ours, lww",
            System::Etcd => "etcd",
            System::Redis => "redis",
        })
    }
}
