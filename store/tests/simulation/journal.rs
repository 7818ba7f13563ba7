//! What happened in a run, line by line, for who has to find out why it went wrong.
//!
//! Kept only when a seed is repeated alone: ten thousand seeds would write it for nobody.

use std::fmt::Write as _;

use crate::agenda::{MS, Micros};

/// What happened in a run, line by line.
#[derive(Default)]
pub(crate) struct Journal {
    text: Option<String>,
}

impl Journal {
    /// A journal that is kept.
    pub(crate) fn kept() -> Journal {
        Journal { text: Some(String::new()) }
    }

    /// Notes a line, if the journal is kept.
    pub(crate) fn note(&mut self, now: Micros, line: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            let (ms, micros) = (now / MS, now % MS);
            writeln!(text, "{ms:>6}.{micros:03} {}", line())
                .expect("a string takes all that is written to it");
        }
    }

    /// All lines.
    pub(crate) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}
