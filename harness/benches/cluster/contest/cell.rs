//! One load: how many clients, and what they ask for.

use std::fmt;

use clap::ValueEnum;

/// One load, which is a row of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) mix: Mix,
    /// Each with a connection of its own, and one request outstanding.
    pub(crate) clients: u16,
}

/// What clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Mix {
    /// Writes only.
    Set,
    /// Half reads, half writes, drawn one by one.
    Half,
    /// Reads only.
    Get,
}

impl Mix {
    /// Whether the operation with this draw, an even number as likely as an odd one, is a write.
    pub(crate) fn writes(self, draw: u64) -> bool {
        match self {
            Mix::Set => true,
            Mix::Half => draw.is_multiple_of(2),
            Mix::Get => false,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mix = match self.mix {
            Mix::Set => "set",
            Mix::Half => "50/50",
            Mix::Get => "get",
        };
        let plural = if self.clients == 1 { "" } else { "s" };
        write!(f, "{mix}, {} client{plural}", self.clients)
    }
}
